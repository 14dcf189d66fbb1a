import * as Context from "effect/Context";
import type * as Effect from "effect/Effect";
import type { Address } from "../domain/address.ts";
import type { Outcome } from "../domain/envelope.ts";
import type { JournalError, JournalFenced, JournalOwned } from "./errors.ts";

/**
 * The store of one engine: who is where (actors), how it came there (history), when to wake it (wakes), and what is
 * still owed (mail, effects). One interface; SQLite and memory behind it, one conformance suite over both.
 *
 * What an implementation promises:
 * - `commit` is all or nothing, and durable when it succeeds (fsync before the answer).
 * - A `commit` or read by an owner whose epoch is over fails with `JournalFenced`, and writes nothing.
 * - A failed `commit` has an *unknown* outcome (the disk may have taken it). After it the caller calls `reopen` and
 *   compares `Counters.history` with what it meant to write; it never assumes.
 *   Two failures are certain, because nothing was begun: `JournalFenced`, and a `JournalError` with reason `replaced`.
 * - History is append-only, but for `prune`; `(actor, seq)` is unique; ids are given by the caller and only grow, also
 *   when the rows with the highest ones were pruned.
 * - Readers (`reader: true`) work while an owner writes, and never claim, migrate or write.
 */
export interface Journal {
  /** Opens (again): verifies that the store is ours and its schema known, migrates, and claims it. */
  readonly open: (owner: OwnerInfo) => Effect.Effect<Opened, JournalOwned | JournalError>;
  /** After a failed commit: a fresh connection under the same claim. Fails with `JournalFenced` if it was taken. */
  readonly reopen: Effect.Effect<Counters, JournalFenced | JournalError>;
  /** Extends the lease to `now + leaseMs`. */
  readonly renew: (now: number) => Effect.Effect<void, JournalFenced | JournalError>;
  /** Gives the claim up, so that the next engine need not wait for the lease. */
  readonly release: Effect.Effect<void, JournalError>;

  /** One turn, in one transaction. */
  readonly commit: (turn: Turn) => Effect.Effect<void, JournalFenced | JournalError>;

  /** The actors at these addresses; unknown ones are absent. */
  readonly actors: (addresses: ReadonlyArray<Address>) => Effect.Effect<ReadonlyArray<ActorRow>, JournalError>;
  readonly actorsById: (ids: ReadonlyArray<number>) => Effect.Effect<ReadonlyArray<ActorRow>, JournalError>;
  /** What became of earlier envelopes with these idempotency keys. */
  readonly keys: (wanted: ReadonlyArray<KeyWanted>) => Effect.Effect<ReadonlyArray<KeyRow>, JournalError>;
  /** Who stands behind these system ids; unknown ones are absent. */
  readonly names: (wanted: ReadonlyArray<NameWanted>) => Effect.Effect<ReadonlyArray<NameRow>, JournalError>;
  /** Actors to wake at or before `until`, earliest first, at most `limit`. */
  readonly due: (until: number, limit: number) => Effect.Effect<ReadonlyArray<WakeRow>, JournalError>;
  /** When the earliest actor wants to be woken after `after` (exclusive; 0: at all). */
  readonly nextWakeAfter: (after: number) => Effect.Effect<number | undefined, JournalError>;
  /** Messages between actors that no turn has taken yet, oldest first, with an id above `after`. */
  readonly mail: (after: number, limit: number) => Effect.Effect<ReadonlyArray<MailRow>, JournalError>;
  /** Custom actions that were not carried out yet, oldest first, with an id above `after`. */
  readonly effects: (after: number, limit: number) => Effect.Effect<ReadonlyArray<EffectRow>, JournalError>;

