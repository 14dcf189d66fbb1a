/*
 * 300,000 statements through the journal's own connection, one in a hundred with a new text, so that prepared
 * statements are made and dropped all the time, and with forced garbage collections in between: an unsound native
 * module ends the process here. `node --expose-gc test/node/statements.mjs [driver]`, after `npm run build`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import * as Connection from "../../dist/src/journal/connection.js";
import * as Driver from "../../dist/src/journal/driver.js";

const count = 300_000;
const perTransaction = 1_000;
const folder = mkdtempSync(join(tmpdir(), "taskwright-statements-"));
const file = join(folder, "statements.db");

const program = Effect.gen(function* () {
  const driver = yield* Driver.choose(process.argv[2] ?? "auto", file);
  const settings = { file, reader: false, synchronous: "OFF" };
  const connection = yield* Connection.open(driver, settings);
  yield* Connection.tune(connection, settings);
  yield* connection.read("CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT NOT NULL)");
  let stated = 0;
  let collections = 0;
  for (let batch = 0; batch < count / perTransaction; batch++) {
    yield* connection.transaction(
      Effect.gen(function* () {
        for (let n = 0; n < perTransaction; n += 2) {
          yield* connection.run("INSERT INTO rows (text) VALUES (?)", [`row ${n}`]);
          // A text that no statement had before is prepared anew, and pushes an old one out of the cache.
          const fresh = n % 100 === 0 ? ` /* ${batch} ${n} */` : "";
          yield* connection.rows(`SELECT text FROM rows WHERE id = ?${fresh}`, [batch * (perTransaction / 2) + n / 2 + 1]);
          stated += 2;
        }
      }),
    );
    globalThis.gc?.();
    collections++;
    yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)));
  }
  const [row] = yield* connection.read("SELECT count(*) AS count FROM rows");
  if (row.count !== count / 2) throw new Error(`${row.count} rows are there instead of ${count / 2}`);
  yield* connection.close;
  globalThis.gc?.();
  return `${stated} statements, ${collections} collections, ${driver.name}`;
});

try {
  if (globalThis.gc === undefined) throw new Error("start it with --expose-gc");
  console.log(await Effect.runPromise(program));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
