export { foldActor, foldJournal } from "./fold.ts";
export { journalConformance } from "./journal-conformance.ts";
export { type Bench, inBothJournals, inMemory, inThreeModes, inTwoModes, modes } from "./modes.ts";
export { type Mode, TestEngine, type TestEngineOptions, testEngine } from "./test-engine.ts";
export { memoryStore, sqliteStore, type StoreKind, type TestStore, testStore } from "./test-store.ts";
export { VirtualTime } from "./virtual-time.ts";
