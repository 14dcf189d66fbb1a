import type { StandardIssue, StandardSchema } from "../../src/engine/index.ts";

/** A Standard Schema by hand: what a library makes, without the library. */
export const standard = <Output>(validate: (value: unknown) => { readonly value: Output } | { readonly issues: ReadonlyArray<StandardIssue> }): StandardSchema<unknown, Output> => ({
  "~standard": { version: 1, vendor: "by hand", validate },
});

const issue = (message: string, ...path: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }>): StandardIssue => ({ message, ...(path.length === 0 ? {} : { path }) });

/** `{ word }`, trimmed, with an optional `times` that is 1 by default; other fields are dropped, `type` among them. */
export const word = standard((value) => {
  const { word: given, times = 1 } = value as { word?: unknown; times?: unknown };
  const issues: Array<StandardIssue> = [];
  if (typeof given !== "string") issues.push(issue("a word must be a text", { key: "word" }));
  if (typeof times !== "number") issues.push(issue("must be a number", "times", 0));
  return issues.length > 0 ? { issues } : { value: { word: (given as string).trim(), times } };
});

/** One that answers later, and badly. */
export const later: StandardSchema = { "~standard": { version: 1, vendor: "by hand", validate: async () => Promise.reject(new Error("never heard")) } };

/** As some libraries make them: a function that is a schema. */
export const callable: StandardSchema = Object.assign(
  () => undefined,
  standard((value) => ({ value })),
);
