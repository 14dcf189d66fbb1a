import * as Effect from "effect/Effect";
import { choose } from "../../../src/journal/driver.ts";

/** Holds SQLite's write lock on a database until its input ends. Arguments: file, driver. */
const [file, driver] = process.argv.slice(-2) as [string, "better-sqlite3" | "node:sqlite"];

await Effect.runPromise(
  Effect.scoped(
    Effect.gen(function* () {
      const client = yield* (yield* choose(driver, file)).client({ filename: file, readonly: false });
      const connection = yield* client.reserve;
      yield* connection.executeRaw("BEGIN IMMEDIATE", []);
      process.stdout.write('"locked"\n');
      yield* Effect.promise(() => new Promise((resolve) => process.stdin.resume().once("end", resolve)));
      yield* connection.executeRaw("ROLLBACK", []);
    }),
  ),
);
