import { useState } from "react";

const isBranch = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null && Object.keys(value).length > 0;

const shortOf = (value: unknown): string => {
  if (Array.isArray(value)) return value.length === 0 ? "[ ]" : `[ ${value.length} ]`;
  if (typeof value === "object" && value !== null) {
    const keys = Object.keys(value);
    return keys.length === 0 ? "{ }" : `{ ${keys.slice(0, 3).join(", ")}${keys.length > 3 ? ", …" : ""} }`;
  }
  return JSON.stringify(value) ?? "undefined";
};

const kindOf = (value: unknown): string => (value === null ? "null" : Array.isArray(value) ? "list" : value === "[hidden]" ? "kept" : typeof value);

/** Paths at which two values differ. */
export const changesOf = (before: unknown, after: unknown, path = ""): ReadonlyMap<string, "added" | "removed" | "changed"> => {
  const found = new Map<string, "added" | "removed" | "changed">();
  const visit = (left: unknown, right: unknown, at: string) => {
    if (JSON.stringify(left) === JSON.stringify(right)) return;
    if (left === undefined) found.set(at, "added");
    else if (right === undefined) found.set(at, "removed");
    else if (typeof left === "object" && typeof right === "object" && left !== null && right !== null && Array.isArray(left) === Array.isArray(right)) {
      for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) visit((left as Record<string, unknown>)[key], (right as Record<string, unknown>)[key], `${at}/${key}`);
    } else found.set(at, "changed");
  };
  visit(before, after, path);
  return found;
};

/** The same, with both values, in the order of their paths. */
export const differencesOf = (before: unknown, after: unknown): ReadonlyArray<{ readonly path: string; readonly left?: unknown; readonly right?: unknown }> =>
  [...changesOf(before, after).keys()].map((path) => ({ path: path.slice(1), left: valueAt(before, path), right: valueAt(after, path) }));

const valueAt = (value: unknown, path: string): unknown =>
  path
    .split("/")
    .slice(1)
    .reduce<unknown>((inner, key) => (inner as Readonly<Record<string, unknown>> | undefined)?.[key], value);

export interface TreeProps {
  readonly value: unknown;
  readonly label: string;
  /** Values are covered: for a look over one's shoulder. */
  readonly covered?: boolean;
  /** What it was before: differences are marked, and what was there is shown. */
  readonly before?: unknown;
}

/** A value as a tree that opens and closes. */
export const Tree = ({ value, label, covered = false, before }: TreeProps) => {
  const changes = before === undefined ? new Map<string, "added" | "removed" | "changed">() : changesOf(before, value);
  return (
    <ul className="tree" aria-label={label}>
      {isBranch(value) ? (
        Object.entries(merged(value, before)).map(([key, inner]) => (
          <Branch key={key} name={key} value={inner} path={`/${key}`} depth={0} covered={covered} changes={changes} before={inside(before, key)} />
        ))
      ) : (
        <li className="leaf">
          <span className={`value ${kindOf(value)}`}>{covered ? "•••" : shortOf(value)}</span>
        </li>
      )}
    </ul>
  );
};

const inside = (value: unknown, key: string): unknown => (typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined);
/** Also what is gone is shown. */
const merged = (value: object, before: unknown): object =>
  typeof before === "object" && before !== null && Array.isArray(before) === Array.isArray(value) ? { ...Object.fromEntries(Object.keys(before).map((key) => [key, undefined])), ...value } : value;

interface BranchProps {
  readonly name: string;
  readonly value: unknown;
  readonly path: string;
  readonly depth: number;
  readonly covered: boolean;
  readonly changes: ReadonlyMap<string, "added" | "removed" | "changed">;
  readonly before: unknown;
}

const Branch = ({ name, value, path, depth, covered, changes, before }: BranchProps) => {
  const isChanged = [...changes.keys()].some((changed) => changed.startsWith(`${path}/`));
  const [isOpen, setOpen] = useState<boolean>();
  const open = isOpen ?? (isChanged || (depth < 1 && Object.keys((value as object) ?? {}).length <= 12));
  const mark = changes.get(path);
  const both = typeof value === "object" && value !== null ? merged(value, before) : value;
  if (!isBranch(both))
    return (
      <li className={`leaf ${mark ?? ""}`} data-path={path}>
        <span className="key">{name}</span>
        {mark === "changed" || mark === "removed" ? <del className={`value ${kindOf(before)}`}>{covered ? "•••" : shortOf(before)}</del> : null}
        {mark === "removed" ? null : <span className={`value ${kindOf(value)}`}>{covered ? "•••" : shortOf(value)}</span>}
      </li>
    );
  return (
    <li className={`branch ${mark ?? ""}`} data-path={path}>
      <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span className="turn" aria-hidden="true" />
        <span className="key">{name}</span>
        {open ? null : <span className="value object">{covered ? "•••" : shortOf(value)}</span>}
      </button>
      {open ? (
        <ul>
          {Object.entries(both).map(([key, inner]) => (
            <Branch key={key} name={key} value={inner} path={`${path}/${key}`} depth={depth + 1} covered={covered} changes={changes} before={inside(before, key)} />
          ))}
        </ul>
      ) : null}
    </li>
  );
};
