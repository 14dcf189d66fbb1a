import type { Document } from "../../src/server/index.ts";

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ").trim();
const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  rows.length === 0 ? "" : `\n| ${head.join(" | ")} |\n| ${head.map(() => "---").join(" | ")} |\n${rows.map((row) => `| ${row.map(cell).join(" | ")} |`).join("\n")}\n`;

interface Shape {
  readonly $ref?: string;
  readonly type?: string | ReadonlyArray<string>;
  readonly enum?: ReadonlyArray<unknown>;
  readonly const?: unknown;
  readonly anyOf?: ReadonlyArray<Shape>;
  readonly items?: Shape;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: ReadonlyArray<string>;
  readonly description?: string;
  readonly examples?: ReadonlyArray<unknown>;
}

/** A shape in one line. */
const words = (shape: Shape): string => {
  const name = /\/(\w+)$/.exec(shape.$ref ?? "")?.[1];
  if (name !== undefined) return `[${name}](#${name.toLowerCase()})`;
  if (shape.const !== undefined) return `\`${JSON.stringify(shape.const)}\``;
  if (shape.enum !== undefined) return shape.enum.map((value) => `\`${JSON.stringify(value)}\``).join(", ");
  if (shape.anyOf !== undefined) return shape.anyOf.map(words).join(" or ");
  if (shape.type === "array") return `list of ${words(shape.items ?? {})}`;
  const fields = Object.entries(shape.properties ?? {});
  if (fields.length > 0) return `{ ${fields.map(([field, inner]) => `\`${field}${shape.required?.includes(field) === true ? "" : "?"}\`: ${words(inner)}`).join(", ")} }`;
  return typeof shape.type === "string" ? shape.type : "anything";
};

const fieldsOf = (shape: Shape): ReadonlyArray<ReadonlyArray<string>> =>
  Object.entries(shape.properties ?? {}).map(([name, field]) => [`\`${name}\`${shape.required?.includes(name) === true ? "" : "?"}`, words(field), field.description ?? ""]);

const exampleText = ({ examples = [] }: Shape): string => examples.map((example) => `\n\`\`\`json\n${JSON.stringify(example)}\n\`\`\`\n`).join("");

/** docs/reference/http-api.md, made from the document. */
export const httpApiPage = (document: Document): string => {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })));
  const groups = [...new Set(operations.flatMap(({ operation }) => operation.tags))];
  const one = ({ path, method, operation }: (typeof operations)[number]) => {
    const { summary = "", description = "", parameters, requestBody, responses } = operation;
    const role = operation["x-role"];
    const good = Object.entries(responses).filter(([status]) => Number(status) < 400 || path === "/health/ready");
    return [
      `### ${method} ${path}\n\n${summary}. ${description === "" ? "" : `${description} `}${role === undefined ? "Needs no token." : `Role: \`${role}\`.`}\n`,
      table(
        ["Parameter", "In", "What"],
        parameters.map((parameter) => [`\`${parameter.name}\`${parameter.required === true ? "" : "?"}`, parameter.in, parameter.description ?? parameter.schema.description ?? ""]),
      ),
      ...(requestBody === undefined ? [] : Object.entries(requestBody.content).map(([, { schema }]) => `\nBody: ${words(schema as Shape)}\n`)),
      table(
        ["Status", "Type", "Body"],
        good
          .filter(([status]) => status !== "503" || path === "/health/ready")
          .flatMap(([status, { content = {} }]) => {
            const bodies = Object.entries(content).map(([type, { schema }]) => [status, `\`${type}\``, words(schema as Shape)]);
            return bodies.length > 0 ? bodies : [[status, "", ""]];
          }),
      ),
    ].join("");
  };
  const schemas = Object.entries(document.components.schemas as Readonly<Record<string, Shape>>).map(
    ([name, shape]) => `### ${name}\n\n${shape.description ?? words(shape)}\n${exampleText(shape)}${table(["Field", "What", ""], fieldsOf(shape))}`,
  );
  return [
    `# HTTP API\n\n<!-- Made from the OpenAPI document by test/docs/http-api.ts; test/docs.test.ts holds it to that. -->\n\n${document.info.description ?? ""}\n\nA running server has the same as a document at \`/openapi.json\` and as a page at \`/docs\`. Fields and parameters with a \`?\` may be absent.\nEvery operation may also be answered with a [Problem](#problem); [all of them](../guides/errors.md).\n`,
    ...groups.map(
      (group) =>
        `\n## ${group}\n\n${operations
          .filter(({ operation }) => operation.tags.includes(group))
          .map(one)
          .join("\n")}`,
    ),
    `\n## Schemas\n\n${schemas.join("\n")}`,
  ].join("");
};
