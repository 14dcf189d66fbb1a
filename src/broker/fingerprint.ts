import { createHash } from "node:crypto";

/** Values whose keys stand in another order are the same content. */
const ordered = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0))
      .map(([key, inner]) => [key, ordered(inner)]),
  );
};

/** What a reply says, as a short text: equal for equal content. */
export const fingerprintOf = (content: unknown): string =>
  createHash("sha256")
    .update(JSON.stringify(ordered(content)) ?? "undefined")
    .digest("base64url");
