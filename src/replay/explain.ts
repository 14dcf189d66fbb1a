import { assign } from "xstate";
import { type Definition, encode, start, step, traceOf } from "../actor/index.ts";
import type { EngineEvent, Event } from "../domain/event.ts";
import { hashOf } from "../engine/index.ts";
import { type FieldDifference, fieldDifferences } from "./fields.ts";
import { type History, parentOf } from "./history.ts";
import { replace, within } from "./purity.ts";
import type { Stepped } from "./step-through.ts";

/**
 * Why a step, repeated, is another one.
 * `clock`, `random`: the machine asked for the time, or for chance. `guard`, `action`: a named one does something else
 * now. `initial context`, `delay`: so does this. `chart`: another chart wrote it. `damage`: entries are not as the engine
 * writes them. `missing version`: nothing that was given can step it. `unknown`: none of these could be shown.
 */
export type Cause = "clock" | "random" | "guard" | "action" | "initial context" | "delay" | "chart" | "damage" | "missing version" | "unknown";

export interface Explanation {
  readonly cause: Cause;
  /** The guard, action or delay that it is. */
  readonly name?: string;
  /** In a sentence. */
  readonly why: string;
  /** `left`: as it was stored, where that could be found out. `right`: as it is now. */
  readonly fields: ReadonlyArray<FieldDifference>;
}

/** Milliseconds around the moment of an entry within which a clock that was read is looked for. */
const clockBeforeMs = 1_000;
const clockAfterMs = 5_000;

interface Result {
  readonly json: string;
  readonly outcome: string;
  readonly threw?: string;
}

/**
 * Finds out why a step differs, by doing it again with one thing changed at a time: the clock, chance, each guard the
 * other way round, each action left out. Where the stored fingerprint comes out, that is it.
 */
export const explain = (history: History, { entry, definition, before, wrong }: Stepped, writer: string): Explanation => {
  if (definition === undefined) return { cause: "missing version", why: `nothing that was given can step what ${writer} wrote`, fields: [] };
  const damage = wrong.find(({ what }) => what === "gap" || what === "time" || what === "event" || what === "move");
  if (damage !== undefined) return { cause: "damage", why: damage.detail, fields: [] };
  const again = (): Result => redo(definition, history, entry.event as Event, entry.at, before);
  const now = again();
  const isStored = ({ json, outcome }: Result): boolean => (before === undefined || outcome === entry.outcome) && hashOf(json) === entry.stateHash;
  const isLast = entry.seq === history.entries.at(-1)?.seq;
  const stored = isLast && history.state !== undefined ? JSON.stringify(history.state) : undefined;
  return (
    impurity(again, entry.at, isStored) ??
    flippedGuard(definition, again, now, isStored) ??
    leftOutAction(definition, again, now, isStored) ??
    guessed(definition, history, { entry, before }, now, stored, writer)
  );
};

const redo = (definition: Definition, history: History, event: Event | EngineEvent, at: number, before: Stepped["before"]): Result => {
  try {
    if (before !== undefined) {
      const { state, outcome } = step(definition, before, event, at);
      return { json: encode(state), outcome };
    }
    const { input, sync } = event as { readonly input?: unknown; readonly sync?: true };
    return { json: encode(start(definition, history.livedAt, parentOf(history), input, at, { sync }).state), outcome: "handled" };
  } catch (error) {
    return { json: "", outcome: "failed", threw: error instanceof Error ? error.message : String(error) };
  }
};

const between = (left: string, right: string): ReadonlyArray<FieldDifference> => (left === "" || right === "" ? [] : fieldDifferences(JSON.parse(left), JSON.parse(right)));

const listed = (fields: ReadonlyArray<FieldDifference>): string => {
  const paths = fields.map(({ path }) => path);
  return paths.length > 3 ? `${paths.slice(0, 3).join(", ")} and ${paths.length - 3} more` : paths.join(", ");
};

/** Whether the step asks for the time or for chance, and which fields come from there. */
const impurity = (again: () => Result, at: number, isStored: (result: Result) => boolean): Explanation | undefined => {
  const one = within({ now: at, random: 0.25 }, again);
  const later = within({ now: at + 86_400_000, random: 0.25 }, again);
  const luckier = within({ now: at, random: 0.75 }, again);
  const byClock = between(one.result.json, later.result.json);
  const byChance = between(one.result.json, luckier.result.json);
  if (byClock.length > 0 || (one.asked.clock && later.result.outcome !== one.result.outcome)) {
    const found = byClock.length > 0 ? clockThatWas(again, at, isStored) : undefined;
    const fields = found === undefined ? byClock.map(({ path, right }) => ({ path, right })) : between(found.json, later.result.json).map(({ path, left }) => ({ path, left }));
    return { cause: "clock", fields, why: `the machine reads the clock, and ${listed(byClock) || "its way"} comes from there; use the moment of the event, or an activity` };
  }
  if (byChance.length > 0 || (one.asked.random && luckier.result.outcome !== one.result.outcome))
    return {
      cause: "random",
      fields: byChance.map(({ path, right }) => ({ path, right })),
      why: `the machine draws random numbers, and ${listed(byChance) || "its way"} comes from there; let the sender or an activity draw them`,
    };
  const other = again();
  const fields = between(again().json, other.json);
  return fields.length === 0 ? undefined : { cause: "random", fields, why: `two runs of the same step differ in ${listed(fields)}: the machine asks for something outside of it` };
};

