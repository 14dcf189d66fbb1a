import { didYouMean } from "./near.ts";

/** All names of `T`, each once: the compiler says which one is missing, and which one there is not. */
export type AllNames<T> = { readonly [Name in keyof Required<T>]: true };

/** Says in words which names of an object nobody knows: an option that is misspelled must not pass for one that was left out. */
export const checkNames = (given: unknown, known: object): ReadonlyArray<string> => {
  if (typeof given !== "object" || given === null || Array.isArray(given)) return [`it must be an object, got ${said(given)}`];
  const names = Object.keys(known);
  return Object.keys(given)
    .filter((name) => !Object.hasOwn(known, name))
    .map((name) => `there is no ${name}${didYouMean(name, names) || ` (there are: ${names.join(", ")})`}`);
};

/** Something that was given in the wrong place, short enough for a message. */
export const said = (value: unknown): string => {
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  return value === undefined ? "nothing" : `${typeof value === "number" || typeof value === "bigint" ? "the number " : ""}${String(value)}`;
};
