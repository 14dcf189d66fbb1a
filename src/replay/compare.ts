import { type ActorState, type Definition, decode, encode, misfits, StateMismatch } from "../actor/index.ts";
import type { Address } from "../domain/address.ts";
import type { Json } from "../domain/json.ts";
import { type CommandDifference, commandDifferences } from "./command-differences.ts";
import { explain } from "./explain.ts";
import { type FieldDifference, fieldDifferences } from "./fields.ts";
import { type History, parentOf } from "./history.ts";
import { Recorded } from "./recorded.ts";
import { retell, type Tale, type Told } from "./retell.ts";
import { type Stepped, stepThrough } from "./step-through.ts";

/**
 * What a changed machine makes differently of a history.
 * `state gone`: the machine has no place for the state in which the actor is. `other state`: it goes another way.
 * `other data`: the same way, with another context or output. `event ignored`, `event handled`: an event that was handled is
 * not, or the reverse. `now fails`, `no longer fails`: the machine throws, or does not any more. `command added`,
 * `command removed`, `command changed`, `timer changed`: the same way, but it asks for something else.
 */
export type ChangeKind =
  | "state gone"
  | "other state"
  | "other data"
  | "event ignored"
  | "event handled"
  | "now fails"
  | "no longer fails"
  | "command added"
  | "command removed"
  | "command changed"
  | "timer changed";

/** One difference, at one entry of one history. */
export interface Change {
  readonly kind: ChangeKind;
  /** Where several actors have the same cause, this is the same. */
  readonly cause: string;
  readonly seq: number;
  /** The type of the event; empty where it is about the state itself. */
  readonly event: string;
  /** In which state the event came. */
  readonly in: Json;
  /** `left`: then, `right`: now. */
  readonly fields: ReadonlyArray<FieldDifference>;
}

/** A history, and what a changed machine makes of it. */
export interface Comparison {
  readonly address: Address;
  /** In the order of the entries. Nothing follows on one that leads another way: what comes then is its consequence. */
  readonly changes: ReadonlyArray<Change>;
  /**
   * Entries behind the first change that are a guess: nobody would have asked for them, or something else was asked for.
   * What stands before is no guess: until there both machines were told the same.
   */
  readonly counterfactual: ReadonlyArray<number>;
  /** Where it ended, and where it ends now, if that differs. */
  readonly ends?: { readonly before: Json; readonly after: Json };
  /** Why commands and deadlines could not be compared. */
  readonly unseen?: string;
}

/** What steps the history as it was: the machine that wrote it, or nothing where that is not at hand. */
export interface ComparedWith {
  readonly changed: Definition;
  readonly writer: Definition | undefined;
}

/** Tells one history to a changed machine and compares with what happened. */
export const compareHistory = (history: History, { changed, writer }: ComparedWith): Comparison => {
  const { address } = history;
  try {
    const gone = stateGone(history, changed);
    const steps = [...stepThrough(history, { forms: { of: () => writer }, only: writer })];
    const isSame = writer !== undefined && steps.every(({ after, wrong }) => after !== undefined && wrong.length === 0);
    const found = isSame ? lockstep(history, changed, steps) : { address, changes: firstChange(history, changed), counterfactual: [], unseen: writer === undefined ? noMachine : otherFunctions };
    return gone === undefined ? found : { ...found, changes: [gone, ...found.changes] };
  } catch (error) {
    if (!(error instanceof StateMismatch)) throw error;
    const { start, entries } = history;
    const change: Change = {
      kind: "state gone",
      cause: `the state from which its history goes on is gone: ${error.message}`,
      seq: start?.seq ?? entries[0]?.seq ?? 0,
      event: "",
      in: (start?.state.value ?? "") as Json,
      fields: [],
    };
    return { address, changes: [change], counterfactual: [] };
  }
};

const noMachine = "the machine that wrote it is not at hand";
const otherFunctions = "its functions are not those that wrote it";

