/*
 * The engine for Effect programs: `Engine` as a service with its layer, over a journal as a layer.
 *
 *   layer({ machines: [order] }).pipe(Layer.provide(SqliteJournal.layer({ file: "work.db" })))
 *
 * All of "taskwright" is here, too: errors, types, destinations. What both have is here in effects.
 */
export * from "./index.ts";
export {
  Activity,
  type Durable,
  durable,
  type EffectLogic,
  Engine,
  type EngineCore,
  type EngineOptions,
  type Failed,
  failedWith,
  fromEffect,
  type FromEffectOptions,
  layer,
  make,
  type ServicesOf,
  systemTime,
  Time,
} from "./engine/index.ts";
export { makeOrchestration, makeSchedules, type Orchestration, type Schedules } from "./orchestration/index.ts";
export { type Broker, makeBroker, type Session } from "./broker/index.ts";
export { type Inboxes, makeInboxes, makeObligations, makeOutboxes, type Obligations, type Outboxes, postEntries } from "./delivery/index.ts";
export { Journal, MemoryJournal, MemoryStore, SqliteJournal } from "./journal/index.ts";
