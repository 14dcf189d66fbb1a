/** Numbers from a seed: the same seed, the same numbers, on every machine (mulberry32). */
export interface Random {
  /** From 0 up to 1. */
  readonly unit: () => number;
  /** A whole number from `least` up to and including `most`. */
  readonly between: (least: number, most: number) => number;
  readonly pick: <A>(list: ReadonlyArray<A>) => A;
}

export const random = (seed: number): Random => {
  let state = seed >>> 0;
  const unit = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (least: number, most: number) => least + Math.floor(unit() * (most - least + 1));
  return { unit, between, pick: (list) => list[between(0, list.length - 1)] as never };
};
