import * as Effect from "effect/Effect";
import type { DeadLettersEvent, TakenLetterNote } from "../../machines/dead-letters.ts";
import { childId, machineOf, takenLettersAddress } from "../domain/address.ts";
import type { EngineEvent, Event } from "../domain/event.ts";
import { failureOf } from "../domain/json.ts";
import type { Limits } from "../domain/limits.ts";
import type { Journal, Turn as StoredTurn } from "../journal/index.ts";
import { ActorParked, UnknownActor } from "./errors.ts";
import type { Delivery, OwedAction, TakenLetter, Taker } from "./intake.ts";
import { awaken, Resident } from "./resident.ts";
import type { Turn, World } from "./turn.ts";

/*
 * What a turn does with a dead letter that somebody took: the row is removed by the same transaction that delivers it
 * again, so that a crash neither loses nor doubles it. If it fails again, there is a new letter.
 */

const take = (turn: Turn, delivery: Delivery, { id, isDropped, action, taker }: TakenLetter): void => {
  const letter = { id, address: delivery.to, type: action?.action ?? delivery.event.type };
  turn.takeLetter({ id, ...(taker === undefined ? {} : { note: { taker, isDropped, letter } }) });
  turn.settlements.push({ delivery, error: undefined, receipt: undefined });
};

/** An event is delivered as it was: to the same address, from the same sender. */
export const requeued = (turn: Turn, delivery: Delivery, letter: TakenLetter, { residents }: World): Delivery | undefined => {
  take(turn, delivery, letter);
  const { to, event, json, from, create, only } = delivery;
  const again: Delivery = { to, event, json, from, create, only, internal: true };
  const parent = create?.parent === undefined ? undefined : residents.get(create.parent);
  // Not to a later actor at the address; and a child that its parent does not wait for any more is not started.
  const isMeant = only === undefined || turn.parked.has(to) || residents.get(to)?.id === only;
  if (isMeant && (create?.parent === undefined || (parent?.id === create.parentId && parent.state.children[childId(to)]?.token === create.token))) return again;
  turn.undeliverable(again);
  return undefined;
};

/** A deadline that was set aside goes with its letter: nobody could ask for it any more. */
export const dropped = (turn: Turn, delivery: Delivery, letter: TakenLetter, { residents }: World): Delivery | undefined => {
  take(turn, delivery, letter);
  if (delivery.event.type !== "taskwright.timer") return undefined;
  const { id, token } = delivery.event as Extract<EngineEvent, { type: "taskwright.timer" }>;
  const actor = residents.get(delivery.to);
  // A later actor at the address may have set aside one with the same names.
  if (delivery.only !== undefined && actor?.id !== delivery.only) return undefined;
  const timer = actor?.state.timers[id];
  if (timer?.token !== token || timer.held !== true) return undefined;
  const cancel = { type: "taskwright.cancel" as const, id, token };
  return { to: delivery.to, from: "", event: cancel, json: JSON.stringify(cancel), internal: true };
};

/** A custom action is owed again to the incarnation that asked for it, wherever that is now. */
export const owedAgain = Effect.fnUntraced(function* (turn: Turn, delivery: Delivery, letter: TakenLetter, owed: OwedAction, { residents, registry }: World, journal: Journal) {
  const { to: address, event } = delivery;
  let actor = residents.get(address);
  let unreadable = turn.parked.get(address);
  if (owed.actor !== undefined && actor?.id !== owed.actor) {
    const [row] = yield* journal.actorsById([owed.actor]);
    const found = row === undefined ? undefined : awaken(registry, row, turn.at);
    actor = found instanceof Resident ? found : undefined;
    unreadable = found instanceof Resident ? undefined : found;
  }
  take(turn, delivery, letter);
  if (actor !== undefined) {
    turn.owe(actor, event, owed);
    return undefined;
  }
  const error = unreadable === undefined ? new UnknownActor({ address }) : new ActorParked({ ...unreadable });
  turn.deadLetters.push({ address, at: turn.at, envelope: JSON.stringify({ to: address, event, from: "", ...owed }), error: JSON.stringify(failureOf(error)) });
  return undefined;
});

/** What a turn takes, and behind it what the record of dead letters is told of that: who took them is stored with what came of them. */
export const withNotes = (turn: Turn, batch: ReadonlyArray<Delivery>): Iterable<Delivery> => (batch.some(({ letter }) => letter?.taker !== undefined) ? noted(turn, batch) : batch);

function* noted(turn: Turn, batch: ReadonlyArray<Delivery>): Generator<Delivery, void> {
  yield* batch;
  if (turn.lettersTaken === undefined) return;
  const entries = new Map<Taker, { readonly requeue: Array<TakenLetterNote>; readonly drop: Array<TakenLetterNote> }>();
  for (const { note } of turn.lettersTaken) {
    if (note === undefined) continue;
    const entry = entries.get(note.taker) ?? { requeue: [], drop: [] };
    entries.set(note.taker, entry);
    entry[note.isDropped ? "drop" : "requeue"].push(note.letter);
  }
  for (const [taker, entry] of entries) for (const verb of ["requeue", "drop"] as const) if (entry[verb].length > 0) yield* takenBy(taker, verb, entry[verb]);
}

/** The start of the record, for the first one, and its entry. */
export const takenBy = ({ by, why }: Taker, verb: "requeue" | "drop", letters: ReadonlyArray<TakenLetterNote>): ReadonlyArray<Delivery> => {
  const start = { type: "taskwright.start" as const };
  const event: DeadLettersEvent = { type: verb === "drop" ? "DROPPED" : "REQUEUED", letters, ...(why === undefined ? {} : { why }) };
  const to = takenLettersAddress;
  return [
    { to, from: "", event: start, json: JSON.stringify(start), internal: true, create: { machine: machineOf(to), parentId: 0, parent: undefined, token: 0, replaces: false } },
    { to, from: by, event: event as unknown as Event, json: JSON.stringify(event), internal: true },
  ];
};

/** Keeps the number of dead letters within its limit. Asks for it only when the first letter is written. */
export class LetterRoom {
  readonly #journal: Journal;
  readonly #max: number;
  readonly #reached: (limit: keyof Limits, dropped: number) => void;
  /** Those that are stored, once somebody had to know. */
  #count: number | undefined;

  constructor(journal: Journal, max: number, reached: (limit: keyof Limits, dropped: number) => void) {
    this.#journal = journal;
    this.#max = max;
    this.#reached = reached;
  }

  /** Before a turn with dead letters is stored: drops the oldest, as many as there are too many. */
  readonly make = Effect.fnUntraced(function* (this: LetterRoom, turn: Turn) {
    this.#count ??= yield* this.#journal.deadLetterCount;
    const taken = new Set(turn.lettersTaken?.map(({ id }) => id));
    let excess = this.#count - taken.size + turn.deadLetters.length - this.#max;
    if (excess <= 0) return;
    this.#reached("deadLettersMax", excess);
    for (const { id } of yield* this.#journal.deadLetters({ limit: excess + taken.size })) {
      if (excess === 0 || taken.has(id)) continue;
      turn.takeLetter({ id });
      excess--;
    }
    turn.deadLetters.splice(0, excess);
  });

  stored({ deadLetters, deadLettersTaken = [] }: StoredTurn): void {
    if (this.#count !== undefined) this.#count += deadLetters.length - deadLettersTaken.length;
  }

  /** A turn failed. */
  forget(): void {
    this.#count = undefined;
  }
}
