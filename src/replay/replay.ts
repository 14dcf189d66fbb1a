import * as Effect from "effect/Effect";
import { type Command, encode, type Microstep, StateMismatch, type StoredState, traceOf } from "../actor/index.ts";
import type { Address } from "../domain/address.ts";
import type { HistoryEntry } from "../engine/index.ts";
import { EntryMissing, MachineMissing } from "./errors.ts";
import { type Cause, explain } from "./explain.ts";
import { type FieldDifference, fieldDifferences } from "./fields.ts";
import { formsOf, type Machines } from "./forms.ts";
import type { ActorRow, Journal, JournalError } from "../journal/index.ts";
import { eachHistory, type History, type HistoryFilter } from "./history.ts";
import { firstForm, lastMove, type Stepped, type Stepper, stepThrough, type Wrong } from "./step-through.ts";

/** Where a replay is another one than what is stored. */
export interface Difference {
  /** The entry. */
  readonly seq: number;
  /** The type of its event. */
  readonly event: string;
  /** `end`: every entry fits, but they don't lead to the stored state. `form`: its machine was not given. */
  readonly what: Wrong["what"] | "end" | "form";
  readonly detail: string;
  /** Why that is likely. */
  readonly cause: Cause;
  /** The guard, action or delay that it is, where that could be found out. */
  readonly name?: string;
  /** The cause in a sentence. */
  readonly why: string;
  /** `left`: as it was stored, where that could be found out. `right`: as it is now. */
  readonly fields: ReadonlyArray<FieldDifference>;
}

/** What came of a replay. */
export interface Replay {
  readonly address: Address;
  readonly machine: string;
  /** Entries that were stepped again, and are as they were stored. */
  readonly verified: number;
  /** The last entry that was looked at; 0: there was none. */
  readonly seq: number;
  /** The state after it. */
  readonly state: StoredState | undefined;
  /** The first one. */
  readonly difference: Difference | undefined;
}

export interface ReplayOptions {
  /** Up to this entry. Default: to the end. */
  readonly to?: number;
}

/** One entry of a history, with the state around it. Plain data, made to be shown. */
export interface ReplayStep {
  readonly entry: HistoryEntry;
  /** The form of the machine that stepped it; absent where it is not known. */
  readonly form?: { readonly version: string; readonly hash: string };
  readonly before?: StoredState;
  readonly after?: StoredState;
  readonly commands: ReadonlyArray<Command>;
  /** Which transitions were taken. */
  readonly microsteps: ReadonlyArray<Microstep>;
  /** In what it is not as it was stored. */
  readonly wrong: ReadonlyArray<Wrong>;
}

const storedOf = (state: Stepped["after"]): StoredState | undefined => (state === undefined ? undefined : (JSON.parse(encode(state)) as StoredState));

/** Steps a history again and compares the state after each entry with the stored fingerprint. Stops at the first difference. */
export const replay = (history: History, machines: Machines, options: ReplayOptions = {}): Replay => replayed(history, { forms: formsOf(machines) }, options);

/** Replays the histories of a journal, one after the other, in order of their row ids, and hands each to `use`. Answers how many. */
export const replayEach = (journal: Journal, machines: Machines, filter: HistoryFilter, use: (replay: Replay, row: ActorRow, history: History) => void): Effect.Effect<number, JournalError> =>
  Effect.suspend(() => {
    const forms = formsOf(machines);
    return eachHistory(journal, filter, (history, row) => use(replay(history, forms), row, history));
  });

/** A history replayed on one machine, whatever form wrote the history: everything since the last move between forms must come out the same. */
export const replayOn = (history: History, machines: Machines, options: ReplayOptions = {}): Replay => {
  const forms = formsOf(machines);
  const only = forms.given.find(({ id }) => id === history.machine) ?? forms.latest(history.machine);
  if (only === undefined) throw new MachineMissing({ address: history.address, machine: history.machine, version: history.version, known: forms.known });
  return replayed(history, { forms, only }, options);
};

