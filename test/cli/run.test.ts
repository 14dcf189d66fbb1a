import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import * as Either from "effect/Either";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { run } from "../../src/cli/run.ts";
import { JournalOwned } from "../../src/journal/index.ts";
import { failed, heldSignals, heldWork, recordedStreams, result } from "./recorded.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "taskwright-cli-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const two = '{"id":"a","command":"x"}\n{"id":"b","command":"y","retries":1}\n';

/** Runs with a dispatcher that the test moves by hand. */
const begin = (input: string, held: ReturnType<typeof heldWork>, options: { readonly json?: boolean; readonly isTerminal?: boolean } = {}) => {
  const { streams, written } = recordedStreams({ input, isTerminal: options.isTerminal ?? false });
  const signals = heldSignals();
  const ended = Effect.runPromise(
    Effect.either(run({ file: "-", database: join(folder, "work.db"), slots: 2, json: options.json ?? false }, { streams, signals: signals.source, openWork: async () => held.work })),
  );
  return { ended, written, signals };
};

describe("cli > run", () => {
  it("tells each step on its own line, ends with a summary and 1 when a task is dead", async () => {
    const held = heldWork(() => {
      held.move("a", "running", { attempts: 1 });
      held.move("a", "done", { attempts: 1, result: result(0) });
      held.move("b", "running", { attempts: 1 });
      held.move("b", "backingOff", { attempts: 1, failure: failed("exit code 3"), at: 0, until: 500 });
      held.move("b", "running", { attempts: 2, failures: 1 });
      held.move("b", "dead", { attempts: 2, failure: failed("exit code 3"), result: result(3, "it broke\n") });
    });
    const { ended, written } = begin(two, held);
    expect(await ended).toEqual(Either.right(1));
    expect(written.out.replace(/dead, in .*$/m, "dead, in no time").split("\n")).toEqual([
      `2 tasks on 2 slots, journal ${join(folder, "work.db")}`,
      "started   a",
      "done      a in 20 ms",
      "started   b",
      "retrying  b: exit code 3; again in 0.5 s",
      "started   b (attempt 2 of 2)",
      "dead      b: exit code 3 (2 attempts)",
      "",
      "2 tasks: 1 done, 1 dead, in no time",
      "",
      "  dead b: exit code 3 (2 attempts)",
      "    | it broke",
      "",
    ]);
    expect(held.calls).toEqual(["submit", "close"]);
  });

  it("succeeds with 0 when all are done, and writes one JSON object per line for programs", async () => {
    const held = heldWork(() => {
      held.move("a", "done", { attempts: 1, result: result(0) });
      held.move("b", "done", { attempts: 1, result: result(0) });
    });
    const { ended, written } = begin(two, held, { json: true });
    expect(await ended).toEqual(Either.right(0));
    const lines = written.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map(({ event, id }) => [event, id])).toEqual([
      ["begin", undefined],
      ["done", "a"],
      ["done", "b"],
      ["summary", undefined],
    ]);
    expect(lines[3]).toMatchObject({ total: 2, done: 2, failed: 0, endedBefore: 0, tasks: [] });
  });

  it("draws one line on a terminal and leaves above it what went wrong", async () => {
    const held = heldWork(() => {
      held.move("a", "running", { attempts: 1 });
      held.move("a", "done", { attempts: 1, result: result(0) });
      held.move("b", "dead", { attempts: 1, failure: failed("exit code 3") });
    });
    const { ended, written } = begin(two, held, { isTerminal: true });
    await ended;
    expect(written.out).toContain("\r\u001b[K");
    expect(written.out).toContain("dead      b: exit code 3\n");
    expect(written.out).not.toContain("started");
  });

  it("drains at the first signal: says so, lets commands end, and leaves with 130", async () => {
    const held = heldWork(() => {
      held.move("a", "running", { attempts: 1 });
      signals.send("SIGINT");
    });
    const { ended, written, signals } = begin(two, held);
    await held.drainAsked;
    held.move("a", "done", { attempts: 1, result: result(0) });
    held.letDrain();
    expect(await ended).toEqual(Either.right(130));
    expect(written.error).toBe("SIGINT: nothing new is started, waiting for 1 running command to end; once more to stop at once\n");
    expect(written.out).toContain("2 tasks: 1 done, 1 not ended");
    expect(held.calls).toEqual(["submit", "drain", "close"]);
    expect(signals.listening()).toBe(0);
  });

  it("stops at once at the second signal and leaves with 143", async () => {
    const held = heldWork(() => {
      held.move("a", "running", { attempts: 1 });
      signals.send("SIGTERM");
    });
    const { ended, written, signals } = begin(two, held);
    await held.drainAsked;
    signals.send("SIGTERM");
    expect(await ended).toEqual(Either.right(143));
    expect(held.calls).toEqual(["submit", "drain", "stop", "close"]);
    expect(written.error).toContain("stopping at once; run the same file again to go on");
  });

  it("gives 0 when everything ended while it drained", async () => {
    const held = heldWork(() => signals.send("SIGINT"));
    const { ended, signals } = begin(two, held);
    await held.drainAsked;
    held.move("a", "done");
    held.move("b", "done");
    held.letDrain();
    expect(await ended).toEqual(Either.right(0));
  });

  it("fails with the cause when the engine stops under it", async () => {
    const held = heldWork(() => {
      held.health.state = "stopped";
      held.health.cause = { name: "JournalFenced", message: "it was taken over" };
    });
    const { ended } = begin(two, held);
    const failure = Either.getOrThrow(Either.flip(await ended)) as Error;
    expect(failure.message).toContain("the engine stopped: it was taken over");
    expect(held.calls).toEqual(["submit", "close"]);
  });

  it("runs nothing when a line is bad, and gives the problems to programs as JSON", async () => {
    const held = heldWork();
    const { ended, written } = begin(`${two}{"id":"a"}\n`, held, { json: true });
    const failure = Either.getOrThrow(Either.flip(await ended)) as Error;
    expect(failure.message).toBe(['standard input:3: "command" is missing', 'standard input:3: the id "a" is already used on line 1', "2 problems; nothing was run"].join("\n"));
    expect(JSON.parse(written.out)).toMatchObject({ event: "refused", problems: [{ line: 3 }, { line: 3 }] });
    expect(held.calls).toEqual([]);
  });

  it("fails with the typed error of a journal that another engine owns", async () => {
    const owned = new JournalOwned({ where: "work.db", pid: 1, host: "h", since: 0, until: 1 });
    const { streams } = recordedStreams({ input: two });
    const ended = await Effect.runPromise(
      Effect.either(run({ file: "-", database: join(folder, "work.db"), slots: 1, json: false }, { streams, signals: heldSignals().source, openWork: () => Promise.reject(owned) })),
    );
    expect(ended).toEqual(Either.left(owned));
  });

  it("names a task file that is not there, or is a folder", async () => {
    for (const [file, text] of [
      [join(folder, "nothing.jsonl"), "there is no such file"],
      [folder, "this is a folder"],
    ] as const) {
      const ended = await Effect.runPromise(
        Effect.either(
          run({ file, database: join(folder, "work.db"), slots: 1, json: false }, { streams: recordedStreams().streams, signals: heldSignals().source, openWork: async () => heldWork().work }),
        ),
      );
      expect((Either.getOrThrow(Either.flip(ended)) as Error).message).toContain(text);
    }
  });

  it("reads a file's relative folders from where the file lies", async () => {
    const file = join(folder, "tasks.jsonl");
    writeFileSync(file, '{"id":"a","command":"x"}\n');
    let cwd: string | undefined;
    const held = heldWork(([spec]) => {
      cwd = (spec?.input as { readonly cwd?: string } | undefined)?.cwd;
      held.move("a", "done");
    });
    await Effect.runPromise(
      run({ file, database: join(folder, "work.db"), slots: 1, json: false }, { streams: recordedStreams().streams, signals: heldSignals().source, openWork: async () => held.work }),
    );
    expect(cwd).toBe(folder);
  });
});
