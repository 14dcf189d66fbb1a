import * as Cause from "effect/Cause";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Layer from "effect/Layer";
import * as Runtime from "effect/Runtime";
import * as Scope from "effect/Scope";
import * as Stream from "effect/Stream";
import type { AnyStateMachine } from "xstate";
import type { Address } from "../domain/address.ts";
import { type AllNames, checkNames, said } from "../domain/names.ts";
import type { ActorFilter, CountRow, Journal } from "../journal/index.ts";
import { MemoryJournal, SqliteJournal } from "../journal/index.ts";
import type {
  ActorToStart,
  ActorView,
  AskOptions,
  Change,
  DeadLetter,
  Engine,
  EngineStatus,
  HistoryEntry,
  HistoryStart,
  LetterChoice,
  LetterFilter,
  SendOptions,
  SentEvent,
  StartOptions,
  TakeOptions,
  WaitOptions,
  WrittenBy,
} from "./engine.ts";
import { EngineClosed, InvalidOptions } from "./errors.ts";
import { demandActorFilter, notDuration } from "./given.ts";
import { type ActorHandle, demandRegistered, idOf, machineOf, type MachineOrEntry, makeHandle, type Mapping, type Start } from "./handle.ts";
import type { Receipt } from "./intake.ts";
import { type EngineOptions, engineOptionNames, make } from "./make.ts";
import type { ServicesOption } from "./services.ts";
import type { MigrateOptions, MigrationReport, ParkedActor } from "./migration.ts";
import type { Transition } from "./turn.ts";

export interface OpenOptions extends EngineOptions {
  /** The database file; made if it is not there. Absent: in memory, gone with the process. */
  readonly database?: string;
  /** A journal of another kind. */
  readonly journal?: Layer.Layer<Journal, unknown>;
  /** The services that the machines' effects use. The compiler demands them where it sees that some are needed. */
  readonly services?: Layer.Layer<never, unknown>;
}

/** The engine for hosts that don't use Effect: the same calls, as promises that reject with the same typed errors. */
export interface Taskwright {
  readonly start: Start<"promise">;
  readonly startAll: (actors: ReadonlyArray<ActorToStart>) => Promise<ReadonlyArray<Receipt>>;
  readonly send: (address: Address, event: SentEvent, options?: SendOptions) => Promise<Receipt>;
  readonly report: (address: Address, event: SentEvent) => void;
  readonly ask: (address: Address, event: SentEvent, options?: AskOptions) => Promise<SentEvent>;
  readonly can: (address: Address, event: SentEvent) => Promise<boolean>;
  /** The actors of a registered machine, with its types. Throws `UnknownMachine`. */
  readonly actor: <M extends AnyStateMachine>(machine: MachineOrEntry<M>) => ActorHandle<M>;
  readonly snapshot: (address: Address) => Promise<ActorView>;
  readonly waitFor: (address: Address, predicate: (view: ActorView) => boolean, options?: WaitOptions) => Promise<ActorView>;
  readonly history: (address: Address, options?: { readonly after?: number; readonly limit?: number }) => Promise<ReadonlyArray<HistoryEntry>>;
  readonly changes: (options?: { readonly after?: number; readonly limit?: number }) => Promise<ReadonlyArray<Change>>;
  readonly historyStart: (address: Address) => Promise<HistoryStart | undefined>;
  readonly watch: (address: Address) => AsyncIterable<ActorView>;
  readonly list: (filter?: Partial<ActorFilter>) => Promise<ReadonlyArray<ActorView>>;
  readonly counts: () => Promise<ReadonlyArray<CountRow>>;
  readonly deadLetters: (filter?: LetterFilter) => Promise<ReadonlyArray<DeadLetter>>;
  readonly deadLetter: (id: number) => Promise<DeadLetter>;
  readonly requeue: (letters: LetterChoice, options?: TakeOptions) => Promise<number>;
  readonly drop: (letters: LetterChoice, options?: TakeOptions) => Promise<number>;
  readonly parked: (options?: { readonly after?: number; readonly limit?: number }) => Promise<ReadonlyArray<ParkedActor>>;
  readonly migrate: (machine: string, options?: MigrateOptions) => Promise<MigrationReport>;
  readonly buildOf: (address: Address) => Promise<WrittenBy | undefined>;
  readonly observe: (listener: (transition: Transition) => void) => () => void;
  readonly onEmitted: (listener: (address: Address, event: SentEvent, machine: string) => void) => () => void;
  readonly status: () => EngineStatus;
  readonly settled: () => Promise<void>;
  readonly close: (options?: { readonly grace?: Duration.DurationInput }) => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
  /** The same engine for Effect programs. */
  readonly effect: Engine;
}

