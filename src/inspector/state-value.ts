import { stateText } from "./charts.ts";

/** A way through the values that were seen: the keys of an object, one after another. */
interface Way<A> {
  readonly next: Map<string, Way<A>>;
  down?: Way<A>;
  up?: Way<A>;
  end?: A;
}

/** Values whose way is known at a time: of a machine with many regions there may be any number. */
const knownMax = 10_000;
const newWay = <A>(): Way<A> => ({ next: new Map() });

const along = <A>(way: Way<A>, key: string): Way<A> => {
  let next = way.next.get(key);
  if (next === undefined) {
    next = newWay();
    way.next.set(key, next);
  }
  return next;
};

const through = <A>(from: Way<A>, value: Readonly<Record<string, unknown>>): Way<A> => {
  let way = from;
  for (const key in value) {
    const inner = value[key];
    way = along(way, key);
    if (typeof inner === "string") way = along(way, inner);
    else {
      way.down ??= newWay();
      const end = through(way.down, inner as Readonly<Record<string, unknown>>);
      end.up ??= newWay();
      way = end.up;
    }
  }
  return way;
};

/** Something for each state value. A value is written once, and found again without being written: it is asked for with each transition. */
export class ByStateValue<A> {
  readonly #byText = new Map<string, A>();
  readonly #make: (text: string) => A;
  #root = newWay<A>();
  #known = 0;

  /** `make` is given the value as text: a name, or JSON. */
  constructor(make: (text: string) => A) {
    this.#make = make;
  }

  of(value: unknown): A {
    if (typeof value !== "object" || value === null) return this.#of(String(value));
    const way = through(this.#root, value as Readonly<Record<string, unknown>>);
    if (way.end === undefined) {
      way.end = this.#of(JSON.stringify(value));
      if (++this.#known > knownMax) {
        this.#root = newWay();
        this.#known = 0;
      }
    }
    return way.end as A;
  }

  #of(text: string): A {
    let found = this.#byText.get(text);
    if (found === undefined) {
      found = this.#make(text);
      this.#byText.set(text, found);
    }
    return found;
  }

  get all(): Iterable<A> {
    return this.#byText.values();
  }
}

export const valueOfText = (text: string): unknown => (text.startsWith("{") ? JSON.parse(text) : text);

const shown = new Map<string, string>();
/** In short: `active.running`. */
export const shortOfText = (value: string): string => {
  if (!value.startsWith("{")) return value;
  let text = shown.get(value);
  if (text === undefined) {
    if (shown.size > knownMax) shown.clear();
    text = stateText(JSON.parse(value));
    shown.set(value, text);
  }
  return text;
};