  /** Actors by filter, in order of their row id, or against it; page with `after`. */
  readonly list: (filter: ActorFilter) => Effect.Effect<ReadonlyArray<ActorRow>, JournalError>;
  /** How many actors there are per machine and status. */
  readonly counts: Effect.Effect<ReadonlyArray<CountRow>, JournalError>;
  /** The history of one actor in order, from `after` (a seq, exclusive), at most `limit`. */
  readonly history: (address: Address, after: number, limit: number) => Effect.Effect<ReadonlyArray<HistoryRow & { readonly id: number }>, JournalError>;
  /** The history of all actors in the order in which it was stored, from `after` (an id, exclusive), at most `limit`. */
  readonly changes: (after: number, limit: number) => Effect.Effect<ReadonlyArray<ChangeRow>, JournalError>;
  /** Dead letters by filter, oldest first; page with `after`. */
  readonly deadLetters: (filter: DeadLetterFilter) => Effect.Effect<ReadonlyArray<StoredDeadLetter>, JournalError>;
  readonly deadLetterCount: Effect.Effect<number, JournalError>;
  /** What was redelivered after a process ended on it, and was not done with since. */
  readonly attempts: Effect.Effect<ReadonlyArray<AttemptRow>, JournalError>;
  /** Entries of an outbox in order of their numbers. */
  readonly entries: (filter: EntryFilter) => Effect.Effect<ReadonlyArray<EntryRow>, JournalError>;
  /** The first pending entry of each lane of an outbox. Costs a few steps per lane, however much waits behind it. */
  readonly laneHeads: (outbox: Address) => Effect.Effect<ReadonlyArray<LaneHead>, JournalError>;
  /** The first pending entries of some lanes, `each` of every one at most, in order of their numbers. */
  readonly laneEntries: (filter: LaneFilter) => Effect.Effect<ReadonlyArray<EntryRow>, JournalError>;
  readonly entryCounts: (outbox: Address) => Effect.Effect<EntryCounts, JournalError>;
  /** What hosts put beside their own rows for outboxes to take, oldest first, with an id above `after`. */
  readonly posted: (after: number, limit: number) => Effect.Effect<ReadonlyArray<PostedRow>, JournalError>;
  /** Charts of all machines that ever wrote here, by hash. */
  readonly machines: Effect.Effect<ReadonlyArray<MachineRow>, JournalError>;
  /** Which build wrote the actor's state last; nothing where nobody is at this address. */
  readonly buildOf: (address: Address) => Effect.Effect<BuildRow | undefined, JournalError>;
  /** Who owns the journal, if anybody. */
  readonly owner: Effect.Effect<OwnerRow | undefined, JournalError>;
  /** Actors in order of their row id, with what decides on how long they are kept: at most `limit`, from `after` (exclusive). */
  readonly ages: (after: number, limit: number) => Effect.Effect<ReadonlyArray<AgeRow>, JournalError>;
  /** All that stand below these actors, at most `limit`; `root` is the one among `ids` that they are below. */
  readonly descendants: (ids: ReadonlyArray<number>, limit: number) => Effect.Effect<ReadonlyArray<AgeRow & { readonly root: number }>, JournalError>;
  /** Which of these addresses have an idempotency key that was stored at or after `since`, or a dead letter. */
  readonly held: (addresses: ReadonlyArray<Address>, since: number) => Effect.Effect<ReadonlyArray<Address>, JournalError>;
  /** From where the history of an actor goes on, if it was cut. */
  readonly checkpoint: (address: Address) => Effect.Effect<CheckpointRow | undefined, JournalError>;
  /** Removes what is not kept any more, in one transaction. Returns how many history rows went. */
  readonly prune: (pruning: Pruning) => Effect.Effect<number, JournalFenced | JournalError>;
  /** Removes idempotency keys that were stored before `before`, at most `limit`; returns how many. */
  readonly pruneKeys: (before: number, limit: number) => Effect.Effect<number, JournalFenced | JournalError>;
}
export const Journal = Context.GenericTag<Journal>("taskwright/Journal");

export interface OwnerInfo {
  /** Unique per opened engine. */
  readonly id: string;
  readonly pid: number;
  readonly host: string;
  /** Names the program that writes; empty where it has no name. */
  readonly build?: string;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly leaseMs: number;
  /** Tells whether a process of this host lives; lets a dead owner's lease end at once. */
  readonly isAlive: (pid: number) => boolean;
}