/** Opens an engine. Rejects with `JournalOwned`, `JournalError` or `InvalidOptions`. */
export const openEngine = async <const Given extends OpenOptions["machines"]>(
  options: Omit<OpenOptions, "services"> & { readonly machines: Given } & ServicesOption<Given[number]>,
): Promise<Taskwright> => {
  const problems = checkOpenOptions(options);
  if (problems.length > 0) throw new InvalidOptions({ problems });
  const { database, journal: given, services, ...engineOptions } = options as OpenOptions;
  const journal = (given ?? (database === undefined ? MemoryJournal.layer() : SqliteJournal.layer({ file: database }))) as Layer.Layer<Journal, unknown>;
  const scope = Effect.runSync(Scope.make());
  // The engine is made in the scope itself, not as a layer over the layers: those run ten times as many operations as it does.
  const opening = Effect.gen(function* () {
    const runtime = yield* Layer.toRuntime(services === undefined ? journal : Layer.merge(journal, services));
    return { runtime, core: yield* Effect.provide(make(engineOptions), runtime) };
  });
  const opened = await Effect.runPromiseExit(Scope.extend(opening, scope));
  if (Exit.isFailure(opened)) {
    await Effect.runPromise(Scope.close(scope, opened));
    throw Cause.squash(opened.cause);
  }
  const { runtime, core } = opened.value;
  let closed = false;
  const run = async <A>(effect: Effect.Effect<A, unknown>): Promise<A> => {
    if (closed) throw new EngineClosed({ detail: "it is closed" });
    const exit = await Runtime.runPromiseExit(runtime)(effect);
    if (Exit.isSuccess(exit)) return exit.value;
    throw Cause.squash(exit.cause);
  };
  const receipt = (call: (settle: (error: unknown, receipt: Receipt | undefined) => void) => void): Promise<Receipt> =>
    new Promise((resolve, reject) => call((error, stored) => (error === undefined ? resolve(stored as Receipt) : reject(error))));
  const close = async (closeOptions?: { readonly grace?: Duration.DurationInput }) => {
    const grace = closeOptions?.grace;
    if (grace !== undefined && Duration.decodeUnknown(grace)._tag === "None") throw new InvalidOptions({ problems: [`close, grace: ${notDuration(grace)}`] });
    await Effect.runPromise(core.close(closeOptions));
    closed = true;
    await Effect.runPromise(Scope.close(scope, Exit.void));
  };
  const taskwright: Taskwright = {
    start: (machine: string | MachineOrEntry<AnyStateMachine>, id: string, input?: unknown, startOptions?: StartOptions) =>
      receipt((settle) => core.post.start(idOf(machine), id, input, startOptions, settle)),
    startAll: (actors) => new Promise((resolve, reject) => core.post.startAll(actors, (error, receipts) => (error === undefined ? resolve(receipts as ReadonlyArray<Receipt>) : reject(error)))),
    send: (address, event, sendOptions) => receipt((settle) => core.post.send(address, event, sendOptions, settle)),
    report: core.report,
    ask: (address, event, askOptions) => run(core.ask(address, event, askOptions)),
    can: (address, event) => run(core.can(address, event)),
    actor: (given) => {
      const machine = machineOf(given);
      demandRegistered(core.registry, machine);
      return makeHandle<typeof machine, "promise">(machine, taskwright, inPromises);
    },
    snapshot: (address) => run(core.snapshot(address)),
    waitFor: (address, predicate, waitOptions) => run(core.waitFor(address, predicate, waitOptions)),
    history: (address, historyOptions) => run(core.history(address, historyOptions)),
    changes: (changeOptions) => run(core.changes(changeOptions)),
    historyStart: (address) => run(core.historyStart(address)),
    watch: (address) => Stream.toAsyncIterable(core.watch(address)),
    list: (filter = {}) => run(Effect.zipRight(demandActorFilter(filter), core.list(filter))),
    counts: () => run(core.counts),
    deadLetters: (filter) => run(core.deadLetters(filter)),
    deadLetter: (id) => run(core.deadLetter(id)),
    requeue: (letters, takeOptions) => run(core.requeue(letters, takeOptions)),
    drop: (letters, takeOptions) => run(core.drop(letters, takeOptions)),
    parked: (parkedOptions) => run(core.parked(parkedOptions)),
    migrate: (machine, migrateOptions) => run(core.migrate(machine, migrateOptions)),
    buildOf: (address) => run(core.buildOf(address)),
    observe: core.observe,
    onEmitted: core.onEmitted,
    status: core.status,
    settled: () => Effect.runPromise(core.settled),
    close,
    [Symbol.asyncDispose]: () => close(),
    effect: core,
  };
  return taskwright;
};

const openOptionNames: AllNames<OpenOptions> = { ...engineOptionNames, database: true, journal: true, services: true };

/** What can be said of the options before there is a journal; the rest is looked at when the engine is made. */
const checkOpenOptions = (options: unknown): ReadonlyArray<string> => {
  const wrong = checkNames(options, openOptionNames);
  if (typeof options !== "object" || options === null) return [`openEngine needs options: ${wrong.join()}; { machines, database } are the first two`];
  const { database, journal } = options as Partial<OpenOptions>;
  if (!("database" in options)) return wrong;
  // An unset variable must not make an engine that keeps nothing.
  if (database === undefined && journal === undefined) return [...wrong, "database is undefined; give the path of a file, or leave the option out for an engine in memory, which keeps nothing"];
  return database === undefined || (typeof database === "string" && database !== "") ? wrong : [...wrong, `database must be the path of a file, got ${said(database)}`];
};

const inPromises: Mapping<"promise"> = {
  one: (call, change) => call.then(change),
  many: async function* (calls, change) {
    for await (const one of calls) yield change(one);
  },
};
