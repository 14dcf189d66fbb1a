/**
 * A value as JSON for those outside. Stored failures hold the stack traces of the host's code: those stay inside.
 */
export const sendable = (value: unknown): string => {
  const text = JSON.stringify(value);
  return text.includes('"stack":') ? JSON.stringify(value, withoutStack) : text;
};

function withoutStack(this: unknown, key: string, value: unknown): unknown {
  if (key !== "stack" || typeof value !== "string") return value;
  const { name, message } = this as { readonly name?: unknown; readonly message?: unknown };
  return typeof name === "string" && typeof message === "string" ? undefined : value;
}
