import { createHash } from "node:crypto";
import type { Document } from "./open-api.ts";

const style = `body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1c2024;background:#fff}
h1{font-size:1.5rem}h2{margin-top:2.5rem;font-size:1.2rem}h3{font-size:1rem;margin:1.8rem 0 .3rem}
code,pre{font:13px/1.4 ui-monospace,monospace}pre{background:#f4f5f7;padding:.7rem;overflow:auto}
table{border-collapse:collapse;margin:.4rem 0}td,th{border:1px solid #d5d9de;padding:.2rem .6rem;text-align:left;vertical-align:top}
@media(prefers-color-scheme:dark){body{color:#e6e8ea;background:#15181b}pre{background:#22262a}td,th{border-color:#3a4046}a{color:#8ab4f8}}`;

/** The page needs nothing but itself: no script, no other place. */
export const docsPolicy = `default-src 'none'; style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
const code = (text: string): string => `<code>${escaped(text)}</code>`;
const prose = (text: string): string => escaped(text).replace(/`([^`]+)`/g, "<code>$1</code>");
const rows = (head: ReadonlyArray<string>, cells: ReadonlyArray<ReadonlyArray<string>>): string =>
  cells.length === 0 ? "" : `<table><tr>${head.map((cell) => `<th>${cell}</th>`).join("")}</tr>${cells.map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join("")}</tr>`).join("")}</table>`;

/** The document for people to read, as one page of HTML. */
export const docsPage = (document: Document): string => {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })));
  const groups = [...new Set(operations.flatMap(({ operation }) => operation.tags))];
  const section = (group: string) =>
    `<h2 id="${escaped(group)}">${escaped(group)}</h2>${operations
      .filter(({ operation }) => operation.tags.includes(group))
      .map(({ path, method, operation }) => {
        const { parameters, requestBody, responses, summary = "", description = "" } = operation;
        const role = operation["x-role"];
        return [
          `<h3 id="${escaped(operation.operationId)}">${code(`${method} ${path}`)}</h3><p>${prose(summary)}. ${prose(description)} ${role === undefined ? "Needs no token." : `Needs the role ${code(role)}.`}</p>`,
          rows(
            ["Parameter", "In", "What"],
            parameters.map((parameter) => [code(parameter.name) + (parameter.required === true ? " (needed)" : ""), parameter.in, prose(parameter.description ?? parameter.schema.description ?? "")]),
          ),
          ...(requestBody === undefined ? [] : Object.entries(requestBody.content).map(([type, { schema }]) => `<p>Body, ${code(type)}:</p><pre>${escaped(JSON.stringify(schema, null, 2))}</pre>`)),
          rows(
            ["Status", "Body", "What"],
            Object.entries(responses).map(([status, response]) => [
              status,
              Object.entries(response.content ?? {})
                .map(([type, { schema }]) => `${code(type)} ${link(schema)}`)
                .join(", "),
              prose(response.description),
            ]),
          ),
        ].join("");
      })
      .join("")}`;
  const schemas = Object.entries(document.components.schemas).map(([name, schema]) => `<h3 id="schema-${escaped(name)}">${escaped(name)}</h3><pre>${escaped(JSON.stringify(schema, null, 2))}</pre>`);
  const { title, version, description = "" } = document.info;
  return [
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(title)} API</title><style>${style}</style></head><body>`,
    `<h1>${escaped(title)} ${escaped(version)}: HTTP API</h1><p>${prose(description)}</p><p>For programs: <a href="openapi.json">openapi.json</a></p>`,
    `<p>${groups.map((group) => `<a href="#${escaped(group)}">${escaped(group)}</a>`).join(" · ")} · <a href="#schemas">schemas</a></p>`,
    ...groups.map(section),
    `<h2 id="schemas">Schemas</h2>${schemas.join("")}</body></html>\n`,
  ].join("");
};

const link = (schema: unknown): string => {
  const name = /^#\/components\/schemas\/(\w+)$/.exec(String((schema as { readonly $ref?: string } | null)?.$ref ?? ""))?.[1];
  return name === undefined ? "" : `<a href="#schema-${name}">${name}</a>`;
};
