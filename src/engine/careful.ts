import * as Effect from "effect/Effect";
import { type AttemptKey, type AttemptRow, emptyTurn, type Journal, type JournalError, type JournalFenced, type Turn as StoredTurn } from "../journal/index.ts";
import type { OwedEffect } from "./effects.ts";
import { PoisonEvent } from "./errors.ts";
import { failpoint } from "./failpoint.ts";
import type { Delivery } from "./intake.ts";

/*
 * After a crash, what the engine delivers again may be what ended the process: an event whose guard calls
 * process.exit, or fills the heap. So everything that was there when the journal was opened is taken carefully:
 *
 * - Before it is taken, an attempt is stored for it; the turn that is done with it strikes the attempt.
 * - What has no attempt yet is taken many at a time, apart from everything else. If the process ends on them, each of
 *   them has one attempt, and from then on is taken alone: so only the one that ends processes goes on counting.
 * - What has reached `redeliveriesMax` attempts is given up: it becomes a dead letter without being looked at again.
 *
 * An engine whose journal was given up properly has none of this.
 */

/** What the next turn takes of what was there at the opening. */
export type Share =
  /** So many from the head of the mailbox. */
  | { readonly kind: "mail"; readonly count: number }
  | { readonly kind: "timers" }
  | { readonly kind: "actions" }
  /** Nothing is left: the attempts that nobody will ask for are forgotten. */
  | { readonly kind: "end" };

/** A deadline as it is counted. */
export interface CarefulTimer {
  readonly actor: { readonly id: number };
  readonly token: number;
}

export interface CarefulOptions {
  readonly journal: Journal;
  readonly redeliveriesMax: number;
  /** Items without an attempt that are taken together. */
  readonly togetherMax: number;
  /** The highest id in the mailbox at the opening. */
  readonly mailUntil: number;
  /** The moment of the opening: deadlines up to here were due already. */
  readonly dueUntil: number;
  readonly attempts: ReadonlyArray<AttemptRow>;
}

/** Counts openings that followed a crash and did not come to the end of what was there: the next one is careful too. */
const opening: AttemptKey = { kind: "opening", item: 0, token: 0 };

const nameOf = ({ kind, item, token }: AttemptKey): string => `${kind} ${item} ${token}`;
const ofMail = (item: number): AttemptKey => ({ kind: "mail", item, token: 0 });
const ofEffect = (item: number): AttemptKey => ({ kind: "effect", item, token: 0 });
const ofTimer = ({ actor, token }: CarefulTimer): AttemptKey => ({ kind: "timer", item: actor.id, token });

/** What stands in the journal when a process that claimed it must be taken for dead, whoever opens it next. */
export const crashMark = (attempts: ReadonlyArray<AttemptRow>): AttemptRow => ({ ...opening, count: (attempts.find(({ kind }) => kind === "opening")?.count ?? 0) + 1 });

export class Careful {
  readonly dueUntil: number;
  /** All that was there is done with. */
  isOver = false;
  readonly #options: CarefulOptions;
  /** The stored attempts. */
  readonly #counts = new Map<string, AttemptRow>();
  readonly #actions: Array<OwedEffect> = [];
  /** Actions on which the process may have ended: one at a time, each to its end. */
  readonly #suspects: Array<OwedEffect> = [];
  /** Actions that were begun here and have not ended. */
  readonly #running = new Set<number>();
  #alone: number | undefined;
  /** Events of the engine's own that the recovery sent, until a turn took them. */
  #sent = 0;
  #timersLeft = true;
  /** The turn that runs takes the last of them. */
  #timersEnd = false;
  #isOthersTurn = false;

  constructor(options: CarefulOptions) {
    this.#options = options;
    this.dueUntil = options.dueUntil;
    for (const row of options.attempts) this.#counts.set(nameOf(row), row);
  }

  /** The recovery sent an event: what comes of it is stored before it is delivered, so that it can be counted. */
  sent(): void {
    this.#sent++;
  }

