import * as Context from "effect/Context";
import type * as Duration from "effect/Duration";
import type * as Effect from "effect/Effect";
import type * as Stream from "effect/Stream";
import type { AnyStateMachine, StateValue } from "xstate";
import type { Status, StoredState } from "../actor/index.ts";
import type { Address } from "../domain/address.ts";
import type { Outcome } from "../domain/envelope.ts";
import type { Failure } from "../domain/json.ts";
import type { JournalError } from "../journal/index.ts";
import type { ActorFilter, CountRow, OwnerRow } from "../journal/index.ts";
import type { Limits } from "../domain/limits.ts";
import type {
  ActorFailed,
  EngineBusy,
  EngineClosed,
  EngineDegraded,
  SendError,
  InvalidEvent,
  InvalidOptions,
  PayloadTooLarge,
  TimedOut,
  Unanswered,
  UnknownDeadLetter,
  UnknownMachine,
  UnknownActor,
} from "./errors.ts";
import type { ActorHandle, MachineOrEntry, Start } from "./handle.ts";
import type { Receipt } from "./intake.ts";
import type { EngineState } from "./lifecycle.ts";
import type { MigrateOptions, MigrationReport, ParkedActor } from "./migration.ts";
import type { Pruned } from "./retention.ts";
import type { Transition } from "./turn.ts";

export type { Receipt } from "./intake.ts";
export type { Transition } from "./turn.ts";

/**
 * A durable actor engine over one journal. What it promises:
 * - A receipt means stored: the event, the new state and everything that follows from it survive a crash.
 * - Events of one actor are handled one at a time, in the order in which they were stored.
 * - A failed call stored nothing, with three exceptions: `ActorFailed` of a send (the attempt and a dead letter are
 *   stored), `TimedOut` and `Unanswered` of an ask (the question is stored), and `EngineClosed` where its text says so.
 * - Activities and custom actions run at least once, and only after the transition that asked for them is stored.
 */