export interface OwnerRow {
  readonly id: string;
  readonly epoch: number;
  readonly pid: number;
  readonly host: string;
  readonly since: number;
  /** The lease ends here, in milliseconds since 1970. 0: released. */
  readonly until: number;
}

export interface Opened {
  readonly epoch: number;
  readonly counters: Counters;
  /** The latest moment that any stored row carries: the engine's clock never reads below it. */
  readonly latestAt: number;
  /** The last owner gave the journal up by itself, or there was none: no process ended in the middle of its work. */
  readonly released: boolean;
}

/** The highest ids in use; 0 where there is none. */
export interface Counters {
  readonly actor: number;
  readonly history: number;
  readonly mail: number;
  readonly effect: number;
}

/** Everything that one turn writes. Lists may be empty; each actor stands in `created` or `moved` at most once. */
export interface Turn {
  readonly created: ReadonlyArray<CreatedActor>;
  readonly moved: ReadonlyArray<MovedActor>;
  readonly history: ReadonlyArray<HistoryRow & { readonly id: number }>;
  readonly keys: ReadonlyArray<KeyRow>;
  /** Set or, with `due` undefined, remove the wake of an actor. */
  readonly wakes: ReadonlyArray<{ readonly actor: number; readonly due: number | undefined }>;
  readonly mail: ReadonlyArray<MailRow>;
  readonly mailTaken: ReadonlyArray<number>;
  readonly effects: ReadonlyArray<EffectRow>;
  readonly effectsDone: ReadonlyArray<number>;
  readonly deadLetters: ReadonlyArray<DeadLetterRow>;
  /** What happens to the entries of outboxes, in order. */
  readonly entries: ReadonlyArray<EntryWrite>;
  /** Later ones of the same tree and id take the place of earlier ones. */
  readonly names: ReadonlyArray<NameRow>;
  /** Ids of dead letters that are delivered again by this turn, or dropped. They go before those that are added. */
  readonly deadLettersTaken?: ReadonlyArray<number> | undefined;
  /** Set, before what they are about is taken. */
  readonly attempts?: ReadonlyArray<AttemptRow> | undefined;
  readonly attemptsDone?: ReadonlyArray<AttemptKey> | undefined;
  readonly machines: ReadonlyArray<MachineRow>;
}

/** A turn that stores nothing. */
export const emptyTurn: Turn = {
  created: [],
  moved: [],
  history: [],
  keys: [],
  wakes: [],
  mail: [],
  mailTaken: [],
  effects: [],
  effectsDone: [],
  deadLetters: [],
  entries: [],
  names: [],
  machines: [],
};

export interface CreatedActor {
  readonly id: number;
  readonly address: Address;
  /** The actor whose child this is; 0 for one that a host started. */
  readonly parent: number;
  readonly createdAt: number;
  readonly machine: string;
  readonly hash: string;
  readonly status: string;
  readonly seq: number;
  readonly at: number;
  /** The encoded state. */
  readonly state: string;
  /** The generation under which the parent knows this child; 0 for one that a host started. */
  readonly token: number;
  /**
   * An earlier incarnation may stand at this address: before the insert it is moved to `address~id` (with its own row
   * id, because tokens begin anew with each incarnation of the parent), where its history stays readable. In a turn,
   * `replaces` goes before all inserts.
   */
  readonly replaces: boolean;
}

export interface MovedActor {
  readonly id: number;
  readonly seq: number;
  readonly at: number;
  readonly state: string;
  /** Present only when one of them changed: they are indexed, so an unchanged one is not written. */
  readonly changed?: { readonly status: string; readonly hash: string; readonly token: number };
}

export interface ActorRow extends Omit<CreatedActor, "replaces"> {
  /** When the actor wants to be woken, as it is stored. */
  readonly wake: number | undefined;
}

