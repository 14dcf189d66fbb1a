/*
 * npm run crash -- [--seed N] [--kills N] [--kill | --power | --outbox | --broker [--pauses N] | --full [--only PARTS]] [--keep]
 *
 * Kills Taskwright at every named place and at random moments, hundreds of times, stops it, takes its journal away, and
 * simulates power failures; a separate checker looks at what is left each time. --kill and --power do one half only;
 * --outbox kills senders in the middle of deliveries instead; --broker kills and stops a broker and its endpoints; --full does the faults one by one instead, exhaustively: a
 * kill at every call, thousands of power failures, hundreds of pauses beyond the lease, failing disks, clocks that jump,
 * replaced files; --only kills,power,pauses,disk,clock,replaced does some of them. --keep leaves the files of all runs.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "./build.mjs";

const { folder, dist, remove } = build();
const runs = join(folder, "runs");
mkdirSync(runs);
const keep = process.argv.includes("--keep");
try {
  const { main } = await import(pathToFileURL(join(dist, "test/crash/main.js")).href);
  process.exitCode = await main(process.argv.slice(2), { source: fileURLToPath(new URL(".", import.meta.url)), dist, folder: runs });
} finally {
  if (keep) console.log(`the files of all runs are in ${runs}`);
  else remove();
}
