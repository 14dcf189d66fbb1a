/*
 * npm run simulate -- [--seeds N] [--from N] [--seed N] [--without a,b] [--planted] [--json]
 *
 * Runs the whole engine in a simulated world, one world per seed, and checks the invariants after every commit.
 * --seeds runs so many seeds (500 if nothing else is asked for), --seed only this one, with everything that happened;
 * --without leaves out faults and operations of it; --planted proves that the bugs which are planted on purpose are
 * found. --json prints one object.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "../crash/build.mjs";

const { dist, remove } = build("simulation");
try {
  const { main } = await import(pathToFileURL(join(dist, "test/simulation/main.js")).href);
  process.exitCode = await main(process.argv.slice(2));
} finally {
  remove();
}
