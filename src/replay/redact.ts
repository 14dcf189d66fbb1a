import { createHash } from "node:crypto";
import { ActorReference, encode, parseJson } from "../actor/index.ts";
import { hashOf } from "../engine/index.ts";
import { firstForm, stepThrough } from "./step-through.ts";
import type { Forms } from "./forms.ts";
import type { History } from "./history.ts";

/**
 * Where something stands that must not leave the house: `event.card.number`, `state.context.customer.*`. It begins with
 * `event` (what an actor was told: `event.input` of its start, `event.output` of a promise) or `state`; `*` stands for
 * one key or index, `**` for any number of them.
 */
export type RedactionPath = string;

export interface Redaction {
  readonly paths: ReadonlyArray<RedactionPath>;
  /** Machines with which the fingerprints of what was redacted can be made anew. Without them they are left out. */
  readonly forms?: Forms | undefined;
  /** Mixed into what stands for a redacted text, so that nobody can try texts out. Default: drawn from the histories. */
  readonly salt?: string | undefined;
}

/** Shorter texts than this are redacted where their path is, and not wherever else they may stand. */
const tellingLength = 4;

type Path = ReadonlyArray<string>;

/**
 * Histories without what stands at these paths. A text becomes another one, the same everywhere, so that what is equal
 * stays equal: also where the same text, taken from a redacted place, stands elsewhere. Numbers become 0, truth false.
 */
export const redacted = (histories: ReadonlyArray<History>, { paths, forms, salt }: Redaction): ReadonlyArray<History> => {
  const wanted = paths.map((path) => path.split("."));
  const mixed = salt ?? histories.map(({ entries }) => entries.at(-1)?.stateHash ?? "").join("");
  const secrets = new Set<string>();
  const find = (value: unknown, at: Path): void => {
    if (wanted.some((path) => fits(path, at))) collect(value, secrets);
    else if (isObject(value)) for (const [key, item] of Object.entries(value)) find(item, [...at, key]);
  };
  for (const history of histories) for (const [root, value] of partsOf(history)) find(value, [root]);
  const standIn = (text: string): string => `redacted-${createHash("sha256").update(`${mixed}\n${text}`).digest("hex").slice(0, 8)}`;
  const hide = (value: unknown, at: Path): unknown => {
    const isHere = wanted.some((path) => fits(path, at));
    if (typeof value === "string") return isHere || secrets.has(value) ? standIn(value) : value;
    if (!isObject(value)) return isHere ? neutral(value) : value;
    if (Array.isArray(value)) return value.map((item, index) => hide(item, isHere ? at : [...at, String(index)]));
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, hide(item, isHere ? at : [...at, key])]));
  };
  return histories.map((history) => restamped(mapped(history, hide), forms));
};

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null && !(value instanceof ActorReference);

const neutral = (value: unknown): unknown => (typeof value === "number" ? 0 : typeof value === "boolean" ? false : value);

const collect = (value: unknown, secrets: Set<string>): void => {
  if (typeof value === "string") {
    if (value.length >= tellingLength) secrets.add(value);
  } else if (isObject(value)) for (const item of Object.values(value)) collect(item, secrets);
};

/** Whether a place is the one that a path means. */
const fits = (path: Path, at: Path): boolean => {
  const [head, ...rest] = path;
  if (head === undefined) return at.length === 0;
  if (head === "**") return fits(rest, at) || (at.length > 0 && fits(path, at.slice(1)));
  return at.length > 0 && (head === "*" || head === at[0]) && fits(rest, at.slice(1));
};

/** Everything of a history that holds what a host wrote. */
const partsOf = ({ start, entries, state }: History): ReadonlyArray<readonly [string, unknown]> => [
  ...(start === undefined
    ? []
    : ([
        ["state", start.state],
        ["event", { input: start.input }],
      ] as const)),
  ...entries.flatMap(({ event }) => [["event", event] as const, ...(event.type === "taskwright.migrate" ? ([["state", event.state]] as const) : [])]),
  ...(state === undefined ? [] : ([["state", state]] as const)),
];

type Hide = (value: unknown, at: Path) => unknown;

const mapped = (history: History, hide: Hide): History => {
  const { start, entries, state } = history;
  return {
    ...history,
    ...(start === undefined ? {} : { start: { ...start, state: hide(start.state, ["state"]) as typeof start.state, input: hide(start.input, ["event", "input"]) } }),
    entries: entries.map((entry) => {
      const event = hide(entry.event, ["event"]) as typeof entry.event;
      return { ...entry, event: event.type === "taskwright.migrate" ? { ...event, state: hide(event.state, ["state"]) } : event, stateHash: "" };
    }),
    ...(state === undefined ? {} : { state: hide(state, ["state"]) as typeof state }),
  };
};

/** With the fingerprints and the state to which the redacted events lead; without, where its machine is not known. */
const restamped = (history: History, forms: Forms | undefined): History => {
  const plain = JSON.parse(JSON.stringify(history)) as History;
  const { state: _, ...withoutState } = plain;
  if (forms?.of(firstForm(history)) === undefined) return withoutState;
  const entries: Array<History["entries"][number]> = [];
  let last: History["state"];
  const again = { ...history, entries: plain.entries.map((entry) => ({ ...entry, event: parseJson(JSON.stringify(entry.event)) as typeof entry.event })) };
  for (const { entry, after, wrong } of stepThrough(again, { forms })) {
    // A guard that looked into what is hidden goes another way: then there is nothing to compare with.
    if (after === undefined || wrong.length > 0) return withoutState;
    const json = encode(after);
    entries.push({ ...entry, stateHash: hashOf(json) });
    last = JSON.parse(json) as History["state"];
  }
  return { ...again, entries, ...(last === undefined ? {} : { state: last }) };
};
