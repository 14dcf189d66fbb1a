import type { Evidence, HistoryRow } from "./evidence.ts";
import { foldAll, type Life } from "./fold.ts";

/** The evidence of one crash (or of the end), with what the histories say. */
export interface Scene {
  readonly evidence: Evidence;
  readonly lives: ReadonlyArray<Life>;
  /** All incarnations by the address under which they lived. */
  readonly byAddress: ReadonlyMap<string, ReadonlyArray<Life>>;
  readonly byId: ReadonlyMap<number, Life>;
  /** The last run came to its end by itself: nothing may be owed any more. */
  readonly final: boolean;
  /** What the task file asks for, if there is one. */
  readonly endings: ReadonlyMap<string, string> | undefined;
}

export type Violate = (what: string) => void;

/** Something that must hold after every crash. `check` tells each case where it does not. */
export interface Rule {
  readonly name: string;
  readonly check: (scene: Scene, violate: Violate) => void;
}

export const makeScene = (evidence: Evidence, final: boolean, endings: Scene["endings"], violate: Violate): Scene => {
  const lives = foldAll(evidence, violate);
  return { evidence, lives, byAddress: groupBy(lives, (life) => life.address), byId: new Map(lives.map((life) => [life.row.id, life])), final, endings };
};

export const groupBy = <Key, A>(list: ReadonlyArray<A>, keyOf: (item: A) => Key): ReadonlyMap<Key, ReadonlyArray<A>> => {
  const groups = new Map<Key, Array<A>>();
  for (const item of list) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
};

/** The state that a life has come to, with its context. Nothing for an actor that could not be folded. */
export const latest = <Context>(life: Life | undefined): { readonly value: unknown; readonly context: Context; readonly entry: HistoryRow } | undefined => {
  const moment = life?.moments.at(-1);
  return moment === undefined ? undefined : { value: moment.state.snapshot.value, context: moment.state.snapshot.context as Context, entry: moment.entry };
};

/** A state's name: of a compound state that of its innermost part. */
export const nameOf = (value: unknown): string => (typeof value === "string" ? value : nameOf(Object.values(value as Record<string, unknown>)[0]));