export interface HistoryRow {
  readonly actor: number;
  /** Counts from 1 without gaps, per actor. */
  readonly seq: number;
  readonly at: number;
  readonly type: string;
  /** The event as JSON. */
  readonly event: string;
  readonly outcome: Outcome;
  /** Who sent it: an address, a name that the host gave, or empty for the host. */
  readonly from: string;
  /** Fingerprint of the state after this row. */
  readonly stateHash: string;
}
/** A history row with the actor that it is about. */
export interface ChangeRow extends HistoryRow {
  readonly id: number;
  readonly address: Address;
  readonly machine: string;
}

export interface KeyWanted {
  readonly address: Address;
  readonly key: string;
}
export interface KeyRow extends KeyWanted {
  readonly seq: number;
  readonly at: number;
  readonly outcome: Outcome;
  /** What was sent with the key: a fingerprint or nothing, a space, and the type of the event. Empty where a layout before 9 stored it. */
  readonly request: string;
}
export interface NameWanted {
  /** The address of the actor at the top of the tree within which the id is unique. */
  readonly tree: Address;
  readonly systemId: string;
}
export interface NameRow extends NameWanted {
  readonly address: Address;
}
export interface WakeRow {
  readonly actor: number;
  readonly address: Address;
  readonly due: number;
}
export interface MailRow {
  readonly id: number;
  /** The envelope as JSON. */
  readonly envelope: string;
}
export interface EffectRow {
  readonly id: number;
  readonly actor: number;
  /** The history row that asked for it. */
  readonly seq: number;
  readonly action: string;
  /** The parameters as JSON, or empty. */
  readonly params: string;
}
export interface DeadLetterRow {
  readonly address: Address;
  readonly at: number;
  /** The envelope as JSON. */
  readonly envelope: string;
  /** The failure as JSON. */
  readonly error: string;
}
/** Ids only grow: the id of a letter that is gone is never given to another one. */
export interface StoredDeadLetter extends DeadLetterRow {
  readonly id: number;
}
export interface DeadLetterFilter {
  readonly ids?: ReadonlyArray<number> | undefined;
  readonly address?: Address | undefined;
  /** The beginning of the address. */
  readonly prefix?: string | undefined;
  /** The type of the event. */
  readonly type?: string | undefined;
  /** A custom action that failed, or an event that could not be handled. */
  readonly kind?: "event" | "action" | undefined;
  /** Buried at this moment or later, in milliseconds since 1970. */
  readonly since?: number | undefined;
  /** Buried before this moment. */
  readonly before?: number | undefined;
  readonly after?: number | undefined;
  readonly limit: number;
}
/** What the engine delivers again after a crash: a row of the mailbox, an owed action, a deadline of an actor; and the opening itself. */
export interface AttemptKey {
  readonly kind: "mail" | "effect" | "timer" | "opening";
  /** The row id of the message or the action; of a deadline the id of its actor; 0 for the opening after a crash. */
  readonly item: number;
  /** The generation of the deadline; otherwise 0. */
  readonly token: number;
}
export interface AttemptRow extends AttemptKey {
  readonly count: number;
}
export interface EntryRow {
  /** The address of the outbox. */
  readonly outbox: Address;
  /** Counted per outbox; entries go out in this order. */
  readonly seq: number;
  /** Unique within the outbox. */
  readonly key: string;
  readonly lane: string;
  /** Entries with the same value that are not under way yet give way to a later one; empty: none does. */
  readonly replaces: string;
  readonly type: string;
  /** As JSON. */
  readonly payload: string;
  readonly occurredAt: number;
  readonly due: number;
  readonly attempts: number;
  readonly status: "pending" | "poisoned" | "unknown";
  readonly error: string;
}

