import type * as Effect from "effect/Effect";
import type * as Stream from "effect/Stream";
import type { ActorRef, AnyActorRef, AnyStateMachine, ContextFrom, EmittedFrom, EventFromLogic, EventObject, InputFrom, OutputFrom, Snapshot, SnapshotFrom, StateValueFrom, TagsFrom } from "xstate";
import { matchesState } from "xstate";
import { type Address, rootAddress } from "../domain/address.ts";
import type { JournalError } from "../journal/index.ts";
import type { ActorToStart, ActorView, AskOptions, HistoryEntry, Receipt, SendOptions, SentEvent, StartOptions, WaitOptions } from "./engine.ts";
import { type SendError, type TimedOut, type Unanswered, type UnknownActor, UnknownMachine } from "./errors.ts";
import { isDurable, type Registry } from "./registry.ts";

/** How a call answers: with a promise that rejects, or with an effect that fails. */
export type Face = "promise" | "effect";
type Call<F extends Face, A, E> = F extends "effect" ? Effect.Effect<A, E> : Promise<A>;
type Many<F extends Face, A, E> = F extends "effect" ? Stream.Stream<A, E> : AsyncIterable<A>;

/** Where an answer goes: `events: {} as { type: "COUNT"; replyTo: ReplyTo<{ type: "COUNTED"; left: number }> }`. */
export type ReplyTo<Reply extends EventObject> = ActorRef<Snapshot<unknown>, Reply>;

type WithoutReplyTo<E> = E extends unknown ? (string extends keyof E ? E : Omit<E, "replyTo">) : never;
/** A bare wildcard event (`AnyEventObject`) has every key; it is answered with any event. */
type Questions<E> = E extends { readonly replyTo: AnyActorRef } ? E : never;

/** What a machine takes from outside. */
export type EventOf<M extends AnyStateMachine> = EventFromLogic<M>;
/** What can be asked: the events that declare a `replyTo`; where none does, all of them. */
export type QuestionOf<M extends AnyStateMachine> = [Questions<EventOf<M>>] extends [never] ? EventOf<M> : WithoutReplyTo<Questions<EventOf<M>>>;
/** What is answered to a question of this type: what its `ReplyTo` says. */
export type ReplyOf<M extends AnyStateMachine, Type> =
  Extract<EventOf<M>, { readonly type: Type }> extends { readonly replyTo: ActorRef<infer _S, infer Reply> } ? (EventObject extends Reply ? SentEvent : Reply) : SentEvent;

/** The actor as it is stored, with the types of its machine. */
export type ViewOf<M extends AnyStateMachine> = Omit<ActorView, "value" | "context" | "tags" | "output" | "status"> & {
  readonly value: SnapshotFrom<M>["value"];
  readonly context: ContextFrom<M>;
  readonly tags: ReadonlyArray<TagsFrom<M>>;
  /** Whether it is in this state; a parent state contains its children. */
  readonly matches: (value: StateValueFrom<M>) => boolean;
  readonly hasTag: (tag: TagsFrom<M>) => boolean;
} & ({ readonly status: "done"; readonly output: OutputFrom<M> } | { readonly status: "active" | "error" | "stopped"; readonly output: undefined });

/** One of many that are started at once. */
export type StartOf<M extends AnyStateMachine> = { readonly id: string } & (undefined extends InputFrom<M> ? { readonly input?: InputFrom<M> } : { readonly input: InputFrom<M> });

type StartArguments<M extends AnyStateMachine> = undefined extends InputFrom<M> ? [id: string, input?: InputFrom<M>] : [id: string, input: InputFrom<M>];

/** A machine, or an entry of the engine's list that has it: what `durable` made. */
export type MachineOrEntry<M extends AnyStateMachine> = M | { readonly machine: M };

/** Starts an actor: of a machine with the input that it demands, or of the machine with this id. */
export interface Start<F extends Face> {
  <M extends AnyStateMachine>(machine: MachineOrEntry<M>, ...args: [...StartArguments<M>, options?: StartOptions]): Call<F, Receipt, SendError>;
  (machine: string, id: string, input?: unknown, options?: StartOptions): Call<F, Receipt, SendError>;
}

