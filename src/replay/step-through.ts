import { type ActorState, type Command, type Definition, decode, encode, start, step, type Step, StateMismatch } from "../actor/index.ts";
import type { Outcome } from "../domain/envelope.ts";
import type { EngineEvent, Event } from "../domain/event.ts";
import { type HistoryEntry, hashOf } from "../engine/index.ts";
import type { Forms } from "./forms.ts";
import { type History, parentOf, unreadable } from "./history.ts";

/** In what an entry, stepped again, is not as it was stored. */
export interface Wrong {
  /**
   * `gap`, `time`: the entries are not whole. `event`: it can't be read. `move`: a move that should have kept the state
   * did not. `threw`: the step throws now. `outcome`, `state`: the step ends differently.
   */
  readonly what: "gap" | "time" | "event" | "move" | "threw" | "outcome" | "state";
  readonly detail: string;
}

/** One entry, stepped again. */
export interface Stepped {
  readonly entry: HistoryEntry;
  /** What stepped it; nothing where its form is not known. */
  readonly definition: Definition | undefined;
  /** Nothing before the first entry, and where its form is not known. */
  readonly before: ActorState | undefined;
  readonly after: ActorState | undefined;
  readonly commands: ReadonlyArray<Command>;
  readonly microsteps: Step["microsteps"];
  readonly wrong: ReadonlyArray<Wrong>;
}

export type MigrateEvent = Extract<EngineEvent, { type: "taskwright.migrate" }>;

/** The last entry by which the actor moved to another form; nothing if it never did. */
export const lastMove = ({ entries }: History): { readonly entry: HistoryEntry; readonly event: MigrateEvent } | undefined => {
  const entry = entries.findLast(({ event }) => event.type === "taskwright.migrate");
  return entry === undefined ? undefined : { entry, event: entry.event as unknown as MigrateEvent };
};

/** The form of the machine that wrote the first entries. */
export const firstForm = ({ start, entries, hash }: History): string => {
  if (start !== undefined) return start.hash;
  const move = entries.find(({ event }) => event.type === "taskwright.migrate");
  return move === undefined ? hash : (move.event as unknown as MigrateEvent).from.hash;
};

/** Chooses what steps a history: the form that wrote each entry, or one machine for all of it. */
export interface Stepper {
  readonly forms: Pick<Forms, "of">;
  /** Steps everything since the last move, whatever form wrote it. */
  readonly only?: Definition | undefined;
}

/**
 * Steps a history again, entry by entry, from its start or from where it was cut, by the same pure step as the engine.
 * Compares each with what is stored, and goes on. What was written by a form that is not known is passed over, up to the
 * entry that moves the actor to one that is. Ends where a step throws.
 */
export function* stepThrough(history: History, { forms, only }: Stepper): Generator<Stepped, void> {
  const { livedAt, start: cut } = history;
  const above = parentOf(history);
  const move = only === undefined ? undefined : lastMove(history);
  let definition = only ?? forms.of(firstForm(history));
  let state: ActorState | undefined = cut === undefined || definition === undefined || move !== undefined ? undefined : decode(definition, livedAt, above, JSON.stringify(cut.state));
  let expected = cut?.seq ?? 0;
  let at = cut?.at ?? 0;
  for (const entry of history.entries) {
    const { seq, event, outcome, stateHash } = entry;
    const told = event as Event | EngineEvent;
    const wrong: Array<Wrong> = [];
    const before = state;
    if (seq !== ++expected) {
      wrong.push({ what: "gap", detail: `entry ${expected} is missing` });
      expected = seq;
    }
    if (entry.at < at) wrong.push({ what: "time", detail: `its moment ${entry.at} is before that of the entry before it, ${at}` });
    at = entry.at;
    const stepped = (result: Partial<Pick<Stepped, "after" | "commands" | "microsteps">>): Stepped => ({ entry, definition, before, after: undefined, commands: [], microsteps: [], wrong, ...result });
    if (move !== undefined && seq < move.entry.seq) continue;
    let commands: ReadonlyArray<Command> = [];
    let microsteps: Step["microsteps"] = [];
    try {
      if (told.type === "taskwright.migrate") {
        const { to, by, state: moved } = told as MigrateEvent;
        const json = JSON.stringify(moved);
        if (by === "structure" && state !== undefined && encode(state) !== json) wrong.push({ what: "move", detail: "its state is another one after a move that should have kept it" });
        definition = only ?? forms.of(to.hash);
        state = definition === undefined ? undefined : decode(definition, livedAt, above, json);
      } else if (told.type === unreadable) {
        wrong.push({ what: "event", detail: `the stored event (${String(event.was)}) can't be read` });
        yield stepped({ after: state });
        return;
      } else if (definition !== undefined) {
        if (state === undefined) {
          const { input, sync } = told as { readonly input?: unknown; readonly sync?: true };
          ({ state, commands, microsteps } = start(definition, livedAt, above, input, entry.at, { sync }));
        } else if (outcome !== "failed") {
          const next = step(definition, state, told, entry.at);
          if (next.outcome !== outcome) wrong.push({ what: "outcome", detail: `"${told.type}" was ${outcome}, stepped again it is ${next.outcome satisfies Outcome}` });
          ({ state, commands, microsteps } = next);
        }
      }
    } catch (error) {
      const because = error instanceof Error ? error.message : String(error);
      wrong.push({ what: "threw", detail: error instanceof StateMismatch ? because : `"${told.type}" can't be stepped again: ${because}` });
      yield stepped({});
      return;
    }
    // A file that was redacted without its machines has no fingerprints.
    if (state !== undefined && stateHash !== "" && hashOf(encode(state)) !== stateHash) wrong.push({ what: "state", detail: `after "${told.type}" the state hash differs` });
    yield stepped({ after: state, commands, microsteps });
  }
}
