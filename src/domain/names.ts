import { didYouMean } from "./near.ts";

/** All names of `T`, each once: the compiler says which one is missing, and which one there is not. */
export type AllNames<T> = { readonly [Name in keyof Required<T>]: true };

/** Says in words which names of an object nobody knows: an option that is misspelled must not pass for one that was left out. */
export const checkNames = (given: unknown, known: object): ReadonlyArray<string> => {
  if (typeof given !== "object" || given === null || Array.isArray(given)) return [`it must be an object, got ${said(given)}`];
  const names = Object.keys(known);
  return Object.keys(given)
    .filter((name) => !Object.hasOwn(known, name))
    .map((name) => noSuchName(name, names));
};

/** Says in words that there is no such name, and which one was probably meant. */
export const noSuchName = (name: string, names: ReadonlyArray<string>): string => `there is no ${name}${didYouMean(name, names) || ` (there are: ${names.join(", ")})`}`;

/** The names that a schema knows, of its message about one that it does not; nothing of any other message. */
export const expectedNames = (message: string): ReadonlyArray<string> | undefined => {
  const [, names] = /^is unexpected, expected: (.*)$/s.exec(message) ?? [];
  return names?.split(" | ").map((name) => name.replace(/^"(.*)"$/s, "$1"));
};

/** What a schema found wrong (the issues of its `ArrayFormatter`), a sentence for each, with the path before it. */
export const schemaProblems = (issues: ReadonlyArray<{ readonly path: ReadonlyArray<PropertyKey>; readonly message: string }>): ReadonlyArray<string> =>
  issues.map(({ path, message }) => {
    const names = expectedNames(message);
    const place = (names === undefined ? path : path.slice(0, -1)).map(String).join(".");
    return `${place === "" ? "" : `${place}: `}${names === undefined ? message : noSuchName(String(path.at(-1)), names)}`;
  });

/** Something that was given in the wrong place, short enough for a message. */
export const said = (value: unknown): string => {
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  return value === undefined ? "nothing" : `${typeof value === "number" || typeof value === "bigint" ? "the number " : ""}${String(value)}`;
};
