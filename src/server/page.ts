import { InvalidRequest } from "./errors.ts";

/** What a page goes on from, as a text that says nothing to those outside. */
export const cursorOf = (after: number): string => Buffer.from(`after ${after}`).toString("base64url");

/** What the cursor of a request means; 0 without one. Throws `InvalidRequest`. */
export const afterOf = (cursor: string | undefined): number => {
  if (cursor === undefined) return 0;
  const after = Number(/^after (\d{1,16})$/.exec(Buffer.from(cursor, "base64url").toString())?.[1]);
  if (!Number.isSafeInteger(after)) throw new InvalidRequest({ issues: [{ path: "cursor", detail: "this is no cursor of a page; give `next` as it was" }] });
  return after;
};

/** Asks for one row more than the page holds, and makes the page of them. */
export const pageOf = <Row, Item>(rows: ReadonlyArray<Row>, limit: number, idOf: (row: Row) => number, item: (row: Row) => Item): { readonly items: ReadonlyArray<Item>; readonly next?: string } => {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { items: shown.map(item), ...(rows.length > limit && last !== undefined ? { next: cursorOf(idOf(last)) } : {}) };
};
