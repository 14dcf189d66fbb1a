/*
 * The engine for Effect programs: `Engine` as a service with its layer, over a journal as a layer.
 *
 *   layer({ machines: [order] }).pipe(Layer.provide(SqliteJournal.layer({ file: "work.db" })))
 */
export { Engine, type EngineOptions, layer, make, systemTime, Time } from "./engine/index.ts";
export { Journal, MemoryJournal, MemoryStore, SqliteJournal } from "./journal/index.ts";
