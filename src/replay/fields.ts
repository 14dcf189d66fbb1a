/** One field in which two states differ. An absent side is left out. */
export interface FieldDifference {
  /** As in `context.items[2].price`, `timers.after.1000.order.waiting.due`, `value`. */
  readonly path: string;
  readonly left?: unknown;
  readonly right?: unknown;
}

/** Differences that are listed; one more says that there are more. */
const fieldsMax = 50;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null;

/** In which fields two values that JSON carries differ, deepest first, in the order of the left one. */
export const fieldDifferences = (left: unknown, right: unknown): ReadonlyArray<FieldDifference> => {
  const found: Array<FieldDifference> = [];
  const visit = (one: unknown, other: unknown, path: string): void => {
    if (found.length >= fieldsMax || Object.is(one, other)) return;
    if (isObject(one) && isObject(other) && Array.isArray(one) === Array.isArray(other)) {
      const isList = Array.isArray(one);
      for (const key of new Set([...Object.keys(one), ...Object.keys(other)])) {
        const inside = isList ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`;
        visit(Object.hasOwn(one, key) ? one[key] : undefined, Object.hasOwn(other, key) ? other[key] : undefined, inside);
      }
      return;
    }
    found.push({ path, ...(one === undefined ? {} : { left: one }), ...(other === undefined ? {} : { right: other }) });
  };
  visit(left, right, "");
  return found;
};
