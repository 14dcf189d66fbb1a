/** A value that JSON carries without loss. */
export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json };

/** Says where in a value JSON would lose something, and what. `path` is like `context.items[3].at`. */
export class NotJson extends Error {
  /** How `what` begins where the value is nested too deep. */
  static readonly tooDeep = "is nested deeper than";
  readonly path: string;
  readonly what: string;
  constructor(path: string, what: string) {
    super(`${path || "the value"}: ${what}`);
    this.name = "NotJson";
    this.path = path;
    this.what = what;
  }
}

export interface NormalizeOptions {
  /** The deepest nesting that is accepted. */
  readonly depthMax: number;
  /** Stands in for values that know how to store themselves (references to actors): what is kept, or nothing. */
  readonly convert?: (value: object) => object | undefined;
  /** Build new objects and arrays all the way down, so that later writes of the caller can't be seen. */
  readonly copy?: boolean;
}

/**
 * Returns a value that a JSON round trip gives back unchanged: `value` itself where nothing needs to change (or a
 * copy, if asked), otherwise a copy in which keys with `undefined` are gone and errors are plain records.
 * Subtrees that are the same object as in `known` (an earlier result) are not walked again.
 * Throws `NotJson` for what JSON cannot carry: NaN, infinities, BigInt, functions, symbols, dates, maps, sets,
 * class instances, `__proto__` keys, and nesting beyond `depthMax` (which is also how a cycle ends).
 */
export const normalize = (value: unknown, known: unknown, options: NormalizeOptions, path = "", depth = 0): unknown => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      if (Number.isFinite(value)) return Object.is(value, -0) ? 0 : value;
      throw new NotJson(path, `${value} has no JSON form; use null or a string`);
    case "undefined":
      return undefined;
    case "object":
      break;
    default:
      throw new NotJson(path, `a ${typeof value} has no JSON form; store plain data`);
  }
  if (value === null || (value === known && options.copy !== true)) return value;
  if (depth >= options.depthMax) throw new NotJson(path, `${NotJson.tooDeep} ${options.depthMax} levels, or contains itself`);
  if (Array.isArray(value)) {
    const before = Array.isArray(known) ? known : undefined;
    let copy: Array<unknown> | undefined = options.copy ? [] : undefined;
    for (let i = 0; i < value.length; i++) {
      const item: unknown = value[i];
      if (item === undefined) throw new NotJson(`${path}[${i}]`, "undefined in a list becomes null; write null");
      const kept = isLeaf(item) ? item : normalize(item, before?.[i], options, `${path}[${i}]`, depth + 1);
      if (copy !== undefined) copy[i] = kept;
      else if (kept !== item) {
        copy = value.slice();
        copy[i] = kept;
      }
    }
    return copy ?? value;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    const converted = options.convert?.(value);
    if (converted !== undefined) return converted;
    if (value instanceof Error) return failureOf(value);
    const kind = value.constructor?.name ?? "object";
    throw new NotJson(path, `a ${kind} does not survive JSON; store ${kind === "Date" ? "its time in milliseconds" : "plain objects and lists"}`);
  }
  const record = value as Record<string, unknown>;
  const before = typeof known === "object" && known !== null ? (known as Record<string, unknown>) : undefined;
  let copy: Record<string, unknown> | undefined = options.copy ? {} : prototype === null ? { ...record } : undefined;
  for (const key of Object.keys(record)) {
    if (key === "__proto__") throw new NotJson(join(path, key), "the key __proto__ is refused");
    const item = record[key];
    // The path is text that only a refusal needs: it is built only where there is something to go into.
    const isKept = isLeaf(item) || (typeof item === "object" && item === before?.[key] && options.copy !== true);
    const kept = isKept ? item : normalize(item, before?.[key], options, join(path, key), depth + 1);
    if (kept === undefined) {
      copy ??= { ...record };
      delete copy[key];
    } else if (copy !== undefined) copy[key] = kept;
    else if (kept !== item) {
      copy = { ...record };
      copy[key] = kept;
    }
  }
  return copy ?? value;
};

const join = (path: string, key: string) => (path === "" ? key : `${path}.${key}`);

/** The same with the keys of all records in order: values that say the same have the same text as JSON then. */
export const ordered = (value: unknown): unknown => {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(ordered);
  const record = value as Readonly<Record<string, unknown>>;
  const sorted: Record<string, unknown> = {};
  for (const key of Object.keys(record).sort()) sorted[key] = ordered(record[key]);
  return sorted;
};

/** What needs no second look; a number may be NaN, infinite or -0. */
const isLeaf = (value: unknown): boolean => typeof value === "string" || value === null || typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value) && value !== 0);

