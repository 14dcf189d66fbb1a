import { stateText } from "./charts.ts";

/** A way through the values that were seen: the keys of an object, one after another. */
interface Way {
  readonly next: Map<string, Way>;
  down?: Way;
  up?: Way;
  text?: string;
}

/** Values that are known at a time: of a machine with many regions there may be any number. */
const knownMax = 10_000;
const newWay = (): Way => ({ next: new Map() });
let root = newWay();
let known = 0;

const along = (way: Way, key: string): Way => {
  let next = way.next.get(key);
  if (next === undefined) {
    next = newWay();
    way.next.set(key, next);
  }
  return next;
};

const through = (from: Way, value: Readonly<Record<string, unknown>>): Way => {
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

/** A state value as text: a name, or JSON. Each value is written once, and found again without being written: it is asked for with each transition. */
export const textOfValue = (value: unknown): string => {
  if (typeof value !== "object" || value === null) return String(value);
  const end = through(root, value as Readonly<Record<string, unknown>>);
  if (end.text === undefined) {
    end.text = JSON.stringify(value);
    if (++known > knownMax) {
      root = newWay();
      known = 0;
    }
  }
  return end.text;
};

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
