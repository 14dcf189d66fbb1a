import * as Effect from "effect/Effect";
import * as path from "node:path";
import { describe, it } from "vitest";
import { SqliteJournal } from "../../src/journal/index.ts";
import { journalConformance } from "../../src/testing/journal-conformance.ts";
import { drivers, folder, withFaults } from "./files.ts";

for (const { name: driver, reason } of drivers) {
  if (reason !== undefined) {
    describe(`journal (${driver})`, () => it.skip(`is not tested here: ${reason}`));
    continue;
  }
  journalConformance(driver, {
    make: Effect.map(folder, (dir) => ({
      // Without fsync, which no test of the interface can see: the suite is about logic.
      connect: ({ reader = false, faults = {} } = {}) =>
        Effect.map(SqliteJournal.make({ file: path.join(dir, "journal.db"), reader, driver, synchronous: "OFF" }), (journal) => withFaults(journal, faults)),
    })),
  });
}
