import * as ParseResult from "effect/ParseResult";
import * as Schema from "effect/Schema";
import * as AST from "effect/SchemaAST";

/**
 * The interface that schema libraries share (https://standardschema.dev): zod, valibot, arktype and others implement
 * it. Written out here because it is types alone.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}
export type StandardResult<Output> = { readonly value: Output; readonly issues?: undefined } | { readonly issues: ReadonlyArray<StandardIssue> };
export interface StandardIssue {
  readonly message: string;
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
}

/** A schema of Effect that needs no services, or a schema of a library that implements Standard Schema. */
export type AnySchema = Schema.Schema.AnyNoContext | StandardSchema<unknown, unknown>;

/** What a schema made of a value, or what is wrong with it: `path` is like `items[3].at`, empty for the value itself. */
export type Verdict = { readonly value: unknown } | { readonly path: string; readonly detail: string };
export type Check = (value: unknown) => Verdict;

export const isSchema = (value: unknown): value is AnySchema => Schema.isSchema(value) || isStandard(value);

const isStandard = (value: unknown): value is StandardSchema =>
  ((typeof value === "object" && value !== null) || typeof value === "function") && typeof (value as { readonly "~standard"?: { readonly validate?: unknown } })["~standard"]?.validate === "function";

/** One function for schemas of either kind. It never throws, and refuses a schema that does not answer at once. */
export const checkOf = (schema: AnySchema): Check => {
  const run = Schema.isSchema(schema) ? effectCheck(schema as Schema.Schema.AnyNoContext) : standardCheck(schema as StandardSchema);
  return (value) => {
    try {
      return run(value);
    } catch (error) {
      return { path: "", detail: `the schema threw: ${error instanceof Error ? error.message : String(error)}` };
    }
  };
};

const effectCheck = (schema: Schema.Schema.AnyNoContext): Check => {
  const decode = Schema.decodeUnknownEither(schema, { errors: "all" });
  return (value) => {
    const decoded = decode(value);
    if (decoded._tag === "Right") return { value: decoded.right };
    const issues = ParseResult.ArrayFormatter.formatIssueSync(decoded.left.issue);
    // What would have to wait is reported as "Forbidden".
    if (issues.some(({ _tag }) => _tag === "Forbidden")) return { path: "", detail: asynchronous };
    return told(issues);
  };
};

const standardCheck = ({ "~standard": standard }: StandardSchema): Check => {
  const ignore = () => {};
  return (value) => {
    const result = standard.validate(value);
    if (result instanceof Promise || typeof (result as { readonly then?: unknown }).then === "function") {
      (result as Promise<unknown>).then(ignore, ignore);
      return { path: "", detail: asynchronous };
    }
    return result.issues === undefined ? { value: result.value } : told(result.issues);
  };
};

const asynchronous = "its schema is asynchronous, and what is stored can't wait for it; give a schema that answers at once, and look things up in an activity";

/** Issues that are named in one refusal. */
const issuesMax = 5;

const told = (issues: ReadonlyArray<StandardIssue>): Verdict => {
  const [first, ...others] = issues;
  if (first === undefined) return { path: "", detail: "its schema refuses it" };
  const rest = others.slice(0, issuesMax - 1).map((issue) => `${pathOf(issue) || "the value"}: ${issue.message}`);
  if (others.length >= issuesMax) rest.push(`and ${others.length - issuesMax + 1} more`);
  return { path: pathOf(first), detail: [first.message, ...rest].join("; ") };
};

const pathOf = ({ path = [] }: StandardIssue): string =>
  path.reduce<string>((text, part) => {
    const key = typeof part === "object" ? part.key : part;
    return typeof key === "number" ? `${text}[${key}]` : text === "" ? String(key) : `${text}.${String(key)}`;
  }, "");

/**
 * Where a schema of Effect makes something that JSON can't carry (a Date, a class, a BigInt), in words; nothing if it
 * does not. What a Standard Schema makes can't be known before it is asked.
 */
export const notJson = (schema: AnySchema): string | undefined => {
  if (!Schema.isSchema(schema)) return undefined;
  const seen = new Set<AST.AST>();
  const look = (ast: AST.AST, path: string): string | undefined => {
    if (seen.has(ast)) return undefined;
    seen.add(ast);
    const at = (found: ReadonlyArray<readonly [AST.AST, string]>) => {
      for (const [part, where] of found) {
        const wrong = look(part, where);
        if (wrong !== undefined) return wrong;
      }
      return undefined;
    };
    const refuse = (what: string) => `${path === "" ? "" : `${path}: `}decodes to ${what}, which JSON can't carry`;
    switch (ast._tag) {
      case "Declaration": {
        const name = AST.getIdentifierAnnotation(ast);
        return refuse(name._tag === "Some" ? name.value : "a class");
      }
      case "BigIntKeyword":
        return refuse("a BigInt");
      case "SymbolKeyword":
      case "UniqueSymbol":
        return refuse("a symbol");
      case "Refinement":
        return look(ast.from, path);
      case "Transformation":
        return look(ast.to, path);
      case "Suspend":
        return look(ast.f(), path);
      case "Union":
        return at(ast.types.map((type) => [type, path] as const));
      case "TupleType":
        return at([...ast.elements.map(({ type }, index) => [type, `${path}[${index}]`] as const), ...ast.rest.map(({ type }) => [type, `${path}[]`] as const)]);
      case "TypeLiteral":
        return at([
          ...ast.propertySignatures.map(({ name, type }) => [type, path === "" ? String(name) : `${path}.${String(name)}`] as const),
          ...ast.indexSignatures.map(({ type }) => [type, `${path}.*`] as const),
        ]);
      default:
        return undefined;
    }
  };
  return look(schema.ast, "");
};
