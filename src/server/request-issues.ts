import { expectedNames, noSuchName } from "../domain/names.ts";
import { didYouMean } from "../domain/near.ts";
import type { InvalidRequest } from "./errors.ts";
import type { Document } from "./open-api.ts";

/** What a schema says of one place of a request. */
interface Found {
  readonly _tag?: string;
  readonly path: ReadonlyArray<PropertyKey>;
  readonly message: string;
}

/** What of JSON Schema the document uses. */
interface Shape {
  readonly $ref?: string;
  readonly type?: string;
  readonly enum?: ReadonlyArray<unknown>;
  readonly anyOf?: ReadonlyArray<Shape>;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: ReadonlyArray<string>;
  readonly items?: Shape;
  readonly examples?: ReadonlyArray<unknown>;
}

export interface RequestIssues {
  /** What is wrong, each place once. */
  readonly issuesOf: (method: string, path: string, found: ReadonlyArray<Found>) => InvalidRequest["issues"];
  /** What a path takes, of a body that is no JSON. */
  readonly ofBody: (method: string, path: string) => InvalidRequest["issues"];
}

/** Says what is wrong with a request in words that need no knowledge of the schemas: what was expected there, with an example, as the document has it. */
export const requestIssues = (document: Document): RequestIssues => {
  const resolved = (shape: Shape): Shape => (shape.$ref === undefined ? shape : resolved(document.components.schemas[shape.$ref.slice(shape.$ref.lastIndexOf("/") + 1)] as Shape));
  /** What all may stand at a path: a choice has several. */
  const shapesAt = (shape: Shape, path: ReadonlyArray<PropertyKey>): ReadonlyArray<Shape> => {
    const { anyOf, properties, items, ...rest } = resolved(shape);
    if (anyOf !== undefined) return anyOf.flatMap((one) => shapesAt(one, path));
    const [first, ...further] = path;
    if (first === undefined) return [{ ...rest, ...(properties === undefined ? {} : { properties }), ...(items === undefined ? {} : { items }) }];
    const below = typeof first === "number" ? items : properties?.[String(first)];
    return below === undefined ? [] : shapesAt(below, further);
  };
  /** Something that would be taken: what must be there. */
  const exampleOf = (shape: Shape): unknown => {
    const { examples, anyOf, enum: choices, type, properties = {}, required = [], items } = resolved(shape);
    if (examples?.[0] !== undefined) return examples[0];
    if (anyOf?.[0] !== undefined) return exampleOf(anyOf[0]);
    if (choices !== undefined) return choices[0];
    if (type === "object") return Object.fromEntries(required.map((name) => [name, exampleOf(properties[name] ?? {})]));
    if (type === "array") return items === undefined ? [] : [exampleOf(items)];
    return type === "string" ? "…" : type === "boolean" ? true : 1;
  };
  const words = (shape: Shape): string => {
    const { type } = shape;
    if (type === "object" || type === "array") return `${type === "object" ? "an object" : "a list"} like ${JSON.stringify(exampleOf(shape))}`;
    return type === undefined ? "" : (plainWords[type] ?? type);
  };
  const bodies = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, { requestBody }]) => {
      const shape = requestBody?.content["application/json"]?.schema as Shape | undefined;
      return shape === undefined ? [] : [{ pattern: new RegExp(`^${path.replace(/\{\w+\}/g, "[^/]+")}$`), isPlain: !path.includes("{"), method: method.toUpperCase(), shape }];
    }),
  );
  const bodyAt = (method: string, url: string): Shape | undefined => {
    const path = url.replace(/\?.*$/, "");
    const found = bodies.filter((body) => body.method === method && body.pattern.test(path));
    return (found.find(({ isPlain }) => isPlain) ?? found[0])?.shape;
  };
  const wordsAt = (body: Shape, at: ReadonlyArray<PropertyKey>) => [...new Set(shapesAt(body, at).map(words))].filter((text) => text !== "");
  const ofBody: RequestIssues["ofBody"] = (method, path) => {
    const body = bodyAt(method, path);
    return [{ path: "", detail: `the body is no JSON${body === undefined ? "" : `; it must be ${wordsAt(body, []).join(" or ")}`}` }];
  };
  const issuesOf: RequestIssues["issuesOf"] = (method, path, found) => {
    const body = bodyAt(method, path);
    const detailOf = (at: ReadonlyArray<PropertyKey>, messages: ReadonlyArray<string>): string => {
      const names = messages.flatMap((message) => expectedNames(message) ?? []);
      if (names.length > 0) return noSuchName(String(at.at(-1)), [...new Set(names)]);
      const choices = messages.map((message) => /^Expected (.+), actual (.*)$/s.exec(message));
      if (!choices.every((choice) => choice !== null)) return [...new Set(messages)].join("; ");
      const [{ 2: actual = "" } = { 2: "" }] = choices;
      const isValue = choices.every(({ 1: wanted = "" }) => isJson(wanted) || wanted === "undefined");
      // A bound that a value breaks is told by the schema's own message; what kind of value it must be, by the document.
      const isBound = choices.every(({ 1: wanted = "" }) => /^(a|an) /.test(wanted));
      const given = choices.flatMap(({ 1: wanted = "" }) => (wanted === "undefined" ? [] : [plainWords[wanted] ?? wanted]));
      if (isValue) return `must be one of ${given.join(", ")}, got ${gotText(actual)}${didYouMean(text(actual), given.map(text))}`;
      const documented = isBound || body === undefined ? [] : wordsAt(body, at);
      return `${at.length === 0 ? "the body " : ""}must be ${(documented.length > 0 ? documented : [...new Set(given)]).join(" or ")}, got ${gotText(actual)}`;
    };
    const places = new Map<string, { readonly at: ReadonlyArray<PropertyKey>; readonly messages: Array<string> }>();
    for (const { path: at, message } of found) {
      const place = at.map(String).join(".");
      places.set(place, { at, messages: [...(places.get(place)?.messages ?? []), message] });
    }
    // Of a choice there is an issue for each thing that it is not: where one of them is told in more detail, that is what was meant.
    const isTold = (place: string) => [...places.keys()].some((other) => other !== place && other.startsWith(place === "" ? "" : `${place}.`));
    const isMismatch = ({ messages }: { readonly messages: ReadonlyArray<string> }) => messages.every((message) => message.startsWith("Expected "));
    return [...places].filter(([place, found]) => !(isMismatch(found) && isTold(place))).map(([place, { at, messages }]) => ({ path: place, detail: detailOf(at, messages) }));
  };
  return { issuesOf, ofBody };
};

const plainWords: Readonly<Record<string, string>> = { string: "a string", number: "a number", integer: "a whole number", boolean: "true or false" };

const isJson = (text: string): boolean => /^("|\d|true|false|null)/.test(text);
/** A text without its quotes. */
const text = (json: string): string => json.replace(/^"(.*)"$/s, "$1");

const shownMax = 60;
const gotText = (actual: string): string =>
  actual.startsWith("[") ? "a list" : actual.startsWith("{") ? "an object" : actual === "undefined" ? "nothing" : actual.length > shownMax ? `${actual.slice(0, shownMax)}…` : actual;
