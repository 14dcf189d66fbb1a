/**
 * The one source of every choice of a run. Each kind of choice has its own sequence of numbers, so that a fault that
 * is left out (to make a failing run smaller) does not shift the choices of another kind.
 */
export class Source {
  readonly seed: number;
  readonly #sequences = new Map<string, () => number>();

  constructor(seed: number) {
    this.seed = seed;
  }

  /** The next number of a sequence, in [0, 1). */
  number(kind: string): number {
    let next = this.#sequences.get(kind);
    if (next === undefined) {
      next = sequence(this.seed, kind);
      this.#sequences.set(kind, next);
    }
    return next();
  }

  chance(kind: string, probability: number): boolean {
    return this.number(kind) < probability;
  }

  /** A whole number from `least` to `most`, both included. */
  whole(kind: string, least: number, most: number): number {
    return least + Math.floor(this.number(kind) * (most - least + 1));
  }

  pick<A>(kind: string, from: ReadonlyArray<A>): A {
    return from[Math.floor(this.number(kind) * from.length)] as A;
  }

  /** One of the names, each as often as its weight says. */
  weighted<Name extends string>(kind: string, weights: Readonly<Record<Name, number>>): Name {
    const entries = Object.entries(weights) as Array<[Name, number]>;
    let left = this.number(kind) * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of entries) if ((left -= weight) < 0) return name;
    return entries.at(-1)?.[0] as Name;
  }
}

/** Mulberry32, begun by a hash of seed and kind (FNV-1a). */
const sequence = (seed: number, kind: string): (() => number) => {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ 0x811c9dc5;
  for (let i = 0; i < kind.length; i++) state = Math.imul(state ^ kind.charCodeAt(i), 0x01000193);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
};