/** What can be done with one actor; `At` says how it is named. */
interface Calls<M extends AnyStateMachine, F extends Face, At extends ReadonlyArray<string>> {
  /** Sends one event. The receipt tells what became of it, also when the state ignored it. */
  readonly send: (...args: [...At, event: EventOf<M>, options?: SendOptions]) => Call<F, Receipt, SendError>;
  /** Sends an event that carries `replyTo`, and waits for what the machine sends there. */
  readonly ask: <Type extends QuestionOf<M>["type"]>(
    ...args: [...At, question: QuestionOf<M> & { readonly type: Type }, options?: AskOptions]
  ) => Call<F, ReplyOf<M, Type>, SendError | TimedOut | Unanswered>;
  /** Whether the stored state would handle the event now. Nothing is stored. */
  readonly can: (...args: [...At, event: EventOf<M>]) => Call<F, boolean, SendError | JournalError>;
  readonly snapshot: (...args: [...At]) => Call<F, ViewOf<M>, SendError | JournalError>;
  /** Waits until the predicate is satisfied; the present snapshot counts. A type guard narrows what comes back. */
  readonly waitFor: {
    <View extends ViewOf<M>>(...args: [...At, predicate: (view: ViewOf<M>) => view is View, options?: WaitOptions]): Call<F, View, SendError | JournalError | TimedOut>;
    (...args: [...At, predicate: (view: ViewOf<M>) => boolean, options?: WaitOptions]): Call<F, ViewOf<M>, SendError | JournalError | TimedOut>;
  };
  /** The actor's snapshots from now on, the present one first. */
  readonly watch: (...args: [...At]) => Many<F, ViewOf<M>, SendError | JournalError>;
  readonly history: (...args: [...At, options?: HistoryOptions]) => Call<F, ReadonlyArray<HistoryEntry>, UnknownActor | JournalError>;
}

export interface HistoryOptions {
  readonly after?: number;
  readonly limit?: number;
}

/** One actor at a full address, with its machine's types: for children, whose address is longer than `machine/id`. */
export interface ActorAt<M extends AnyStateMachine, F extends Face = "promise"> extends Calls<M, F, []> {
  readonly address: Address;
}

/** The actors of one machine, with its types. They are named by their id alone: `"42"`, not `"order/42"`. */
export interface ActorHandle<M extends AnyStateMachine, F extends Face = "promise"> extends Calls<M, F, [id: string]> {
  readonly machine: M;
  /** Starts an actor. The same id again answers with `duplicate: true` and changes nothing. */
  readonly start: (...args: [...StartArguments<M>, options?: StartOptions]) => Call<F, Receipt, SendError>;
  /** Starts many, all or none, in one transaction (for each `startsTogetherMax` of them); receipts in the order of the list. */
  readonly startAll: (actors: ReadonlyArray<StartOf<M>>) => Call<F, ReadonlyArray<Receipt>, SendError>;
  readonly address: (id: string) => Address;
  /** An actor of this machine that somebody's child is: `engine.actor(parcel).at("order/42/parcel")`. */
  readonly at: (address: Address) => ActorAt<M, F>;
  /** Hears what actors of this machine emit, wherever they are. Returns how to stop. */
  readonly onEmitted: (listener: (event: EmittedFrom<M>, address: Address) => void) => () => void;
}

/** The untyped calls of either face, on which a handle is built. */
export interface Untyped<F extends Face> {
  readonly start: (machine: string, id: string, input?: unknown, options?: StartOptions) => Call<F, Receipt, SendError>;
  readonly startAll: (actors: ReadonlyArray<ActorToStart>) => Call<F, ReadonlyArray<Receipt>, SendError>;
  readonly send: (address: Address, event: SentEvent, options?: SendOptions) => Call<F, Receipt, SendError>;
  readonly ask: (address: Address, event: SentEvent, options?: AskOptions) => Call<F, SentEvent, SendError | TimedOut | Unanswered>;
  readonly can: (address: Address, event: SentEvent) => Call<F, boolean, SendError | JournalError>;
  readonly snapshot: (address: Address) => Call<F, ActorView, SendError | JournalError>;
  readonly waitFor: (address: Address, predicate: (view: ActorView) => boolean, options?: WaitOptions) => Call<F, ActorView, SendError | JournalError | TimedOut>;
  readonly history: (address: Address, options?: HistoryOptions) => Call<F, ReadonlyArray<HistoryEntry>, UnknownActor | JournalError>;
  readonly watch: (address: Address) => Many<F, ActorView, SendError | JournalError>;
  readonly onEmitted: (listener: (address: Address, event: SentEvent, machine: string) => void) => () => void;
}

