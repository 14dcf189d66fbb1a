import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import type { Address } from "../domain/address.ts";
import type { ActorView, Engine, EngineCore, SendError, SentEvent, Taskwright } from "../engine/index.ts";
import type { JournalError } from "../journal/index.ts";
import { type Entry, type Move, moveOf, movesOf } from "./moves.ts";
import { graceMs, type Waiting, whyWaiting } from "./why.ts";

/*
 * Questions about the actors of a running engine. Each reads what is stored, and changes nothing.
 */

/** The machine that wrote an actor, as it is registered. */
const registered = (engine: Engine, { hash }: ActorView): Entry | undefined => {
  const found = (engine as EngineCore).registry.byHash.get(hash);
  if (found === undefined) return undefined;
  const { definition, schemas } = found;
  return { ...schemas, machine: definition.original, ...(definition.early === undefined ? {} : { early: Object.fromEntries(definition.early) }) };
};

/** What an actor would make of each type of event that its machine knows; nothing where its machine is not registered. */
export const movesAt = (engine: Engine, address: Address): Effect.Effect<ReadonlyArray<Move>, SendError | JournalError> =>
  Effect.map(engine.snapshot(address), (view) => {
    const entry = registered(engine, view);
    return entry === undefined ? [] : movesOf(entry, view);
  });

/** What an actor would make of this event. `engine.can` says the same in one word; this says which guard says no. */
export const moveAt = (engine: Engine, address: Address, event: SentEvent): Effect.Effect<Move, SendError | JournalError> =>
  Effect.map(engine.snapshot(address), (view) => {
    const entry = registered(engine, view);
    return entry === undefined ? { type: event.type, accepted: "no" as const, reason: "its machine is not registered", asked: [] } : moveOf(entry, view, event);
  });

/** Why an actor waits, who owes what would move it, and until when. */
export const whyAt = (engine: Engine, address: Address): Effect.Effect<Waiting, SendError | JournalError> => Effect.flatMap(engine.snapshot(address), (view) => whyOf(engine, view));

const whyOf = (engine: Engine, view: ActorView, grace = graceMs): Effect.Effect<Waiting, JournalError> =>
  Effect.map(below(engine, view), (children) =>
    whyWaiting(view, { now: (engine as EngineCore).now(), graceMs: grace, machineOf: (actor) => registered(engine, actor), childrenOf: (parent) => children.get(parent.id) ?? [] }),
  );

/** An actor's stored children, and theirs. */
const below = (engine: Engine, view: ActorView, depth = 0): Effect.Effect<Map<number, ReadonlyArray<ActorView>>, JournalError> =>
  Effect.gen(function* () {
    const found = new Map<number, ReadonlyArray<ActorView>>();
    if (depth > 4 || Object.values(view.children ?? {}).every(({ ended }) => ended === true)) return found;
    const children = yield* engine.list({ parent: view.id, limit: childrenMax });
    found.set(view.id, children);
    for (const child of children) if (child.status === "active") for (const [id, actors] of yield* below(engine, child, depth + 1)) found.set(id, actors);
    return found;
  });

/** Children of one actor that are looked at. */
const childrenMax = 1_000;

export interface StuckOptions {
  /** How late something may be, in milliseconds. Default: 5 seconds. */
  readonly graceMs?: number;
  /** Row ids beyond this one: the `id` of a view. */
  readonly after?: number;
  /** At most so many are answered. Default: 100. */
  readonly limit?: number;
}

/** Actors that are overdue: something that must have happened by itself did not. Looks at all that have not ended, page by page. */
export const stuckIn = (engine: Engine, { graceMs: grace = graceMs, after = 0, limit = 100 }: StuckOptions = {}): Effect.Effect<ReadonlyArray<Waiting>, JournalError> =>
  Effect.gen(function* () {
    const found: Array<Waiting> = [];
    for (let last = after; found.length < limit; ) {
      const page = yield* engine.list({ status: "active", after: last, limit: 500 });
      for (const view of page) {
        const waiting = yield* whyOf(engine, view, grace);
        // One that waits for an overdue child is found by that child.
        if (isItself(waiting)) found.push(waiting);
        if (found.length >= limit) break;
      }
      const next = page.at(-1);
      if (next === undefined || page.length < 500) break;
      last = next.id;
    }
    return found;
  });

/** Whether it is overdue itself, and not only because of an actor below it. */
export const isItself = ({ deadlines, children }: Waiting): boolean => deadlines.some(({ overdue, held }) => overdue || held === true) || children.some(({ missing }) => missing === true);

const inPromise = async <A, E>(effect: Effect.Effect<A, E>): Promise<A> => {
  const exit = await Effect.runPromiseExit(effect);
  if (Exit.isSuccess(exit)) return exit.value;
  throw Cause.squash(exit.cause);
};

/** The same questions for hosts that don't use Effect; they reject with the same typed errors. */
export const moves = (engine: Taskwright, address: Address): Promise<ReadonlyArray<Move>> => inPromise(movesAt(engine.effect, address));
export const move = (engine: Taskwright, address: Address, event: SentEvent): Promise<Move> => inPromise(moveAt(engine.effect, address, event));
export const why = (engine: Taskwright, address: Address): Promise<Waiting> => inPromise(whyAt(engine.effect, address));
export const stuck = (engine: Taskwright, options?: StuckOptions): Promise<ReadonlyArray<Waiting>> => inPromise(stuckIn(engine.effect, options));
