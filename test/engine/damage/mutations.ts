/** A way in which a stored row can be wrong. `state` changes the text; `column` the row itself, by SQL. */
export interface Mutation {
  readonly name: string;
  /** The place in the state that it changes, as a path; nothing where the text itself is changed. */
  readonly path?: ReadonlyArray<string>;
  readonly state?: (text: string) => string;
  readonly column?: Column;
}

export interface Column {
  readonly table: "actors" | "states" | "wakes";
  readonly column: string;
  /** An SQL expression. */
  readonly value: string;
}

type Json = { [key: string]: unknown };

/** Numbers from 0 (inclusive) to 1, the same for the same seed. */
export const seeded = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

/** What a field may be retyped to, as JSON text. */
const junk = ["null", "true", "0", "-1", "1.5", "1e999", '"wat"', '""', '"__proto__"', "[]", "[1]", "{}", '{"__proto__":{"x":1}}', '{"kind":"moon"}'];

const marked = "taskwright:junk";
const put = (text: string, path: ReadonlyArray<string>, raw: string | undefined): string => {
  const root = JSON.parse(text) as Json;
  let at: Json = root;
  for (const key of path.slice(0, -1)) at = at[key] as Json;
  const last = path.at(-1) as string;
  if (raw === undefined) delete at[last];
  else at[last] = marked;
  return JSON.stringify(root).replace(JSON.stringify(marked), () => raw ?? "");
};

/** Every place in a state, down to `depth`. */
const pathsOf = (value: unknown, depth: number, path: ReadonlyArray<string> = []): ReadonlyArray<ReadonlyArray<string>> =>
  typeof value !== "object" || value === null || depth === 0 ? [] : Object.entries(value).flatMap(([key, item]) => [[...path, key], ...pathsOf(item, depth - 1, [...path, key])]);

const pick = <A>(random: () => number, all: ReadonlyArray<A>): A => all[Math.floor(random() * all.length)] as A;

/** Each field removed, and each retyped in as many ways as there is room for. */
const fields = (text: string, random: () => number, retypes: number): ReadonlyArray<Mutation> =>
  pathsOf(JSON.parse(text), 4).flatMap((path) => [
    { name: `${path.join(".")} removed`, path, state: (state: string) => put(state, path, undefined) },
    ...[...junk]
      .sort(() => random() - 0.5)
      .slice(0, path[0] === "context" ? 1 : retypes)
      .map((raw) => ({ name: `${path.join(".")} = ${raw}`, path, state: (state: string) => put(state, path, raw) })),
  ]);

/** Text that was cut, or in which bytes changed. */
const texts = (text: string, random: () => number, count: number): ReadonlyArray<Mutation> =>
  Array.from({ length: count }, (_, index): Mutation => {
    const at = Math.floor(random() * text.length);
    const to = at + 1 + Math.floor(random() * 8);
    const character = pick(random, ['"', "{", "}", "[", ":", ",", "e", "9", "-", " ", "\\", "\u0001", "z"]);
    switch (index % 4) {
      case 0:
        return { name: `cut after ${at}`, state: (state) => state.slice(0, at) };
      case 1:
        return { name: `without ${at} to ${to}`, state: (state) => state.slice(0, at) + state.slice(to) };
      case 2:
        return { name: `${JSON.stringify(character)} at ${at}`, state: (state) => state.slice(0, at) + character + state.slice(at + 1) };
      default:
        return { name: `${at} to ${to} twice`, state: (state) => state.slice(0, to) + state.slice(at) };
    }
  });

const others: ReadonlyArray<Mutation> = [
  { name: "the row of another machine", state: () => '{"status":"active","value":{"deep":{"elsewhere":"here"}},"context":{"count":1}}' },
  { name: "a row of XState's", state: () => '{"status":"active","value":"counting","historyValue":{},"context":{},"children":{},"tags":[]}' },
  { name: "an unknown status", path: ["status"], state: (text) => put(text, ["status"], '"asleep"') },
  { name: "a child of nobody's", path: ["children"], state: (text) => put(text, ["children"], '{"x":{"src":"nobody","token":1}}') },
  { name: "a child beyond the counter", path: ["children"], state: (text) => put(text, ["children"], '{"x":{"src":"kid","token":99}}') },
  { name: "a timer in the past of all time", path: ["timers"], state: (text) => put(text, ["timers"], '{"x":{"due":-5,"token":1}}') },
  { name: "a timer for a child without an id", path: ["timers"], state: (text) => put(text, ["timers"], '{"x":{"due":5,"token":1,"to":{"kind":"child"}}}') },
  { name: "a timer for an address that is none", path: ["timers"], state: (text) => put(text, ["timers"], '{"x":{"due":5,"token":1,"to":{"kind":"address","address":7}}}') },
  { name: "a history of an ordinary state", path: ["history"], state: (text) => put(text, ["history"], '{"castle.gate.open":["castle.gate.shut"]}') },
  { name: "a history from elsewhere", path: ["history"], state: (text) => put(text, ["history"], '{"castle.gate.before":["castle.hall.dark"]}') },
  { name: "done", path: ["status"], state: (text) => put(text, ["status"], '"done"') },
  { name: "active", path: ["status"], state: (text) => put(text, ["status"], '"active"') },
  { name: "nested deeper than a stack", state: (text) => text.replace('"context":{', `"context":{"deep":${"[".repeat(20_000)}${"]".repeat(20_000)},`).replace(",}", "}") },
  { name: "nothing", state: () => "" },
  { name: "null", state: () => "null" },
  { name: "a list", state: () => "[]" },
  { name: "a word", state: () => '"active"' },
];

const columns: ReadonlyArray<Mutation> = [
  ["states", "state", "CAST(state AS BLOB)"],
  ["states", "state", "X'00FF'"],
  ["states", "state", "7"],
  ...["'garbage'", "''", "X'00'", "7"].map((value) => ["actors", "hash", value] as const),
  ...["'nobody'", "''", "X'00'", "'clock'", "'activity'"].map((value) => ["actors", "machine", value] as const),
  ...["'asleep'", "''", "CASE status WHEN 'active' THEN 'done' ELSE 'active' END", "X'00'"].map((value) => ["actors", "status", value] as const),
  ...["seq - 1", "0", "-1", "1.5", "'abc'", "1e300", "seq + 500"].map((value) => ["states", "seq", value] as const),
  ...["token + 1", "-1", "1.5", "'abc'", "0"].map((value) => ["actors", "token", value] as const),
  ...["-5", "0", "due + 1", "due + 100000000000", "'soon'", "X'00'", "1e300", "1.5"].map((value) => ["wakes", "due", value] as const),
  ...["-1", "'abc'", "1.5"].map((value) => ["states", "at", value] as const),
].map(([table, column, value]) => ({ name: `${table}.${column} = ${value}`, column: { table, column, value } as Column }));

/** Ways to damage a row with this state, the same for the same seed. */
export const mutationsOf = (text: string, seed: number, room: { readonly retypes: number; readonly texts: number }): ReadonlyArray<Mutation> => {
  const random = seeded(seed);
  const all = [...fields(text, random, room.retypes), ...texts(text, random, room.texts), ...others];
  // What leaves the text as it is damages nothing.
  return [...all.filter(({ state }) => state?.(text) !== text), ...columns];
};
