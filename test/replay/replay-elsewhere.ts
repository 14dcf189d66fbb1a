/*
 * Replays histories that another process wrote: `vite-node replay-elsewhere.ts FILE`. Prints the Node version and the fingerprint
 * of each machine's histories, as JSON.
 */
import { readFileSync } from "node:fs";
import { readHistories } from "../../src/replay/index.ts";
import { cases, digestOf, machinesOfCase } from "./fuzzed.ts";

const { seed, texts } = JSON.parse(readFileSync(process.argv.at(-1) ?? "", "utf8")) as { readonly seed: number; readonly texts: ReadonlyArray<string> };
const all = cases(seed, texts.length);
const digests = texts.map((text, index) => digestOf(readHistories(text).histories, machinesOfCase(all[index] as (typeof all)[number])));
process.stdout.write(JSON.stringify({ version: process.versions.node, digests }));
