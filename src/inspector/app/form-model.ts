/*
 * What a form knows of an event: fields made from its JSON schema, the text that stands in them, and the event that comes of
 * it, or what is wrong with which field. Without a browser.
 */

/** What of a JSON schema a form is made of. */
interface JsonSchema {
  readonly type?: string | ReadonlyArray<string>;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: ReadonlyArray<string>;
  readonly items?: JsonSchema;
  readonly enum?: ReadonlyArray<unknown>;
  readonly const?: unknown;
  readonly anyOf?: ReadonlyArray<JsonSchema>;
  readonly oneOf?: ReadonlyArray<JsonSchema>;
  readonly allOf?: ReadonlyArray<JsonSchema>;
  readonly title?: string;
  readonly description?: string;
  readonly format?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
  readonly definitions?: Readonly<Record<string, JsonSchema>>;
}

/** What can be said in a field. */
export type Shape =
  | { readonly kind: "text" | "number" | "integer"; readonly rules: JsonSchema }
  | { readonly kind: "boolean" }
  | { readonly kind: "choice"; readonly choices: ReadonlyArray<unknown> }
  | { readonly kind: "object"; readonly fields: ReadonlyArray<Field> }
  | { readonly kind: "list"; readonly item: Shape; readonly rules: JsonSchema }
  /** One of several shapes; what is fixed in each tells them apart. */
  | { readonly kind: "union"; readonly options: ReadonlyArray<{ readonly name: string; readonly shape: Shape }> }
  | { readonly kind: "fixed"; readonly value: unknown }
  /** The schema does not say what it is, or it is within itself: JSON, or text. */
  | { readonly kind: "json" };

export interface Field {
  readonly name: string;
  readonly shape: Shape;
  readonly isRequired: boolean;
  readonly hint: string | undefined;
}

/** Shapes within shapes; what lies deeper is written as JSON. */
const depthMax = 6;
const unknown: Shape = { kind: "json" };

/** The fields of an event; nothing where no schema says what they are. */
export const fieldsOf = (schema: unknown): ReadonlyArray<Field> | undefined => {
  const root = (schema ?? {}) as JsonSchema;
  const shape = shapeOf(root, root, 0);
  if (shape.kind === "object") return shape.fields.filter(({ name }) => name !== "type" && name !== "replyTo");
  // One event of several forms: the form is chosen first.
  return shape.kind === "union" && shape.options.every((option) => option.shape.kind === "object") ? [{ name: "", shape, isRequired: true, hint: undefined }] : undefined;
};

