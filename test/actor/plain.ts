/**
 * Comparable text of what one side shows. The keys of records are sorted. References to actors become `{ ref: id }` on both sides, and ids that XState
 * counts globally ("x:17") become "#0", "#1", … in the order in which this side first showed them.
 */
export class Plain {
  readonly #ids = new Map<string, string>();

  of(value: unknown): string {
    const text = textOf(value);
    return text.includes("x:") ? text.replace(/\bx:\d+\b/g, (id) => this.#named(id)) : text;
  }

  #named(id: string): string {
    let name = this.#ids.get(id);
    if (name === undefined) this.#ids.set(id, (name = `#${this.#ids.size}`));
    return name;
  }
}

const textOf = (value: unknown): string => {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "undefined";
  if (Array.isArray(value)) return `[${value.map(textOf).join()}]`;
  if (value instanceof Error) return textOf({ name: value.name, message: value.message });
  const record = (typeof (value as { toJSON?: unknown }).toJSON === "function" ? (value as { toJSON(): unknown }).toJSON() : value) as Record<string, unknown>;
  if ("xstate$$type" in record) return `{"ref":${JSON.stringify(record.id)}}`;
  let text = "";
  for (const key of Object.keys(record).sort()) if (record[key] !== undefined) text += `${text === "" ? "" : ","}${JSON.stringify(key)}:${textOf(record[key])}`;
  return `{${text}}`;
};

/** The same value with the keys of regions in the order of the document. */
export const inOrder = (value: unknown, node: { readonly states: Readonly<Record<string, unknown>> }): unknown => {
  if (typeof value !== "object" || value === null) return value;
  const given = value as Record<string, unknown>;
  const ordered: Record<string, unknown> = {};
  for (const key of Object.keys(node.states)) if (key in given) ordered[key] = inOrder(given[key], node.states[key] as { states: Record<string, unknown> });
  return ordered;
};

/** A difference between two sides that should behave alike. */
export class Difference extends Error {
  readonly where: string;
  constructor(where: string, expected: string, found: string) {
    super(`${where}\n  expected ${excerpt(expected, found)}\n  found    ${excerpt(found, expected)}`);
    this.name = "Difference";
    this.where = where;
  }
}

const excerpt = (text: string, other: string): string => {
  let at = 0;
  while (at < text.length && text[at] === other[at]) at++;
  const from = Math.max(0, at - 80);
  return `${from > 0 ? "…" : ""}${text.slice(from, at + 240)}`;
};
