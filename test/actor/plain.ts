/**
 * Comparable text of what one side shows. The keys of records are sorted. References to actors become `{ ref: id }` on both sides, and ids that XState
 * counts globally ("x:17") become "#0", "#1", … in the order in which this side first showed them.
 */
export class Plain {
  readonly #ids = new Map<string, string>();

  of(value: unknown): string {
    const text = JSON.stringify(value, asPlain) ?? "undefined";
    return text.includes('x:') ? text.replace(/\bx:\d+\b/g, (id) => this.#named(id)) : text;
  }

  #named(id: string): string {
    let name = this.#ids.get(id);
    if (name === undefined) this.#ids.set(id, (name = `#${this.#ids.size}`));
    return name;
  }
}

function asPlain(this: unknown, key: string, value: unknown): unknown {
  if (typeof value === "object" && value !== null && "xstate$$type" in value) return { ref: (value as { id?: unknown }).id };
  // What a holder has under `key` before its toJSON() spoke.
  const raw = (this as Record<string, unknown>)[key];
  if (raw instanceof Error) return { name: raw.name, message: raw.message };
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const keys = Object.keys(value);
  for (let i = 1; i < keys.length; i++) {
    if ((keys[i - 1] as string) > (keys[i] as string)) return Object.fromEntries(keys.sort().map((name) => [name, (value as Record<string, unknown>)[name]]));
  }
  return value;
}

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
