/*
 * What needs no test runner: an engine on virtual time, for tests of any runner, and for programs that rehearse something.
 */
export { type CrashBench, CrashPlan, type CrashPoint, type CrashReport, crashEverywhere } from "./crash-everywhere.ts";
export { type Folded, foldJournal } from "./fold.ts";
export { type Race, type RaceReport, raceEverything } from "./race-everything.ts";
export { replayed } from "./replayed.ts";
export { StandIn, type StandInCall } from "./stand-in.ts";
export { type Mode, TestEngine, type TestEngineOptions, testEngine } from "./test-engine.ts";
export { memoryStore, sqliteStore, type StoreKind, type TestStore, testStore } from "./test-store.ts";
export { VirtualTime } from "./virtual-time.ts";