const replayed = (history: History, stepper: Stepper, { to = Number.POSITIVE_INFINITY }: ReplayOptions): Replay => {
  const { address, machine, entries } = history;
  let verified = 0;
  let last: Stepped | undefined;
  const answer = (difference: Difference | undefined): Replay => ({ address, machine, verified, seq: last?.entry.seq ?? history.start?.seq ?? 0, state: storedOf(last?.after), difference });
  try {
    for (const stepped of stepThrough(history, stepper)) {
      if (stepped.entry.seq > to) return answer(undefined);
      last = stepped;
      const [wrong] = stepped.wrong;
      if (wrong !== undefined || stepped.definition === undefined || stepped.after === undefined) return answer(differenceOf(history, stepped, wrong));
      verified++;
    }
  } catch (error) {
    if (!(error instanceof StateMismatch)) throw error;
    const why = `the state at which the history was cut is none of machine "${machine}": ${error.message}`;
    return answer({ seq: history.start?.seq ?? 0, event: "", what: "form", detail: error.message, cause: "chart", why, fields: [] });
  }
  if (entries.length === 0 && history.start === undefined) {
    return answer({ seq: 0, event: "", what: "gap", detail: "it has no history", cause: "damage", why: "it has no history", fields: [] });
  }
  if (last?.after === undefined || history.state === undefined || to < last.entry.seq) return answer(undefined);
  const stored = JSON.stringify(history.state);
  const found = encode(last.after);
  if (stored === found) return answer(undefined);
  const why = "the stored state is not the one to which its history leads: the row was changed by something else than the engine";
  return answer({ seq: last.entry.seq, event: last.entry.event.type, what: "end", detail: why, cause: "damage", why, fields: fieldDifferences(JSON.parse(stored), JSON.parse(found)) });
};

const differenceOf = (history: History, stepped: Stepped, wrong: Wrong | undefined): Difference => {
  const { seq, event } = stepped.entry;
  const writer = writerOf(history, seq);
  const { what, detail } = wrong ?? { what: "form" as const, detail: `machine "${history.machine}" in the form ${writer} was not given; give the program that wrote it with --machines` };
  return { seq, event: event.type, what, detail, ...explain(history, stepped, writer) };
};

/** The form that wrote an entry. */
const writerOf = (history: History, seq: number): string => {
  const upTo = { ...history, entries: history.entries.filter((entry) => entry.seq <= seq) };
  return lastMove(upTo)?.event.to.hash ?? firstForm(history);
};

/** The entries one after the other, each with the state before and after it, what it asked for, and how it got there. */
export function* replaySteps(history: History, machines: Machines): Generator<ReplayStep, void> {
  let before: StoredState | undefined = history.start?.state;
  for (const { entry, definition, after, commands, microsteps, wrong } of stepThrough(history, { forms: formsOf(machines) })) {
    const next = storedOf(after);
    yield {
      entry,
      ...(definition === undefined ? {} : { form: { version: definition.version, hash: definition.hash } }),
      ...(before === undefined ? {} : { before }),
      ...(next === undefined ? {} : { after: next }),
      commands,
      microsteps: traceOf(microsteps),
      wrong,
    };
    before = next;
  }
}

/**
 * The state after an entry; 0, or the entry at which the history was cut, gives the state at its beginning, if there is one.
 * Throws `EntryMissing`, and `MachineMissing` where nothing that was given can step it.
 */
export const stateAt = (history: History, seq: number, machines: Machines): StoredState => {
  const first = history.start?.seq ?? 1;
  const last = history.entries.at(-1)?.seq ?? first;
  if (!Number.isSafeInteger(seq) || seq < first || seq > last) throw new EntryMissing({ address: history.address, seq, first, last });
  if (seq === history.start?.seq) return history.start.state;
  const forms = formsOf(machines);
  for (const { entry, after } of stepThrough(history, { forms })) {
    if (entry.seq < seq) continue;
    const state = storedOf(after);
    if (entry.seq === seq && state !== undefined) return state;
    if (entry.seq > seq) throw new EntryMissing({ address: history.address, seq, first, last });
    break;
  }
  throw new MachineMissing({ address: history.address, machine: history.machine, version: history.version, known: forms.known });
};