/** An error as plain data: what is stored, sent and shown of something that was thrown. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  /** The stable code or tag of the error, if it has one. */
  readonly code?: string;
  /** The `_tag` of the error, if it has one. */
  readonly tag?: string;
  /** It was no failure that the effect declares, but a defect. */
  readonly defect?: true;
  readonly stack?: string;
  /** Own enumerable fields that JSON carries. */
  readonly data?: { readonly [key: string]: Json };
  readonly cause?: Failure;
}

const plain: NormalizeOptions = { depthMax: 20, copy: true };

const asJson = (value: unknown): Json | undefined => {
  try {
    return normalize(value, undefined, plain) as Json | undefined;
  } catch {
    return undefined;
  }
};

const read = (value: object, key: string): unknown => {
  try {
    return (value as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
};

const text = (value: unknown): string => {
  try {
    return String(value);
  } catch {
    return "a value that can't be shown as text";
  }
};

/** Characters that are kept of a message, of a stack, and of the fields of an error: it must fit into any state. */
const failureTextMax = 10_000;
/** Characters of a whole failure, its causes included. */
const failureSizeMax = 32 * failureTextMax;
const cut = (words: string): string => (words.length > failureTextMax ? `${words.slice(0, failureTextMax)}…` : words);

/**
 * Turns anything that was thrown (also null, strings, objects with throwing getters) into a `Failure` of bounded size.
 * What is a `Failure` already stays as it is.
 */
export const failureOf = (thrown: unknown, depth = 0): Failure => {
  if (typeof thrown !== "object" || thrown === null) return { name: "Error", message: cut(text(thrown)) };
  try {
    return failureOfObject(thrown, depth);
  } catch {
    // Even the question for its prototype may throw, if it is a proxy.
    return { name: "Error", message: "a value that can't be read" };
  }
};

const failureOfObject = (thrown: object, depth: number): Failure => {
  if (thrown instanceof RevivedError) return thrown.failure;
  if (isFailure(thrown)) return thrown;
  const name = read(thrown, "name");
  const message = read(thrown, "message");
  const own = read(thrown, "code");
  const tag = read(thrown, "_tag");
  const code = typeof own === "string" ? own : tag;
  const stack = read(thrown, "stack");
  const cause = read(thrown, "cause");
  const data: Record<string, Json> = {};
  let size = 0;
  for (const key of ownKeys(thrown)) {
    if (key === "name" || key === "message" || key === "stack" || key === "cause" || key === "_tag" || key === "code" || key === "__proto__") continue;
    const json = asJson(read(thrown, key));
    if (json === undefined) continue;
    size += JSON.stringify(json).length;
    if (size <= failureTextMax) data[key] = json;
  }
  return {
    name: typeof name === "string" && name !== "" ? name : typeof tag === "string" && tag !== "" ? tag : "Error",
    message: cut(typeof message === "string" ? message : thrown instanceof Error ? "" : (JSON.stringify(asJson(thrown)) ?? text(thrown))),
    ...(typeof code === "string" ? { code } : {}),
    ...(typeof tag === "string" ? { tag } : {}),
    ...(typeof stack === "string" ? { stack: cut(stack) } : {}),
    ...(Object.keys(data).length > 0 ? { data } : {}),
    ...(cause !== undefined && depth < 8 ? { cause: failureOf(cause, depth + 1) } : {}),
  };
};

const failureKeys: ReadonlySet<string> = new Set(["name", "message", "code", "tag", "defect", "stack", "data", "cause"]);

/** Whether this is a failure already, as it comes out of the store. */
const isFailure = (value: object): value is Failure => {
  if (Object.getPrototypeOf(value) !== Object.prototype || typeof read(value, "name") !== "string" || typeof read(value, "message") !== "string") return false;
  if (!ownKeys(value).every((key) => failureKeys.has(key))) return false;
  const json = asJson(value);
  return json !== undefined && JSON.stringify(json).length <= failureSizeMax;
};

const ownKeys = (value: object): ReadonlyArray<string> => {
  try {
    return Object.keys(value);
  } catch {
    return [];
  }
};

/** An `Error` again, for machines that look at `event.error.message` or test `instanceof Error`. */
export class RevivedError extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.message);
    if (failure.data !== undefined) Object.assign(this, failure.data);
    this.name = failure.name;
    this.failure = failure;
    if (failure.stack !== undefined) this.stack = failure.stack;
    if (failure.cause !== undefined) this.cause = new RevivedError(failure.cause);
    if (failure.code !== undefined) Object.assign(this, { code: failure.code });
    if (failure.tag !== undefined) Object.assign(this, { _tag: failure.tag });
    if (failure.defect === true) Object.assign(this, { defect: true });
  }
  toJSON(): Failure {
    return this.failure;
  }
}