export interface Engine {
  /** Starts an actor. The same address again answers with `duplicate: true` and changes nothing. */
  readonly start: Start<"effect">;
  /** Starts many actors, all or none, in one transaction (for each `startsTogetherMax` of them); receipts in the order of the list. */
  readonly startAll: (actors: ReadonlyArray<ActorToStart>) => Effect.Effect<ReadonlyArray<Receipt>, SendError>;
  /** Sends one event. The receipt tells what became of it, also when the state ignored it. */
  readonly send: (address: Address, event: SentEvent, options?: SendOptions) => Effect.Effect<Receipt, SendError>;
  /**
   * Hands over a report that must not be lost while the store refuses (what a worker did, what a socket said): it waits
   * in memory and is stored as soon as the store takes writes again. No receipt.
   */
  readonly report: (address: Address, event: SentEvent) => void;
  /** Sends an event that carries `replyTo`, and waits for what the machine sends there. */
  readonly ask: (address: Address, event: SentEvent, options?: AskOptions) => Effect.Effect<SentEvent, SendError | TimedOut | Unanswered>;
  /**
   * Whether the stored state would handle the event now: `send` would answer with the outcome `handled`. Nothing is
   * stored; another event may come first. False also where the machine would throw.
   */
  readonly can: (address: Address, event: SentEvent) => Effect.Effect<boolean, SendError | JournalError>;
  /** The actors of a registered machine, with its types. */
  readonly actor: <M extends AnyStateMachine>(machine: MachineOrEntry<M>) => Effect.Effect<ActorHandle<M, "effect">, UnknownMachine>;
  /** The actor as it is stored now. */
  readonly snapshot: (address: Address) => Effect.Effect<ActorView, SendError | JournalError>;
  /** Waits until the actor's snapshot satisfies the predicate; the present one counts. */
  readonly waitFor: (address: Address, predicate: (view: ActorView) => boolean, options?: WaitOptions) => Effect.Effect<ActorView, SendError | JournalError | TimedOut>;
  /** What happened to the actor, from `after` (a sequence number, exclusive). */
  readonly history: (address: Address, options?: { readonly after?: number; readonly limit?: number }) => Effect.Effect<ReadonlyArray<HistoryEntry>, UnknownActor | JournalError>;
  /** What happened to all actors, in the order in which it was stored, from `after` (the id of a change, exclusive). */
  readonly changes: (options?: { readonly after?: number; readonly limit?: number }) => Effect.Effect<ReadonlyArray<Change>, JournalError>;
  /** From where its history goes on, if retention has cut it; nothing where it is whole, or nobody is there. */
  readonly historyStart: (address: Address) => Effect.Effect<HistoryStart | undefined, JournalError>;
  /** The actor's snapshots from now on, the present one first. */
  readonly watch: (address: Address) => Stream.Stream<ActorView, SendError | JournalError>;
  readonly list: (filter?: Partial<ActorFilter>) => Effect.Effect<ReadonlyArray<ActorView>, JournalError>;
  readonly counts: Effect.Effect<ReadonlyArray<CountRow>, JournalError>;
  /** What could not be handled, oldest first; page with `after`. */
  readonly deadLetters: (filter?: LetterFilter) => Effect.Effect<ReadonlyArray<DeadLetter>, JournalError | InvalidOptions>;
  readonly deadLetter: (id: number) => Effect.Effect<DeadLetter, UnknownDeadLetter | JournalError>;
  /**
   * Delivers dead letters again, in the order of their ids, each in the transaction that removes it; one that fails
   * again is a new letter. Answers how many were taken. By ids: all of them or, if one is unknown, none.
   */
  readonly requeue: (letters: LetterChoice, options?: TakeOptions) => Effect.Effect<number, LetterError>;
  /** Removes dead letters for good. Answers how many. */
  readonly drop: (letters: LetterChoice, options?: TakeOptions) => Effect.Effect<number, LetterError>;
  /** Actors that no registered machine may go on with, and why. Looks at all of them: a page at a time, by `after`. */
  readonly parked: (options?: { readonly after?: number; readonly limit?: number }) => Effect.Effect<ReadonlyArray<ParkedActor>, JournalError>;
  /** Moves the running actors of a machine to its current version now, instead of when each is next told something. */
  readonly migrate: (machine: string, options?: MigrateOptions) => Effect.Effect<MigrationReport, SendError | JournalError | InvalidOptions>;
  /** Which build of the host wrote the actor's state last, and since when that build wrote. */
  readonly buildOf: (address: Address) => Effect.Effect<WrittenBy | undefined, JournalError>;
  /**
   * Hears every stored transition, in order, on the engine's own stack: be quick. Of what was being stored as it began to
   * listen, the last one of each actor, without its steps: who reads after this call misses nothing. Returns how to stop.
   */
  readonly observe: (listener: (transition: Transition) => void) => () => void;
  /** Hears what machines `emit`, from which actor and of which machine. */
  readonly onEmitted: (listener: (address: Address, event: SentEvent, machine: string) => void) => () => void;
  readonly status: () => EngineStatus;
  /** Resolves when nothing is queued and no effect or activity is running. Timers do not count. */
  readonly settled: Effect.Effect<void>;
  /** Stops taking work, stores what was accepted, lets activities end within `grace`, and gives the journal up. */
  readonly close: (options?: { readonly grace?: Duration.DurationInput }) => Effect.Effect<void>;
}
export const Engine = Context.GenericTag<Engine>("taskwright/Engine");

/** A build of the host that wrote in the journal. */
export interface WrittenBy {
  /** As it was named when the engine was opened; empty where it had no name. */
  readonly build: string;
  /** The number of the first claim under which it wrote. */
  readonly epoch: number;
  /** When that was, in milliseconds since 1970. */
  readonly since: number;
}
export interface SentEvent {
  readonly type: string;
  readonly [key: string]: unknown;
}
export interface ActorToStart {
  readonly machine: string;
  readonly id: string;
  readonly input?: unknown;
  /** Who asked for it, as the history will say. */
  readonly by?: string;
}
export interface StartOptions {
  /** Who asked for it, as the history will say: a name without a slash, at most 200 characters. */
  readonly by?: string;
}
export interface SendOptions extends StartOptions {
  /** An idempotency key: the same key for the same actor is handled once; the later call gets the first receipt. With an event of another type it fails with `KeyReused`. */
  readonly key?: string;
  /** With a key: not only the type, the whole event must be that of the first call, its fields in any order. Default false: what is made anew for each try may differ. */
  readonly exact?: boolean;
}
export interface AskOptions extends SendOptions {
  readonly timeout?: Duration.DurationInput;
}
export interface WaitOptions {
  readonly timeout?: Duration.DurationInput;
}