export type EntryWrite =
  /**
   * A new entry. Pending ones with the same `replaces` and a number above `takenTo` are removed. If there is one with
   * this key, it keeps its place and gets the new payload.
   */
  | { readonly write: "store"; readonly entry: EntryRow; readonly takenTo: number }
  | { readonly write: "change"; readonly outbox: Address; readonly seq: number; readonly status: EntryRow["status"]; readonly attempts: number; readonly due: number; readonly error: string }
  | { readonly write: "remove"; readonly outbox: Address; readonly seq: number }
  /** All pending entries of the outbox that wait for later are due at `at`. */
  | { readonly write: "clear"; readonly outbox: Address; readonly at: number }
  /** All entries of one outbox go to another, behind `seqOffset`. */
  | { readonly write: "move"; readonly outbox: Address; readonly to: Address; readonly seqOffset: number }
  /** A posted row was taken. */
  | { readonly write: "collect"; readonly posted: number };

/** Entries that a host stored in a transaction of its own. */
export interface PostedRow {
  readonly id: number;
  /** The address of the outbox. */
  readonly outbox: Address;
  /** A JSON list of entries. */
  readonly entries: string;
}

export interface EntryFilter {
  readonly outbox: Address;
  readonly status?: EntryRow["status"] | undefined;
  /** Numbers above this one. */
  readonly after?: number | undefined;
  /** Numbers up to this one. */
  readonly upTo?: number | undefined;
  readonly limit: number;
}

export interface LaneHead {
  readonly lane: string;
  readonly seq: number;
  readonly due: number;
}

export interface LaneFilter {
  readonly outbox: Address;
  readonly lanes: ReadonlyArray<string>;
  /** Numbers up to this one. */
  readonly upTo: number;
  readonly each: number;
}

export interface EntryCounts {
  readonly pending: number;
  readonly poisoned: number;
  readonly unknown: number;
}

export interface MachineRow {
  readonly hash: string;
  readonly id: string;
  readonly version: string;
  readonly chart: string;
  readonly at: number;
}
/** The history from one row to the next one's beginning was written by one build. */
export interface BuildRow {
  readonly build: string;
  /** The claim under which it wrote first. */
  readonly epoch: number;
  readonly at: number;
  /** The last history id before it. */
  readonly history: number;
}
/** How old an actor and its history are. */
export interface AgeRow extends Pick<ActorRow, "id" | "address" | "parent" | "machine" | "status" | "seq" | "at"> {
  /** The oldest history row that is there, also one that was cut off but not removed yet. */
  readonly first: number;
  readonly firstAt: number;
  /** Up to here its history was cut; 0: it is whole. */
  readonly cut: number;
  /** A checkpoint up to which it may be cut, and when that was made; 0: none. */
  readonly pending: number;
  readonly pendingAt: number;
}

/** The state of an actor after a history row, kept so that the rows before it may go. */
export interface CheckpointRow extends Pick<ActorRow, "hash" | "state"> {
  readonly seq: number;
  /** The moment of that row. */
  readonly at: number;
  /** The event with which the actor was started, as JSON. */
  readonly start: string;
}

/** What one transaction of retention does. */
export interface Pruning {
  /** When: milliseconds since 1970. */
  readonly at: number;
  /** Actors that go with all that is theirs: history, wake, keys, checkpoints. */
  readonly actors: ReadonlyArray<number>;
  /** Actors whose present state becomes a checkpoint. */
  readonly checkpoints: ReadonlyArray<number>;
  /** Histories that begin at a checkpoint from now on. */
  readonly cuts: ReadonlyArray<{ readonly actor: number; readonly seq: number }>;
  /** History rows that were cut off are removed: at most `limit`, the oldest first. The last row of an actor stays. */
  readonly entries: ReadonlyArray<{ readonly actor: number; readonly upTo: number; readonly limit: number }>;
}

export interface ActorFilter {
  readonly machine?: string | undefined;
  readonly status?: string | undefined;
  readonly parent?: number | undefined;
  /** Row ids beyond this one, in the order that is asked for. */
  readonly after?: number | undefined;
  /** Latest first. */
  readonly descending?: boolean | undefined;
  readonly limit: number;
}
export interface CountRow {
  readonly machine: string;
  readonly status: string;
  readonly count: number;
}
