import * as Effect from "effect/Effect";
import { MemoryJournal, MemoryStore } from "../../src/journal/index.ts";
import { journalConformance } from "../../src/testing/journal-conformance.ts";

journalConformance("memory", {
  make: Effect.sync(() => {
    const store = new MemoryStore();
    return { connect: (options = {}) => MemoryJournal.make({ store, ...options }) };
  }),
});