/** An actor, read from outside. */
export interface ActorView {
  /** The row id: grows with the moment of the start; `list` pages by it. */
  readonly id: number;
  readonly address: Address;
  readonly machine: string;
  readonly version: string;
  readonly hash: string;
  readonly status: Status;
  readonly value: StateValue;
  readonly context: unknown;
  readonly tags: ReadonlyArray<string>;
  readonly output: unknown;
  readonly error: Failure | undefined;
  readonly children: StoredState["children"];
  /** What it waits for, and until when (milliseconds since 1970). */
  readonly timers: StoredState["timers"];
  readonly seq: number;
  readonly at: number;
  readonly createdAt: number;
}

export interface HistoryEntry {
  readonly seq: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly event: SentEvent;
  readonly outcome: Outcome;
  /** The sending actor; for what the host sent, the name that it gave with `by`, or empty. */
  readonly from: string;
  /** Fingerprint of the state after this entry. */
  readonly stateHash: string;
}

/** A history entry of some actor. */
export interface Change extends HistoryEntry {
  /** Grows with everything that is stored; gaps mean nothing. */
  readonly id: number;
  readonly address: Address;
  readonly machine: string;
}

/** The state after the last history entry that was removed: a replay begins here. */
export interface HistoryStart {
  readonly seq: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The form of the machine that wrote it. */
  readonly version: string;
  readonly hash: string;
  readonly state: StoredState;
  /** What the actor was started with. */
  readonly input: unknown;
}

export interface DeadLetter {
  /** Grows; never given to another letter. */
  readonly id: number;
  readonly address: Address;
  /** When it was given up, in milliseconds since 1970. */
  readonly at: number;
  /** The event that could not be handled; of an action, the one whose transition asked for it. */
  readonly event: SentEvent;
  readonly from: Address;
  readonly error: Failure;
  readonly kind: "event" | "action";
  /** The custom action that failed, and the history entry that asked for it. */
  readonly action?: string;
  readonly seq?: number;
}

export interface LetterFilter {
  readonly address?: Address;
  /** The beginning of the address: `order/42/` for all below one actor. */
  readonly prefix?: string;
  /** The machine that a host started: that actor, and all below it. */
  readonly machine?: string;
  /** The type of the event. */
  readonly type?: string;
  readonly kind?: "event" | "action";
  /** Given up at this moment or later, in milliseconds since 1970. */
  readonly since?: number;
  /** Given up before this moment. */
  readonly before?: number;
  /** Ids above this one. */
  readonly after?: number;
  /** Default: 100 for a list, 1,000 for `requeue` and `drop`. */
  readonly limit?: number;
}

/** Ids, or everything that a filter finds. */
export type LetterChoice = number | ReadonlyArray<number> | LetterFilter;

/** Who takes dead letters: it stands in the history of `dead-letters/taken`, stored with the taking. Absent: nothing does. */
export interface TakeOptions {
  /** A name without a slash, at most 200 characters. */
  readonly by?: string;
  readonly why?: string;
}

/** If it is none of the first, some of the letters may be done already; asking again goes on with the rest. */
export type LetterError = UnknownDeadLetter | InvalidOptions | InvalidEvent | PayloadTooLarge | EngineBusy | EngineDegraded | EngineClosed | JournalError;

export interface EngineStatus {
  readonly state: EngineState;
  /** Why it is degraded or stopped, if it is. */
  readonly cause: Failure | undefined;
  readonly waiting: number;
  readonly activities: number;
  readonly residents: number;
  readonly turns: number;
  readonly transitions: number;
  /** How often each limit was reached since the opening, by its name. */
  readonly refused: Readonly<Partial<Record<keyof Limits, number>>>;
  /** What retention has removed since the engine was opened. */
  readonly pruned: Pruned;
  readonly owner: Pick<OwnerRow, "epoch" | "id">;
}

export type { ActorFailed, EngineClosed };
