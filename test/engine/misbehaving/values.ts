/** Things that are thrown, returned and sent by code that means no good. */

export const throwing = (thrown: unknown) => (): never => {
  throw thrown;
};

const refuse = throwing(new Error("the trap snapped"));

/** Nothing can be done with it without an error. */
export const trap = (): object =>
  new Proxy(
    {},
    {
      get: refuse,
      has: refuse,
      ownKeys: refuse,
      getPrototypeOf: refuse,
      getOwnPropertyDescriptor: refuse,
      set: refuse,
      defineProperty: refuse,
      deleteProperty: refuse,
      isExtensible: refuse,
    },
  );

export const cyclic = (): object => {
  const value: { self?: unknown } = {};
  value.self = value;
  return value;
};

export const deep = (levels: number): object => {
  let value: object = {};
  for (let level = 0; level < levels; level++) value = { value };
  return value;
};

export const withGetter = (key = "secret"): object => Object.defineProperty({ fine: 1 }, key, { enumerable: true, get: throwing(new Error("the getter threw")) });

export const polluting = (): object => JSON.parse('{"__proto__":{"polluted":true}}') as object;

class Money {
  amount = 3;
}

export const overflow = (): number => 1 + overflow();

/** An error of which every part throws. */
export const badError = (): Error => {
  const error = new Error("unseen");
  for (const key of ["message", "stack", "name", "cause", "code"]) Object.defineProperty(error, key, { get: throwing(new Error(`${key} threw`)) });
  return error;
};

export const selfCaused = (): Error => {
  const error = new Error("it caused itself");
  error.cause = error;
  return error;
};

/** What may be thrown, by its name, and the words by which it is known afterwards. */
export const thrown: ReadonlyArray<readonly [string, () => unknown, RegExp]> = [
  ["null", () => null, /null/],
  ["undefined", () => undefined, /undefined/],
  ["a text", () => "plain words", /plain words/],
  ["a number", () => 7, /7/],
  ["a symbol", () => Symbol("sign"), /sign/],
  ["a function", () => () => 1, /=>/],
  ["an object without a prototype", () => Object.create(null) as object, /./],
  ["an object whose text throws", () => ({ toString: throwing(new Error("no text")), fine: 1 }), /./],
  ["a trap", trap, /./],
  ["an error of which every part throws", badError, /./],
  ["an error that caused itself", selfCaused, /it caused itself/],
  ["an error with a message of 20 MB", () => new Error("x".repeat(20_000_000)), /xxx/],
  ["an error with fields that JSON can't carry", () => Object.assign(new Error("rich"), { fn: () => 1, big: 1n, cyclic: cyclic() }), /rich/],
  ["a frozen error", () => Object.freeze(new Error("frozen")), /frozen/],
];

/** What can't be stored, by its name. */
export const unstorable: ReadonlyArray<readonly [string, () => unknown]> = [
  ["a function", () => () => 1],
  ["NaN", () => Number.NaN],
  ["an infinity", () => Number.POSITIVE_INFINITY],
  ["a BigInt", () => 1n],
  ["a symbol", () => Symbol("sign")],
  ["a date", () => new Date(0)],
  ["a map", () => new Map([[1, 2]])],
  ["an instance of a class", () => new Money()],
  ["a cycle", cyclic],
  ["nesting of 20,000 levels", () => deep(20_000)],
  ["a list with a hole", () => [1, undefined, 3]],
  ["a getter that throws", () => withGetter()],
  ["a trap", trap],
  ["a key __proto__", polluting],
  ["a toJSON that throws", () => ({ toJSON: throwing(new Error("toJSON threw")) })],
  ["20 MB of text", () => "x".repeat(20_000_000)],
];
