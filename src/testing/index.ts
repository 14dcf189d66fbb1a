export * from "./engine.ts";
export { journalConformance } from "./journal-conformance.ts";
export { matchers } from "./matchers.ts";
export { type Bench, inBothJournals, inMemory, inThreeModes, inTwoModes, modes } from "./modes.ts";