/** A running actor whose present state the changed machine could not go on with. */
const stateGone = (history: History, now: Definition): Change | undefined => {
  const { state, livedAt, entries } = history;
  if (state === undefined || state.status !== "active") return undefined;
  const change = (cause: string): Change => ({ kind: "state gone", cause, seq: entries.at(-1)?.seq ?? 0, event: "", in: state.value as Json, fields: [] });
  try {
    const found = misfits(now, decode(now, livedAt, parentOf(history), JSON.stringify(state)));
    return found.length === 0 ? undefined : change(`in ${JSON.stringify(state.value)}: ${found.join("; ")}`);
  } catch (error) {
    if (!(error instanceof StateMismatch)) throw error;
    return change(`in ${JSON.stringify(state.value)}: ${error.message}`);
  }
};

/** What can be told without the machine that wrote it: the first entry that comes out differently, and why. */
const firstChange = (history: History, now: Definition): ReadonlyArray<Change> => {
  for (const stepped of stepThrough(history, { forms: { of: () => now }, only: now })) {
    const { entry, before, after, wrong } = stepped;
    const first = wrong.find(({ what }) => what === "outcome" || what === "threw" || what === "state");
    if (first === undefined) continue;
    const { why, fields } = explain(history, stepped, history.hash);
    const within = standing(before);
    const kind: ChangeKind =
      first.what === "threw"
        ? "now fails"
        : first.what === "outcome"
          ? entry.outcome === "handled"
            ? "event ignored"
            : "event handled"
          : fields.some(({ path }) => path === "value")
            ? "other state"
            : "other data";
    const named = kind === "event ignored" || kind === "event handled" ? "" : `: ${why}`;
    return [{ kind, cause: `${entry.event.type} in ${textOf(within)}${named}`, seq: entry.seq, event: entry.event.type, in: within, fields: after === undefined ? [] : fields }];
  }
  return [];
};

const standing = (state: ActorState | undefined): Json => (state === undefined ? "(start)" : (state.snapshot.value as Json));
const textOf = (value: Json): string => (typeof value === "string" ? value : JSON.stringify(value));

/** Both machines, entry by entry, each with the answers that it asks for. */
const lockstep = (history: History, now: Definition, steps: ReadonlyArray<Stepped>): Comparison => {
  const tale = retell(now, history, new Recorded(steps));
  const changes: Array<Change> = [];
  let next = 0;
  let isApart = false;
  for (const step of steps) {
    if (isApart) break;
    if (step.entry.event.type === "taskwright.migrate") continue;
    const told = tale.told[next];
    if (told?.seq === step.entry.seq) {
      next++;
      const found = differencesOf(step, told);
      changes.push(...found);
      isApart = found.some(({ kind }) => leadsApart.has(kind));
      continue;
    }
    // It has its own order from here on: a deadline or an answer comes at another moment, or not at all.
    isApart = true;
    changes.push(outOfStep(step, told, changes));
  }
  const ends = endsOf(history, steps, tale);
  if (!isApart && next < tale.told.length) changes.push(outOfStep(undefined, tale.told[next], changes));
  const marked = tale.told.flatMap(({ seq, mark }) => (seq !== undefined && mark !== undefined ? [seq] : []));
  return { address: history.address, changes, counterfactual: [...new Set([...marked, ...tale.unasked])].sort((left, right) => left - right), ...(ends === undefined ? {} : { ends }) };
};

const leadsApart: ReadonlySet<ChangeKind> = new Set(["other state", "event ignored", "event handled", "now fails", "no longer fails"]);

const differencesOf = ({ entry, before, after, commands }: Stepped, told: Told): ReadonlyArray<Change> => {
  const { seq, event, outcome } = entry;
  const within = standing(before);
  const at = `${event.type} in ${textOf(within)}`;
  const change = (kind: ChangeKind, cause: string, fields: ReadonlyArray<FieldDifference> = []): Change => ({ kind, cause, seq, event: event.type, in: within, fields });
  if (told.outcome !== outcome) {
    const fields = differing(after, told.after);
    if (told.outcome === "failed") return [change("now fails", `${at}: ${told.threw}`)];
    if (outcome === "failed") return [change("no longer fails", at, fields)];
    const isTaken = told.outcome === "handled";
    return [change(isTaken ? "event handled" : "event ignored", isTaken ? at : `${at} (${told.outcome})`, fields)];
  }
  const found: Array<Change> = [];
  const fields = sameCore(after, told.after) ? [] : differing(after, told.after);
  const value = fields.find(({ path }) => path === "value" || path.startsWith("value.") || path === "status");
  if (value !== undefined) {
    return [change("other state", `${at} leads to ${textOf(standing(told.after))} instead of ${textOf(standing(after))}`, fields)];
  }
  if (fields.length > 0) {
    // What was another one before this entry has been told.
    const known = new Set(differing(before, told.before).map(({ path }) => path));
    const fresh = fields.filter(({ path }) => !known.has(path));
    if (fresh.length > 0) found.push(change("other data", `${at} writes another ${fresh.map(({ path }) => path).join(", ")}`, fresh));
  }
  for (const difference of commandDifferences(commands, told.commands)) found.push(change(kindOf(difference), `${at}: ${inWords(difference)}`, fieldsOf(difference)));
  return found;
};

