import type { Dispatcher } from "../dispatch/index.ts";
import type { ActorParked, ActorView, HistoryEntry, HistoryStart, LetterChoice, LetterFilter, DeadLetter, ParkedActor, Receipt, SentEvent, Transition } from "../engine/index.ts";
import type { MachineRow } from "../journal/index.ts";
import type { EntryLine, OutboxLine, Overview } from "./wire.ts";

/** One actor that moved, as a source tells it. Without `taken` nobody knows which way. */
export type Told = Pick<Transition, "address" | "machine" | "hash" | "seq" | "at" | "status" | "state" | "value" | "taken" | "event" | "outcome">;

/**
 * Where the inspector looks: a running engine, a journal that it reads beside one, or a history file. What a source
 * can't do is absent, and the page does not offer it.
 */
export interface Source {
  readonly kind: Overview["source"];
  readonly name: string;
  readonly engine: () => Overview["engine"];
  readonly list: (filter: { readonly machine?: string; readonly status?: string; readonly parent?: number; readonly after?: number; readonly limit: number }) => Promise<ReadonlyArray<ActorView>>;
  readonly actor: (address: string) => Promise<ActorView | undefined>;
  readonly history: (address: string, after: number, limit: number) => Promise<ReadonlyArray<HistoryEntry>>;
  readonly historyStart: (address: string) => Promise<HistoryStart | undefined>;
  readonly letters: (filter: LetterFilter) => Promise<ReadonlyArray<DeadLetter>>;
  /** The charts of the forms that wrote here, where they can be read. */
  readonly charts: () => Promise<ReadonlyArray<Pick<MachineRow, "hash" | "id" | "version" | "chart">>>;
  /** Tells what moves from now on; answers how to stop. `moved`: read again from the store. */
  readonly follow: (told: (transition: Told) => void, moved: (actor: ActorView) => void) => () => void;
  /** Actors that no registered machine may go on with: the first of them. Reads every stored actor. */
  readonly parked?: (limit: number) => Promise<ReadonlyArray<ParkedActor>>;
  /** Why this one is parked, if it is: known since it was read by `actor`. */
  readonly parkedAs?: (actor: ActorView) => ActorParked | undefined;
  /** Tasks, workers and queues. */
  readonly dispatcher?: Dispatcher;
  readonly outboxes?: () => Promise<ReadonlyArray<OutboxLine>>;
  readonly entries?: (outbox: string, after: number, limit: number) => Promise<ReadonlyArray<EntryLine>>;
  readonly send?: (address: string, event: SentEvent, by: string) => Promise<Receipt>;
  readonly can?: (address: string, event: SentEvent) => Promise<boolean>;
  readonly requeue?: (letters: LetterChoice, order: { readonly by: string; readonly why: string }) => Promise<number>;
  readonly drop?: (letters: LetterChoice, order: { readonly by: string; readonly why: string }) => Promise<number>;
  readonly requeueEntries?: (outbox: string, seqs: ReadonlyArray<number>) => Promise<unknown>;
  readonly dropEntries?: (outbox: string, seqs: ReadonlyArray<number>) => Promise<unknown>;
}
