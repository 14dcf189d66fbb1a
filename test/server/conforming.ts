import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { expect } from "vitest";
import { openApi } from "../../src/server/open-api.ts";

export const document = openApi();
const ajv = new Ajv2020.default({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema({ $id: "taskwright", ...(JSON.parse(JSON.stringify(document)) as object) });

const paths = Object.entries(document.paths).map(([path, operations]) => ({ path, operations, pattern: new RegExp(`^${path.replace(/\{\w+\}/g, "[^/]+")}$`) }));
const pathOf = (pathname: string) => paths.find(({ path }) => path === pathname) ?? paths.find(({ pattern, path }) => path.includes("{") && pattern.test(pathname));

/** Which operations were answered, by status: what a run has shown of the document. */
export const seen = new Set<string>();

/** Says what about an answer is not as the document says; nothing where it conforms. */
export const deviation = (method: string, pathname: string, status: number, contentType: string | null, text: string): string | undefined => {
  const found = pathOf(pathname);
  const operation = found?.operations[method.toLowerCase()];
  const where = `${method} ${pathname} ${status}`;
  // What has no place in the document is answered with a problem.
  const response = operation?.responses[String(status)];
  if (operation !== undefined && response === undefined) return `${where}: the document has no such status`;
  if (operation !== undefined) seen.add(`${operation.operationId} ${status}`);
  if (response !== undefined && response.content === undefined) return text === "" ? undefined : `${where}: has a body`;
  const type = (contentType ?? "").replace(/;\s*charset=.*$/, "");
  const declared: Readonly<Record<string, unknown>> = response?.content ?? { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } };
  if (declared[type] === undefined) return `${where}: is ${type}, not ${Object.keys(declared).join(" or ")}`;
  if (!/\bjson$/.test(type)) return undefined;
  const pointer = operation === undefined ? "/components/schemas/Problem" : `/paths/${escaped(found?.path ?? "")}/${method.toLowerCase()}/responses/${status}/content/${escaped(type)}/schema`;
  const validate = ajv.getSchema(`taskwright#${pointer}`);
  if (validate === undefined) return `${where}: the document has no schema at ${pointer}`;
  return validate(JSON.parse(text)) ? undefined : `${where}: ${ajv.errorsText(validate.errors)} in ${text.slice(0, 500)}`;
};

const escaped = (part: string): string => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"));

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: what came is looked at by each test.
  readonly body: any;
}

/** A request whose answer must be as the document says. */
export const makeAsk =
  (base: string, defaults: Readonly<Record<string, string>> = {}) =>
  async (method: string, path: string, { body, headers = {} }: { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> } = {}): Promise<Answered> => {
    const response = await fetch(`${base}${path}`, {
      method,
      headers: { ...defaults, ...(method === "GET" ? {} : { "content-type": "application/json" }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const type = response.headers.get("content-type");
    expect(deviation(method, new URL(`http://x${path}`).pathname, response.status, type, text)).toBeUndefined();
    return { status: response.status, headers: response.headers, text, body: type !== null && /\bjson\b/.test(type) ? JSON.parse(text) : undefined };
  };