const kindOf = ({ of, what }: CommandDifference): ChangeKind => (of === "timer" ? "timer changed" : `command ${what}`);
const inWords = ({ of, what, name, before, after }: CommandDifference): string =>
  of === "timer" && what === "changed" ? `${name} is due ${Math.abs(Number(after) - Number(before))} ms ${Number(after) > Number(before) ? "later" : "earlier"}` : `${name} ${what}`;
const fieldsOf = ({ name, before, after }: CommandDifference): ReadonlyArray<FieldDifference> => [
  { path: name, ...(before === undefined ? {} : { left: before }), ...(after === undefined ? {} : { right: after }) },
];

const outOfStep = (step: Stepped | undefined, told: Told | undefined, changes: ReadonlyArray<Change>): Change => {
  const within = standing(step?.before ?? told?.before);
  const seq = step?.entry.seq ?? told?.seq ?? 0;
  const because = changes.at(-1);
  const of = (event: { readonly type: string } & object) => ("id" in event ? `${event.type} ${String(event.id)}` : "child" in event ? `${event.type} ${String(event.child)}` : event.type);
  const [was, is] = [step === undefined ? "nothing" : of(step.entry.event), told === undefined ? "nothing" : of(told.event)];
  return {
    kind: "other state",
    cause: because === undefined ? `in ${textOf(within)} comes ${is} instead of ${was}` : `${because.cause}; then comes ${is} instead of ${was}`,
    seq,
    event: step?.entry.event.type ?? told?.event.type ?? "",
    in: within,
    fields: [],
  };
};

/** What of two states must be the same: all but the counters of generations, and what is set for later, which commands tell. */
const coreOf = (state: ActorState | undefined): object => {
  const { status, value, context, history, output, error, kept } = (state === undefined ? {} : JSON.parse(encode(state))) as Readonly<Record<string, unknown>>;
  return { status, value, context, history, output, error, kept: (kept as ReadonlyArray<{ readonly event: unknown }> | undefined)?.map(({ event }) => event) };
};

const differing = (left: ActorState | undefined, right: ActorState | undefined): ReadonlyArray<FieldDifference> => (left === right ? [] : fieldDifferences(coreOf(left), coreOf(right)));

const sameJson = (left: unknown, right: unknown): boolean => left === right || JSON.stringify(left) === JSON.stringify(right);

/** Whether two states are surely the same in what counts. What is doubtful is looked at field by field. */
const sameCore = (left: ActorState | undefined, right: ActorState | undefined): boolean => {
  if (left === undefined || right === undefined || left.kept.length + right.kept.length > 0) return false;
  const one = left.snapshot as unknown as Loose;
  const other = right.snapshot as unknown as Loose;
  if (Object.keys(one.historyValue).length + Object.keys(other.historyValue).length > 0) return false;
  return one.status === other.status && sameJson(one.value, other.value) && sameJson(one.context, other.context) && sameJson(one.output, other.output) && sameJson(one.error, other.error);
};

interface Loose {
  readonly status: string;
  readonly value: unknown;
  readonly context: unknown;
  readonly output: unknown;
  readonly error: unknown;
  readonly historyValue: object;
}

const endsOf = ({ state }: History, steps: ReadonlyArray<Stepped>, tale: Tale): Comparison["ends"] => {
  const before = (state?.value ?? standing(steps.at(-1)?.after)) as Json;
  const after = standing(tale.state);
  return textOf(before) === textOf(after) ? undefined : { before, after };
};