/** The moment that the machine read when the entry was stored, if one near it gives the stored fingerprint. */
const clockThatWas = (again: () => Result, at: number, isStored: (result: Result) => boolean): Result | undefined => {
  for (let now = at - clockBeforeMs; now <= at + clockAfterMs; now++) {
    const { result } = within({ now, random: 0.5 }, again);
    if (isStored(result)) return result;
  }
  return undefined;
};

type Implementations = Readonly<Record<"guards" | "actions", Record<string, unknown>>>;

/** The one named guard that must have answered the other way. */
const flippedGuard = (definition: Definition, again: () => Result, now: Result, isStored: (result: Result) => boolean): Explanation | undefined => {
  const { guards } = definition.machine.implementations as unknown as Implementations;
  for (const [name, guard] of Object.entries(guards)) {
    if (typeof guard !== "function" || "check" in guard) continue;
    const undo = replace(guards, name, (...given: ReadonlyArray<unknown>) => !(guard as (...given: ReadonlyArray<unknown>) => boolean)(...given));
    const other = again();
    undo();
    if (!isStored(other)) continue;
    return { cause: "guard", name, fields: between(other.json, now.json), why: `the guard "${name}" answers the other way than when this was stored` };
  }
  return undefined;
};

/** The one named action without which the stored state comes out: it is new, or does more than it did. */
const leftOutAction = (definition: Definition, again: () => Result, now: Result, isStored: (result: Result) => boolean): Explanation | undefined => {
  for (const name of executedActions(definition, again, now)) {
    const other = without(definition, name, again);
    if (!isStored(other)) continue;
    return { cause: "action", name, fields: between(other.json, now.json), why: `the action "${name}" did nothing when this was stored` };
  }
  return undefined;
};

/** The step with a named action that does nothing. */
const without = (definition: Definition, name: string, again: () => Result): Result => {
  const { actions } = definition.machine.implementations as unknown as Implementations;
  const undo = replace(actions, name, assign({}));
  try {
    return again();
  } finally {
    undo();
  }
};

/** Named actions that change what comes out of the step. */
const executedActions = (definition: Definition, again: () => Result, now: Result): ReadonlyArray<string> => {
  const { actions } = definition.machine.implementations as unknown as Implementations;
  return Object.entries(actions).flatMap(([name, action]) => {
    if (typeof action !== "function" || !("resolve" in action)) return [];
    return without(definition, name, again).json === now.json ? [] : [name];
  });
};

/** What can be said where no single change gives the stored fingerprint. */
const guessed = (definition: Definition, history: History, { entry, before }: Pick<Stepped, "entry" | "before">, now: Result, stored: string | undefined, writer: string): Explanation => {
  const fields = stored === undefined ? [] : between(stored, now.json);
  const at = fields.length > 0 ? `: ${listed(fields)}` : "";
  if (now.threw !== undefined) return { cause: "unknown", fields, why: `the machine throws now: ${now.threw}` };
  const again = (): Result => redo(definition, history, entry.event as Event, entry.at, before);
  const suspects = executedActions(definition, again, now);
  const onlyTimers = fields.length > 0 && fields.every(({ path }) => path.startsWith("timers."));
  if (onlyTimers) return { cause: "delay", ...nameOfDelay(fields), fields, why: `a delay has another length than when this was stored${at}` };
  const writing = fields.length === 0 ? suspects : suspects.filter((name) => writes(definition, name, again, now, fields));
  if (writing.length === 1) {
    const name = writing[0] as string;
    const written = fields.length > 0 ? fields : between(without(definition, name, again).json, now.json).map(({ path, right }) => ({ path, right }));
    return { cause: "action", name, fields: written, why: `the action "${name}" does something else than when this was stored: ${listed(written)}` };
  }
  if (before === undefined) return { cause: "initial context", fields, why: `the first state is another one than when this was stored${at || ": the initial context, or what the first state does"}` };
  if (definition.hash !== writer) return { cause: "chart", fields, why: `another chart of the machine (${writer}) wrote it${at}` };
  if (writing.length > 1) return { cause: "action", fields, why: `one of the actions ${writing.map((name) => `"${name}"`).join(", ")} does something else than when this was stored${at}` };
  const guard = traceOf(step(definition, before, entry.event as Event, entry.at).microsteps).flatMap(({ transitions }) =>
    transitions.flatMap(({ guard: name }) => (name === undefined ? [] : [name])),
  )[0];
  return { cause: "unknown", fields, why: `the machine does something else than when this was stored${at}${guard === undefined ? "" : ` (on the way that the guard "${guard}" opens)`}` };
};

/** Whether leaving an action out changes one of these fields. */
const writes = (definition: Definition, name: string, again: () => Result, now: Result, fields: ReadonlyArray<FieldDifference>): boolean => {
  const touched = new Set(between(without(definition, name, again).json, now.json).map(({ path }) => path));
  return fields.some(({ path }) => touched.has(path));
};

const nameOfDelay = (fields: ReadonlyArray<FieldDifference>): { readonly name?: string } => {
  const name = /^timers\.after\.([^.]+)\./.exec(fields[0]?.path ?? "")?.[1];
  return name === undefined ? {} : { name };
};
