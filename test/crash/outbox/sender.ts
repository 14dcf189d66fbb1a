/*
 * A host with an outbox, as a program: `node sender.js FOLDER PORT RUN [--plant NAME] [--finish]`. It tells sources to
 * add entries in their transitions, puts some in itself, and prints one JSON line per receipt. No event is ever told
 * twice: what a kill prevented is never committed, and must never arrive. With `--finish` it ends when all is delivered.
 */
import * as Effect from "effect/Effect";
import { writeSync } from "node:fs";
import { join } from "node:path";
import { assign, sendTo, setup } from "xstate";
import { httpDestination, makeOutboxes, outboxRef } from "../../../src/delivery/index.ts";
import { openEngine } from "../../../src/engine/index.ts";
import { journalOf, type Plant, policyOf, spoiled } from "./plants.ts";

const [folder = ".", port = "", run = "", ...options] = process.argv.slice(2);
const isLast = options.includes("--finish");
// A plant spoils the runs that are killed; the last one is sound, and can't mend what they did.
const plant = options.includes("--plant") && !isLast ? (options[options.indexOf("--plant") + 1] as Plant) : undefined;
const lanes = ["a", "b", "c", "d", "e"];
/** Each run adds so many, if it lives to do it; the last one only looks whether the outbox still takes some. */
const additions = isLast ? 5 : 80;

/** Its state counts what it added: a transition that is stored without its entry, or the reverse, would show. */
const source = setup({
  types: { context: {} as { added: number }, events: {} as { type: "ADD"; id: string; lane: string } },
  actions: {
    count: assign({ added: ({ context }) => context.added + 1 }),
    store: sendTo(outboxRef("box"), ({ event: { id, lane } }) => ({ type: "ENQUEUE", entries: [{ key: id, type: "note", lane, payload: { id, lane } }] })),
  },
}).createMachine({ id: "source", version: "1", context: { added: 0 }, on: { ADD: { actions: ["count", "store"] } } });

const destination = spoiled(httpDestination({ url: `http://127.0.0.1:${port}/`, allowPrivate: true, timeoutMs: 5_000 }), plant);
const outboxes = makeOutboxes({
  box: {
    destination,
    policy: { retry: { attemptsMax: 1_000, backoff: { kind: "fixed", baseMs: 20 } }, batchMax: 12, parallelMax: 5, ...policyOf(plant) },
  },
});
const say = (line: Readonly<Record<string, unknown>>) => writeSync(1, `${JSON.stringify(line)}\n`);
const engine = await openEngine({ machines: [source], plugins: [outboxes], journal: journalOf(join(folder, "work.db"), plant) });
for (const lane of lanes) await engine.start(source, lane);

let next = 0;
const caller = async () => {
  for (let n = ++next; n <= additions; n = ++next) {
    const lane = lanes[n % lanes.length] as string;
    const id = `r${run}-${n}`;
    if (n % 10 === 0) await Effect.runPromise(outboxes.enqueue("box", { key: id, type: "note", lane, payload: { id, lane } }));
    else await engine.send(`source/${lane}`, { type: "ADD", id, lane });
    say({ stored: id });
  }
};
await Promise.all(Array.from({ length: 3 }, caller));
await engine.waitFor("outbox/box", ({ value, context }) => JSON.stringify(value) === '{"open":"idle"}' && (context as { readonly pending: number }).pending === 0, { timeout: "60 seconds" });
await engine.close();
