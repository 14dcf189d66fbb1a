import type * as Effect from "effect/Effect";
import type { Address } from "../domain/address.ts";
import type { Event } from "../domain/event.ts";
import type { Limits } from "../domain/limits.ts";
import type { Journal } from "../journal/index.ts";
import type { Engine } from "./engine.ts";
import type { LogEntry } from "./make.ts";
import type { DurableMachine } from "./registry.ts";
import type { Resident } from "./resident.ts";
import type { Time } from "./time.ts";

/** What a follower may use of the engine. */
export interface Doors {
  readonly journal: Journal;
  readonly limits: Limits;
  readonly time: Time;
  readonly log: (entry: LogEntry) => void;
  /** Reports to an actor. It waits in memory while the store refuses. `incarnation`: the row id that is meant. */
  readonly report: (to: Address, event: Event, incarnation?: number) => void;
}

/**
 * Carries out what the stored states of one machine's actors ask for, in this process. Holds no decision: after every
 * commit it compares what runs with what should run. It reports what came of it as events.
 */
export interface Follower {
  /** Called after every commit that touched an actor of its machine. */
  readonly follow: (actor: Resident) => void;
  /** How much is under way. */
  readonly running: () => number;
  /** The engine closes: nothing new is begun; what is under way may end within the grace. */
  readonly suspend: () => void;
  /** The grace is over: what is under way is given up. */
  readonly end: () => void;
}

/** A part beside the engine that brings machines of its own and carries out what they ask for. One engine each. */
export interface Plugin {
  readonly machines: ReadonlyArray<DurableMachine>;
  /** By machine id. */
  readonly followers: Readonly<Record<string, (doors: Doors) => Follower>>;
  /** The engine has recovered and takes calls. Its host gets it when all plugins have done what they return. */
  readonly opened: (engine: Engine, doors: Doors) => Effect.Effect<void> | void;
}