  owes(action: OwedEffect): void {
    if (this.#countOf(ofEffect(action.row.id)) === 0) this.#actions.push(action);
    else this.#suspects.push(action);
  }

  /** There is something to do without anybody's calling. */
  get isWaiting(): boolean {
    return !this.isOver && (this.#timersLeft || this.#actions.length > 0 || (this.#suspects.length > 0 && this.#alone === undefined) || (this.#sent === 0 && this.#running.size === 0));
  }

  get hasTimers(): boolean {
    return this.#timersLeft;
  }

  /** Chooses for the next turn; nothing where it belongs to the others, who get every second one if they wait. */
  share(mail: ReadonlyArray<Delivery>, othersWait: boolean): Share | undefined {
    if (this.isOver) return undefined;
    this.#isOthersTurn = !this.#isOthersTurn && othersWait;
    if (this.#isOthersTurn) return undefined;
    if (this.#actions.length > 0) return { kind: "actions" };
    if (this.#isOld(mail[0])) return { kind: "mail", count: this.#headOf(mail, (delivery) => (this.#isOld(delivery) ? ofMail(delivery.mail as number) : undefined)) };
    if (this.#timersLeft) return { kind: "timers" };
    if (this.#suspects.length > 0) return this.#alone === undefined ? { kind: "actions" } : undefined;
    return this.#sent === 0 && this.#running.size === 0 ? { kind: "end" } : undefined;
  }

  /** A turn takes events that the recovery sent, so many: what comes of them waits in the stored mailbox. */
  takeSent(batch: ReadonlyArray<Delivery>): number {
    let count = 0;
    for (const delivery of batch) if (delivery.recovered === true) count++;
    this.#sent -= count;
    return count;
  }

  /** Stores an attempt for each message, or answers why the only one is given up. */
  takeMail(batch: ReadonlyArray<Delivery>): Effect.Effect<PoisonEvent | undefined, JournalFenced | JournalError> {
    const [first] = batch;
    return this.#take(
      batch.map(({ mail }) => ofMail(mail as number)),
      first?.to ?? "",
      first?.event.type ?? "",
    );
  }

  /** How many of the deadlines, which are in due order, go together. */
  headOfTimers(timers: ReadonlyArray<CarefulTimer>): number {
    return timers.length === 0 ? 0 : this.#headOf(timers, ofTimer);
  }

  takeTimers(timers: ReadonlyArray<CarefulTimer & { readonly id: string; readonly actor: { readonly address: string } }>): Effect.Effect<PoisonEvent | undefined, JournalFenced | JournalError> {
    const [first] = timers;
    return first === undefined ? Effect.succeed(undefined) : this.#take(timers.map(ofTimer), first.actor.address, `taskwright.timer (${first.id})`);
  }

  takesLastTimers(): void {
    this.#timersEnd = true;
  }

  /** Begins actions once their attempts are stored; one that is given up is handed back instead. */
  beginActions(run: (action: OwedEffect) => void, giveUp: (action: OwedEffect, error: PoisonEvent) => void): Effect.Effect<void, JournalFenced | JournalError> {
    return Effect.suspend(() => {
      const isFresh = this.#actions.length > 0;
      const batch = isFresh ? this.#actions.slice(0, this.#options.togetherMax) : this.#suspects.slice(0, 1);
      const [first] = batch;
      if (first === undefined) return Effect.void;
      return Effect.map(
        this.#take(
          batch.map(({ row }) => ofEffect(row.id)),
          first.actor.address,
          first.row.action,
        ),
        (poison) => {
          (isFresh ? this.#actions : this.#suspects).splice(0, batch.length);
          if (poison !== undefined) return giveUp(first, poison);
          if (!isFresh) this.#alone = first.row.id;
          for (const action of batch) {
            this.#running.add(action.row.id);
            run(action);
          }
        },
      );
    });
  }

  /** An action has ended, well or not. */
  ended(id: number): void {
    this.#running.delete(id);
    if (this.#alone === id) this.#alone = undefined;
  }

  /** The engine closes: what was not begun stays owed, and what will not end in time has ended no process. */
  putOff(): void {
    this.#actions.length = 0;
    this.#suspects.length = 0;
    this.#running.clear();
    this.#alone = undefined;
  }

  /** The attempts that a turn is done with. */
  doneWith(mailTaken: ReadonlyArray<number>, effectsDone: ReadonlyArray<number>, timers: ReadonlyArray<CarefulTimer>): ReadonlyArray<AttemptKey> | undefined {
    const keys = [...mailTaken.map(ofMail), ...effectsDone.map(ofEffect), ...timers.map(ofTimer)].filter((key) => this.#counts.has(nameOf(key)));
    return keys.length === 0 ? undefined : keys;
  }

  /** A turn is stored, or there was nothing to store. */
  stored({ attemptsDone = [] }: Pick<StoredTurn, "attemptsDone">): void {
    for (const key of attemptsDone) this.#counts.delete(nameOf(key));
    if (this.#timersEnd) this.#timersLeft = false;
  }

  /** A turn is lost: what it took will come again. */
  lost(sent: number): void {
    this.#timersEnd = false;
    this.#sent += sent;
  }

  /** Forgets all attempts. */
  readonly end: Effect.Effect<void, JournalFenced | JournalError> = Effect.suspend(() =>
    Effect.map(this.#options.journal.commit({ ...emptyTurn, attemptsDone: [opening, ...this.#counts.values()] }), () => {
      this.#counts.clear();
      this.isOver = true;
    }),
  );

  #isOld(delivery: Delivery | undefined): boolean {
    return delivery?.mail !== undefined && delivery.mail <= this.#options.mailUntil;
  }

  #countOf(key: AttemptKey): number {
    return this.#counts.get(nameOf(key))?.count ?? 0;
  }

  /** One that has an attempt alone; those that have none up to the next that has. */
  #headOf<A>(items: ReadonlyArray<A>, keyOf: (item: A) => AttemptKey | undefined): number {
    for (let count = 0; count < items.length; count++) {
      const key = keyOf(items[count] as A);
      if (key === undefined || count === this.#options.togetherMax) return count;
      if (this.#countOf(key) > 0) return Math.max(1, count);
    }
    return items.length;
  }

  #take(keys: ReadonlyArray<AttemptKey>, address: string, event: string): Effect.Effect<PoisonEvent | undefined, JournalFenced | JournalError> {
    const [first] = keys;
    const ended = first === undefined ? 0 : this.#countOf(first);
    if (ended >= this.#options.redeliveriesMax) return Effect.succeed(new PoisonEvent({ address, event, ended }));
    const attempts = keys.map((key) => ({ ...key, count: this.#countOf(key) + 1 }));
    return Effect.map(this.#options.journal.commit({ ...emptyTurn, attempts }), () => {
      for (const row of attempts) this.#counts.set(nameOf(row), row);
      failpoint("careful.noted");
      return undefined;
    });
  }
}