const resolved = (schema: JsonSchema, root: JsonSchema): JsonSchema => {
  let at = schema;
  for (let hops = 0; at.$ref !== undefined && hops < depthMax; hops++) {
    const path = at.$ref.replace(/^#\/?/, "").split("/");
    const found = path.reduce<unknown>((inner, key) => (inner as Readonly<Record<string, unknown>> | undefined)?.[decodeURIComponent(key).replaceAll("~1", "/").replaceAll("~0", "~")], root);
    if (found === undefined) return {};
    const { $ref: _, ...beside } = at;
    at = { ...(found as JsonSchema), ...beside };
  }
  // Rules that were added one after another stand beside each other.
  return at.allOf === undefined ? at : Object.assign({}, at, { allOf: undefined }, ...at.allOf.map((part) => resolved(part, root)));
};

const shapeOf = (given: JsonSchema, root: JsonSchema, depth: number): Shape => {
  if (depth > depthMax) return unknown;
  const schema = resolved(given, root);
  if (schema.const !== undefined) return { kind: "fixed", value: schema.const };
  if (schema.enum !== undefined) return schema.enum.length === 1 ? { kind: "fixed", value: schema.enum[0] } : { kind: "choice", choices: schema.enum };
  const options = schema.anyOf ?? schema.oneOf;
  if (options !== undefined) return unionOf(options, root, depth);
  const type = typeof schema.type === "string" ? schema.type : schema.type?.length === 1 ? schema.type[0] : undefined;
  switch (type) {
    case "string":
      return { kind: "text", rules: schema };
    case "number":
    case "integer":
      return { kind: type, rules: schema };
    case "boolean":
      return { kind: "boolean" };
    case "null":
      return { kind: "fixed", value: null };
    case "array":
      return schema.items === undefined || Array.isArray(schema.items) ? unknown : { kind: "list", item: shapeOf(schema.items, root, depth + 1), rules: schema };
    default:
  }
  if (schema.properties === undefined) {
    const many = Array.isArray(schema.type) ? (schema.type as ReadonlyArray<string>) : [];
    return many.length > 1
      ? unionOf(
          many.map((one) => ({ ...schema, type: one })),
          root,
          depth,
        )
      : unknown;
  }
  const required = schema.required ?? [];
  const fields = Object.entries(schema.properties).map(([name, inner]): Field => {
    const { description } = resolved(inner, root);
    return { name, shape: shapeOf(inner, root, depth + 1), isRequired: required.includes(name), hint: description };
  });
  return { kind: "object", fields };
};

const unionOf = (options: ReadonlyArray<JsonSchema>, root: JsonSchema, depth: number): Shape => {
  const shapes = options.map((option) => ({ title: resolved(option, root).title, shape: shapeOf(option, root, depth + 1) }));
  if (shapes.length === 1) return shapes[0]?.shape ?? unknown;
  if (shapes.length === 0 || shapes.some(({ shape }) => shape.kind === "json")) return unknown;
  if (shapes.every(({ shape }) => shape.kind === "fixed")) return { kind: "choice", choices: shapes.map(({ shape }) => (shape as { readonly value: unknown }).value) };
  return { kind: "union", options: shapes.map(({ title, shape }, index) => ({ name: tagOf(shape) ?? title ?? nameOf(shape, index), shape })) };
};

/** What tells an option apart: the values that are fixed in it. */
const tagOf = (shape: Shape): string | undefined => {
  if (shape.kind === "fixed") return String(shape.value);
  if (shape.kind !== "object") return undefined;
  const fixed = shape.fields.flatMap(({ name, shape: inner }) => (inner.kind === "fixed" && name !== "type" ? [String(inner.value)] : []));
  const types = shape.fields.flatMap(({ name, shape: inner }) => (inner.kind === "fixed" && name === "type" ? [String(inner.value)] : []));
  const tag = [...fixed, ...(fixed.length === 0 ? types : [])].join(" ");
  return tag === "" ? undefined : tag;
};

const nameOf = (shape: Shape, index: number): string => (shape.kind === "object" ? shape.fields.map(({ name }) => name).join(", ") || `form ${index + 1}` : shape.kind);

/**
 * What stands in the fields, by their place: `/items/0/price`. Of a list also how long it is, of a union which option, of an
 * optional object whether it is there: under the place of the field itself.
 */
export type Values = Readonly<Record<string, string>>;

/** What comes of the fields, and what is wrong, by place. */
export interface Made {
  readonly value: unknown;
  readonly problems: Readonly<Record<string, string>>;
}

export const make = (
  fields: ReadonlyArray<Field>,
  values: Values,
  event: string,
): { readonly event: { readonly type: string; readonly [key: string]: unknown }; readonly problems: Made["problems"] } => {
  const problems: Record<string, string> = {};
  const own = readObject(fields, values, "", problems);
  // An event of several forms is all of it.
  const { "": whole, ...rest } = own;
  return { event: { ...rest, ...((whole ?? {}) as object), type: event }, problems };
};

const readObject = (fields: ReadonlyArray<Field>, values: Values, at: string, problems: Record<string, string>): Record<string, unknown> => {
  const made: Record<string, unknown> = {};
  for (const { name, shape, isRequired } of fields) {
    const value = read(shape, isRequired, values, `${at}/${name}`, problems);
    if (value !== undefined) made[name] = value;
  }
  return made;
};

/** How many items a list has that is written here. */
export const lengthOf = (values: Values, at: string, { minItems = 0 }: JsonSchema): number => (values[at] === undefined ? minItems : Number(values[at]));

const read = (shape: Shape, isRequired: boolean, values: Values, at: string, problems: Record<string, string>): unknown => {
  const text = values[at] ?? "";
  const wrong = (problem: string): undefined => {
    problems[at] = problem;
    return undefined;
  };
  switch (shape.kind) {
    case "fixed":
      return isRequired || text !== "" ? shape.value : undefined;
    case "boolean":
      return text === "" ? (isRequired ? false : undefined) : text === "true";
    case "choice":
      if (text === "") return isRequired ? shape.choices[0] : undefined;
      return shape.choices[Number(text)];
    case "text": {
      if (text === "" && !isRequired) return undefined;
      const problem = textProblem(text, shape.rules);
      return problem === undefined ? text : wrong(problem);
    }
    case "number":
    case "integer": {
      if (text.trim() === "") return isRequired ? wrong("give a number") : undefined;
      const problem = numberProblem(Number(text), shape.kind === "integer", shape.rules);
      return problem === undefined ? Number(text) : wrong(problem);
    }
    case "object":
      // Absent until somebody writes something into it.
      if (!isRequired && !Object.entries(values).some(([place, value]) => place.startsWith(`${at}/`) && value !== "")) return undefined;
      return readObject(shape.fields, values, at, problems);
    case "list": {
      const length = lengthOf(values, at, shape.rules);
      if (length === 0 && !isRequired && values[at] === undefined) return undefined;
      const { minItems = 0, maxItems = Number.POSITIVE_INFINITY } = shape.rules;
      if (length < minItems) return wrong(`at least ${minItems} ${minItems === 1 ? "item" : "items"}`);
      if (length > maxItems) return wrong(`at most ${maxItems} ${maxItems === 1 ? "item" : "items"}`);
      return Array.from({ length }, (_, index) => read(shape.item, true, values, `${at}/${index}`, problems));
    }
    case "union": {
      if (text === "" && !isRequired) return undefined;
      const option = shape.options[text === "" ? 0 : Number(text)];
      return option === undefined ? undefined : read(option.shape, true, values, `${at}/|`, problems);
    }
    case "json":
      if (text.trim() === "") return isRequired ? wrong("give a value, as JSON or text") : undefined;
      return jsonOrText(text);
  }
};

/** Where a schema does not say what it is: JSON if it can be read as such, else text. What begins as JSON was meant so. */
const jsonOrText = (value: string): unknown => {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
};

const textProblem = (text: string, { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern, format }: JsonSchema): string | undefined => {
  if (text.length < minLength) return text === "" ? "it must not be empty" : `at least ${minLength} characters`;
  if (text.length > maxLength) return `at most ${maxLength} characters`;
  if (pattern !== undefined && !matches(text, pattern)) return `it must match ${pattern}`;
  const known = format === undefined ? undefined : formats[format];
  return known === undefined || known.test(text) ? undefined : `this is no ${format}`;
};

/** A pattern that this browser can't read is left to the engine. */
const matches = (text: string, pattern: string): boolean => {
  try {
    return new RegExp(pattern, "u").test(text);
  } catch {
    return true;
  }
};

const formats: Readonly<Record<string, RegExp>> = {
  email: /^[^\s@]+@[^\s@]+$/,
  uuid: /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i,
  date: /^\d{4}-\d{2}-\d{2}$/,
  "date-time": /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([Zz]|[+-]\d{2}:?\d{2})?$/,
  uri: /^[a-z][a-z\d+.-]*:\S+$/i,
};

const numberProblem = (value: number, isWhole: boolean, { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf }: JsonSchema): string | undefined => {
  if (!Number.isFinite(value)) return "this is no number";
  if (isWhole && !Number.isInteger(value)) return "a whole number";
  if (minimum !== undefined && value < minimum) return `at least ${minimum}`;
  if (exclusiveMinimum !== undefined && value <= exclusiveMinimum) return `more than ${exclusiveMinimum}`;
  if (maximum !== undefined && value > maximum) return `at most ${maximum}`;
  if (exclusiveMaximum !== undefined && value >= exclusiveMaximum) return `less than ${exclusiveMaximum}`;
  if (multipleOf !== undefined && Math.abs(value / multipleOf - Math.round(value / multipleOf)) > 1e-9) return `a multiple of ${multipleOf}`;
  return undefined;
};
