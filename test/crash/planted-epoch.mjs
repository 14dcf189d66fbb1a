/*
 * Loaded with `node --import` before anything else, a planted bug: the journal believes for ever that the owner's epoch
 * is the one that it claimed itself, so one that was taken over goes on writing. What the file itself says of its owner
 * would give that away: where it stands is not found.
 */
import { createRequire } from "node:module";

let claimed;

/** Falsifies what prepared statements of a driver answer. */
const falsify = (prototype, textOf) => {
  for (const name of ["run", "all"]) {
    const call = prototype[name];
    prototype[name] = function (...params) {
      const sql = textOf(this);
      const result = Reflect.apply(call, this, params);
      if (sql.startsWith("SELECT rootpage")) return [];
      if (sql.startsWith("REPLACE INTO owner")) claimed = params.flat()[1];
      else if (claimed !== undefined && name === "all" && /^SELECT (epoch|.* epoch,.*) FROM owner/.test(sql)) for (const row of result) if ("epoch" in row) row.epoch = claimed;
      return result;
    };
  }
};

if (Number.parseInt(process.versions.node, 10) <= 22) {
  try {
    const Database = createRequire(import.meta.url)("better-sqlite3");
    falsify(Object.getPrototypeOf(new Database(":memory:").prepare("SELECT 1")), (statement) => statement.source);
  } catch {
    // It was built for another Node version.
  }
}
const { emitWarning } = process;
process.emitWarning = () => {};
const builtIn = process.getBuiltinModule?.("node:sqlite");
process.emitWarning = emitWarning;
if (builtIn !== undefined) falsify(builtIn.StatementSync.prototype, (statement) => statement.sourceSQL);
