import * as Effect from "effect/Effect";
import * as Either from "effect/Either";
import * as Exit from "effect/Exit";
import * as Scope from "effect/Scope";
import * as readline from "node:readline";
import { SqliteJournal } from "../../../src/journal/index.ts";
import { actor, engine, entry, turn } from "../../../src/testing/journal-conformance/rows.ts";

/**
 * An engine in a process of its own: opens the journal and does what the lines on its input say. Answers each with
 * one line of JSON. Arguments: file, driver, id of the engine, now.
 */
const [file, driver, id, now] = process.argv.slice(-4) as [string, "better-sqlite3" | "node:sqlite", string, string];
const say = (answer: unknown) => process.stdout.write(`${JSON.stringify(answer)}\n`);
const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const attempt = async (effect: Effect.Effect<unknown, object>) => {
  const result = await Effect.runPromise(Effect.either(effect));
  say(Either.isLeft(result) ? { failed: { ...result.left } } : { done: result.right ?? null });
};

const scope = await Effect.runPromise(Scope.make());
const journal = await Effect.runPromise(Scope.extend(SqliteJournal.make({ file, driver }), scope));
say("ready");

for await (const line of readline.createInterface({ input: process.stdin })) {
  const [order, argument] = line.split(" ");
  const n = Number(argument);
  if (order === "open") await attempt(journal.open(engine({ id, pid: process.pid, now: Number(now), isAlive })));
  else if (order === "commit") await attempt(journal.commit(turn({ created: [actor(n)], history: [entry(n, n, 1)] })));
  else if (order === "renew") await attempt(journal.renew(n));
  else say({ failed: `unknown order ${line}` });
}
await Effect.runPromise(Scope.close(scope, Exit.void));
