/*
 * A broker, as a program: `node broker-process.js FOLDER`. It listens on FOLDER/broker.sock. Over standard input it is
 * told messages, and told to hand out what lies in its inbox; on standard output it says what it has stored. What its
 * connector sends goes to FOLDER/answers.log, what the upstream is told to FOLDER/upstream.log: both are the outside.
 */
import * as Effect from "effect/Effect";
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { listenForEndpoints, makeBroker } from "../../../src/broker/index.ts";
import { makeOutboxes } from "../../../src/delivery/index.ts";
import { openEngine } from "../../../src/engine/index.ts";
import { policy } from "./policy.ts";

const [folder = "."] = process.argv.slice(2);
const append = (name: string, value: unknown) => {
  const file = openSync(join(folder, name), "a");
  writeSync(file, `${JSON.stringify(value)}\n`);
  fsyncSync(file);
  closeSync(file);
};
const say = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);

const broker = makeBroker({
  connector: async ({ message, requestId, content, assignment }) => append("answers.log", { message: message.id, requestId, content, assignment }),
  outbox: "up",
  policy,
});
const outboxes = makeOutboxes({
  up: { destination: ({ key, type, payload }) => append("upstream.log", { key, type, payload }), policy: { retry: { attemptsMax: 1_000_000, backoff: { kind: "fixed", baseMs: 50 } } } },
});
await openEngine({ machines: [], plugins: [outboxes, broker], database: join(folder, "broker.db") });
const path = join(folder, "broker.sock");
rmSync(path, { force: true });
await listenForEndpoints(broker, { path });
say({ opened: process.pid });

const tag = (error: unknown) => String((error as { readonly _tag?: unknown })._tag ?? error);
let turn = 0;
const handOut = Effect.gen(function* () {
  const endpoints = (yield* broker.endpoints()).filter(({ state }) => state === "active");
  if (endpoints.length === 0) return 0;
  // All at once: they share a turn. One after the other, each would take as long as a turn does on a busy machine.
  const done = yield* Effect.forEach(
    yield* broker.inbox({ limit: 50 }),
    ({ id }) => {
      const { id: endpoint = "" } = endpoints[turn++ % endpoints.length] ?? {};
      return Effect.either(broker.dispatch(id, endpoint));
    },
    { concurrency: "unbounded" },
  );
  return done.filter(({ _tag }) => _tag === "Right").length;
});
createInterface({ input: process.stdin }).on("line", (line) => {
  const order = JSON.parse(line) as { readonly receive?: { readonly id: string; readonly target?: string }; readonly handOut?: true; readonly ask?: ReadonlyArray<string> };
  if (order.receive !== undefined) {
    const { id, target } = order.receive;
    Effect.runPromise(Effect.either(broker.receive({ id, content: `do ${id}`, ...(target === undefined ? {} : { target }) }))).then(
      (done) => say(done._tag === "Right" ? { stored: id } : { refused: id, because: tag(done.left) }),
      () => {},
    );
  } else if (order.handOut === true) {
    Effect.runPromise(handOut).then(
      (handed) => say({ handed }),
      () => {},
    );
  } else if (order.ask !== undefined) {
    Effect.runPromise(Effect.forEach(order.ask, (id) => Effect.either(broker.message(id)))).then(
      (views) => say({ states: views.map((view) => (view._tag === "Right" ? view.right.state : "unknown")) }),
      () => {},
    );
  }
});
process.stdin.on("end", () => process.kill(process.pid, "SIGKILL"));