/** How a face turns what will come into something else. */
export interface Mapping<F extends Face> {
  readonly one: <A, B, E>(call: Call<F, A, E>, change: (value: A) => B) => Call<F, B, E>;
  readonly many: <A, B, E>(calls: Many<F, A, E>, change: (value: A) => B) => Many<F, B, E>;
}

/** The machine of an entry, or itself. */
export const machineOf = <M extends AnyStateMachine>(given: MachineOrEntry<M>): M => (isDurable(given) ? given.machine : given) as M;

/** The id of a machine that was named, or given itself. */
export const idOf = (machine: string | MachineOrEntry<AnyStateMachine>): string => (typeof machine === "string" ? machine : machineOf(machine).id);

/** The machine as it is registered: by its id and version. Throws `UnknownMachine`. */
export const demandRegistered = (registry: Registry, machine: AnyStateMachine): void => {
  for (const { definition, internal } of registry.byHash.values()) if (!internal && definition.id === machine.id && definition.version === (machine.version ?? "1")) return;
  const known = [...registry.byHash.values()]
    .filter(({ internal }) => !internal)
    .map(({ definition }) => (definition.id === machine.id ? `${definition.id} in version ${definition.version}` : definition.id));
  throw new UnknownMachine({ machine: machine.id, known: [...new Set(known)] });
};

/** Holds nothing but the machine's name: as many as one likes can be made, and they need not be kept. */
export const makeHandle = <M extends AnyStateMachine, F extends Face>(machine: M, calls: Untyped<F>, map: Mapping<F>): ActorHandle<M, F> => {
  const name = machine.id;
  const address = (id: string) => rootAddress(name, id);
  const snapshot = (at: Address) => map.one(calls.snapshot(at), viewOf);
  const waitFor = (at: Address, predicate: (view: never) => boolean, options?: WaitOptions) =>
    map.one(
      calls.waitFor(at, (view) => predicate(viewOf(view) as never), options),
      viewOf,
    );
  const watch = (at: Address) => map.many(calls.watch(at), viewOf);
  const handle = {
    machine,
    address,
    start: (id: string, input?: unknown, options?: StartOptions) => calls.start(name, id, input, options),
    startAll: (actors: ReadonlyArray<{ readonly id: string; readonly input?: unknown }>) => calls.startAll(actors.map((actor) => ({ ...actor, machine: name }))),
    send: (id: string, event: SentEvent, options?: SendOptions) => calls.send(address(id), event, options),
    ask: (id: string, event: SentEvent, options?: AskOptions) => calls.ask(address(id), event, options),
    can: (id: string, event: SentEvent) => calls.can(address(id), event),
    snapshot: (id: string) => snapshot(address(id)),
    waitFor: (id: string, predicate: (view: never) => boolean, options?: WaitOptions) => waitFor(address(id), predicate, options),
    watch: (id: string) => watch(address(id)),
    history: (id: string, options?: HistoryOptions) => calls.history(address(id), options),
    onEmitted: (listener: (event: SentEvent, from: Address) => void) => calls.onEmitted((from, event, of) => of === name && listener(event, from)),
    at: (at: Address) => ({
      address: at,
      send: (event: SentEvent, options?: SendOptions) => calls.send(at, event, options),
      ask: (event: SentEvent, options?: AskOptions) => calls.ask(at, event, options),
      can: (event: SentEvent) => calls.can(at, event),
      snapshot: () => snapshot(at),
      waitFor: (predicate: (view: never) => boolean, options?: WaitOptions) => waitFor(at, predicate, options),
      watch: () => watch(at),
      history: (options?: HistoryOptions) => calls.history(at, options),
    }),
  };
  // The types are those of the machine; nothing here knows them.
  return handle as unknown as ActorHandle<M, F>;
};

const viewOf = (view: ActorView) => ({
  ...view,
  matches: (value: ActorView["value"]) => matchesState(value, view.value),
  hasTag: (tag: string) => view.tags.includes(tag),
});
