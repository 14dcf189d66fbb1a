import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type CommandLine, type Dispatcher, dispatchMachines, openDispatcher, type TaskSpec, type WorkerTransport } from "../../src/dispatch/index.ts";
import { makeSubprocesses } from "../../src/dispatch/subprocess.ts";
import type { Work } from "../../src/dispatch/worker-protocol.ts";
import { openEngine, type Taskwright } from "../../src/engine/index.ts";
import { type Compiled, compile } from "./compiled.ts";
import { type Puppet, Stage } from "./puppets/stage.ts";

const puppetFile = (name: string) => fileURLToPath(new URL(`puppets/${name}`, import.meta.url));

let compiled: Compiled;
let stage: Stage;
const cleaners: Array<() => unknown> = [];

beforeAll(() => {
  compiled = compile();
});
afterAll(() => compiled?.remove());
beforeEach(async () => {
  stage = await new Stage().open();
});
afterEach(async () => {
  for (const clean of cleaners.splice(0).reverse()) await clean();
  await stage.close();
});

type Event = { readonly type: string; readonly [key: string]: unknown };

/** What an offer of a command does not need. */
const nothing = { budget: {}, executionTimeoutMs: 60_000, session: undefined, question: undefined, answer: undefined, needs: {}, folder: undefined };

/** Worker processes without an engine: a test gives the orders and hears the reports. */
class Hands {
  readonly subprocesses: WorkerTransport;
  readonly reports: Array<readonly [string, Event]> = [];
  readonly #waiters = new Set<() => void>();
  #life = 1;

  constructor(program = compiled.workerProgram) {
    this.subprocesses = makeSubprocesses(program);
    this.subprocesses.attach((address, event) => {
      this.reports.push([address, event as never]);
      for (const waiter of [...this.#waiters]) waiter();
    });
    cleaners.push(() => this.subprocesses.endAll());
  }

  start(address = "worker/1", incarnation = 1): Promise<Event> {
    this.#life = incarnation;
    this.subprocesses.start?.(address, incarnation);
    return this.heard(address, "READY", (event) => event.incarnation === incarnation);
  }
  stop(address = "worker/1"): void {
    this.subprocesses.stop(address);
  }
  offer(id: string, more: Partial<Work> = {}, attempt = 1, worker = "worker/1", incarnation = this.#life): void {
    const input = { command: { argv: stage.argv }, cwd: tmpdir(), env: {}, ...more };
    this.subprocesses.offer({ ...nothing, worker, incarnation, assignment: assignmentOf(id), attempt, task: more.id ?? id, kind: "command", input });
  }
  revoke(id: string, force: boolean, attempt = 1, worker = "worker/1"): void {
    this.subprocesses.revoke({ worker, incarnation: this.#life, assignment: assignmentOf(id), attempt, force });
  }
  /** The first report of this kind, now or later. */
  heard(address: string, type: string, fits: (event: Event) => boolean = () => true): Promise<Event> {
    return new Promise((resolve) => {
      const look = () => {
        const found = this.reports.find(([from, event]) => from === address && event.type === type && fits(event));
        if (found === undefined) return;
        this.#waiters.delete(look);
        resolve(found[1]);
      };
      this.#waiters.add(look);
      look();
    });
  }
  ended(id: string, attempt = 1): Promise<Event> {
    return this.heard(assignmentOf(id), "ENDED", (event) => event.attempt === attempt);
  }
  /** Offers a command that calls the stage, and waits for both. */
  async perform(id: string, more: Partial<Work> = {}, attempt = 1): Promise<Puppet> {
    this.offer(id, more, attempt);
    await this.heard(assignmentOf(id), "ACCEPTED", (event) => event.attempt === attempt);
    return stage.next(id);
  }
  types(id: string): ReadonlyArray<string> {
    return this.reports.filter(([from]) => from === assignmentOf(id)).map(([, event]) => event.type);
  }
}
const assignmentOf = (id: string) => `task/${id}/assignment`;

/** Processes on this machine whose command line holds these words. */
const processesWith = (words: string): ReadonlyArray<number> =>
  readdirSync("/proc").flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      return readFileSync(`/proc/${entry}/cmdline`, "utf8").replaceAll("\0", " ").includes(words) ? [Number(entry)] : [];
    } catch {
      return [];
    }
  });
/** Comes back when there are none any more: a process that is being killed needs a moment. */
const noneLeftWith = async (words: string): Promise<void> => {
  while (processesWith(words).length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
};
/** The process that a puppet was begun by. */
const parentOf = (pid: number): number => Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

const hasProc = existsSync("/proc/self/cmdline");

describe("dispatch > subprocess > command", () => {
  test("its exit code, output and time are reported", async () => {
    const hands = new Hands();
    await hands.start();
    const puppet = await hands.perform("a");
    puppet.tell("print", { stream: "stdout", text: "out" });
    puppet.tell("print", { stream: "stderr", text: "err" });
    puppet.tell("exit", { code: 0 });
    const { durationMs, ...result } = (await hands.ended("a")).result as { durationMs: number };
    expect(result).toEqual({ exitCode: 0, signal: null, stdout: "out", stderr: "err" });
    expect(durationMs).toBeGreaterThan(0);
    expect(hands.types("a")).toEqual(["ACCEPTED", "ENDED"]);
    expect(hands.reports.at(-1)?.[1]).toMatchObject({ attempt: 1, outcome: "ok" });
  });

  test("another exit code and a signal are failures with a reason", async () => {
    const hands = new Hands();
    await hands.start();
    (await hands.perform("a")).tell("exit", { code: 3 });
    expect(await hands.ended("a")).toMatchObject({ outcome: "error", result: { exitCode: 3, signal: null }, failure: { code: "command_failed", message: "the command ended with exit code 3" } });
    (await hands.perform("b")).tell("die", { signal: "SIGTERM" });
    expect(await hands.ended("b")).toMatchObject({ outcome: "error", result: { exitCode: null, signal: "SIGTERM" }, failure: { message: "the command was ended by SIGTERM" } });
  });

  test("the last 64 KiB of each stream are kept", async () => {
    const hands = new Hands();
    await hands.start();
    const puppet = await hands.perform("a");
    puppet.tell("print", { stream: "stdout", text: "0123456789abcdef", times: 20_000 });
    puppet.tell("print", { stream: "stdout", text: "the end" });
    puppet.tell("print", { stream: "stderr", text: "x", times: 65_536 });
    puppet.tell("exit", { code: 0 });
    const { stdout, stderr } = (await hands.ended("a")).result as { stdout: string; stderr: string };
    expect(stdout).toHaveLength(65_536);
    expect(stdout.endsWith("cdefthe end")).toBe(true);
    expect(stderr).toBe("x".repeat(65_536));
  });

  test("a tail begins with a whole character", async () => {
    const hands = new Hands();
    await hands.start();
    const puppet = await hands.perform("a");
    // 65,536 is no multiple of its three bytes.
    puppet.tell("print", { stream: "stdout", text: "€", times: 40_000 });
    puppet.tell("print", { stream: "stderr", text: "😀", times: 30 });
    puppet.tell("exit", { code: 0 });
    expect((await hands.ended("a")).result).toMatchObject({ stdout: "€".repeat(21_845), stderr: "😀".repeat(30) });
  });

  test("it knows its task and attempt, and runs in its folder with its environment", async () => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), "taskwright-cwd-")));
    cleaners.push(() => rmSync(folder, { recursive: true }));
    const hands = new Hands();
    await hands.start();
    const puppet = await hands.perform("a task", { cwd: folder, env: { COLOUR: "red", TASKWRIGHT_TASK: "another" } }, 4);
    expect(puppet.who).toMatchObject({ task: "a task", attempt: "4", colour: "red", cwd: folder });
  });

  test("a line for the shell is run by the shell", async () => {
    const hands = new Hands();
    await hands.start();
    hands.offer("a", { command: { shell: 'echo "$TASKWRIGHT_TASK $TASKWRIGHT_ATTEMPT" | tr a-z A-Z; exit 4' } }, 2);
    expect(await hands.ended("a", 2)).toMatchObject({ outcome: "error", result: { exitCode: 4, stdout: "A 2\n" } });
  });

  test.each([
    ["a program that is not there", { command: { argv: ["/no/such/program"] } }, /could not be started: .*ENOENT/],
    ["a folder that is not there", { command: { argv: [process.execPath] }, cwd: "/no/such/folder" }, /could not be started: there is no folder "\/no\/such\/folder"/],
    ["a program that is none", { command: { argv: [tmpdir()] } }, /could not be started: .*EACCES/],
    ["no program at all", { command: { argv: [] } }, /could not be started: .*empty/],
    ["words that no program can be given", { command: { argv: ["echo", "a\0b"] } }, /could not be started: .*null bytes/],
  ] as const)("%s is a failure of its attempt", async (_, work, reason) => {
    const hands = new Hands();
    await hands.start();
    hands.offer("a", work);
    expect(await hands.ended("a")).toMatchObject({ attempt: 1, outcome: "error", failure: { code: "command_failed", message: expect.stringMatching(reason) } });
    expect(hands.types("a")).toEqual(["ACCEPTED", "ENDED"]);
    // The worker goes on.
    (await hands.perform("b")).tell("exit", { code: 0 });
    expect(await hands.ended("b")).toMatchObject({ outcome: "ok" });
  });

  test("one that is revoked hears SIGTERM, then is killed with all that it began", async () => {
    const hands = new Hands();
    await hands.start();
    const puppet = await hands.perform("a");
    puppet.tell("breed", { name: "child" });
    const child = await stage.next("child");
    const both = [puppet.heard("SIGTERM"), child.heard("SIGTERM")];
    hands.revoke("a", false);
    await Promise.all(both);
    // Another attempt's revocation does not touch it.
    hands.revoke("a", true, 2);
    puppet.tell("print", { stream: "stdout", text: "still here" });
    hands.revoke("a", true);
    await Promise.all([puppet.gone, child.gone]);
    expect(await hands.ended("a")).toMatchObject({ outcome: "error", result: { signal: "SIGKILL" } });
  });

  test("what it leaves running in its group ends with it", async () => {
    const hands = new Hands();
    await hands.start();
    const puppet = await hands.perform("a");
    puppet.tell("breed", { name: "child" });
    const child = await stage.next("child");
    puppet.tell("print", { stream: "stdout", text: "done" });
    puppet.tell("exit", { code: 0 });
    expect(await hands.ended("a")).toMatchObject({ outcome: "ok", result: { stdout: "done" } });
    await child.gone;
  });

  test("a descendant that left the group and keeps the output open does not hold the slot", async () => {
    const hands = new Hands();
    await hands.start();
    const puppet = await hands.perform("a");
    puppet.tell("breed", { name: "daemon", detached: true });
    const daemon = await stage.next("daemon");
    puppet.tell("print", { stream: "stdout", text: "x", times: 50_000 });
    puppet.tell("exit", { code: 0 });
    expect(await hands.ended("a")).toMatchObject({ outcome: "ok", result: { exitCode: 0, stdout: "x".repeat(50_000) } });
    // It is nobody's any more: that is what leaving the group means.
    daemon.tell("exit", { code: 0 });
    await daemon.gone;
  });
});

describe("dispatch > subprocess > worker", () => {
  test("signals that a terminal sends to all do not end it", async () => {
    const hands = new Hands();
    await hands.start();
    const puppet = await hands.perform("a");
    const worker = parentOf(puppet.who.pid);
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const) process.kill(worker, signal);
    puppet.tell("exit", { code: 0 });
    expect(await hands.ended("a")).toMatchObject({ outcome: "ok" });
  });

  test("one that is killed is reported lost, after its commands were ended", async () => {
    const hands = new Hands();
    await hands.start();
    const puppet = await hands.perform("a");
    puppet.tell("breed", { name: "child" });
    const child = await stage.next("child");
    process.kill(parentOf(puppet.who.pid), "SIGKILL");
    expect(await hands.heard("worker/1", "LOST")).toEqual({ type: "LOST", incarnation: 1, reason: "its process ended (SIGKILL)" });
    await Promise.all([puppet.gone, child.gone]);
  });

  test("one that ends by itself is reported lost with its exit code", async () => {
    const hands = new Hands(puppetFile("quitter.mjs"));
    void hands.start();
    expect(await hands.heard("worker/1", "LOST")).toMatchObject({ incarnation: 1, reason: "its process ended (exit code 7)" });
  });

  test("one that is stopped takes its commands with it and says nothing more", async () => {
    const hands = new Hands();
    await hands.start();
    const puppet = await hands.perform("a");
    const { length } = hands.reports;
    hands.stop();
    await puppet.gone;
    await hands.subprocesses.endAll();
    expect(hands.reports).toHaveLength(length);
  });

  test("a new process under the same name takes over; the old one's commands end", async () => {
    const hands = new Hands();
    await hands.start("worker/1", 1);
    const puppet = await hands.perform("a");
    await hands.start("worker/1", 2);
    await puppet.gone;
    (await hands.perform("a", {}, 2)).tell("exit", { code: 0 });
    expect(await hands.ended("a", 2)).toMatchObject({ outcome: "ok" });
    expect(hands.types("a")).toEqual(["ACCEPTED", "ACCEPTED", "ENDED"]);
    expect(hands.reports.some(([, { type }]) => type === "LOST")).toBe(false);
  });

  test.runIf(hasProc)("a command that was begun in the moment in which its worker is stopped is ended too", async () => {
    const hands = new Hands();
    for (let round = 1; round <= 12; round++) {
      await hands.start("worker/1", round);
      hands.offer(`a${round}`, { command: { argv: [...stage.argv, `straggler${round}`] } });
      if (round % 3 === 1) await hands.heard(assignmentOf(`a${round}`), "ACCEPTED");
      // Otherwise some turns of the event loop later, which is anywhere on the way to its acceptance.
      else for (let turn = 0; turn < 3 * round; turn++) await new Promise((resolve) => setImmediate(resolve));
      hands.stop();
    }
    await hands.subprocesses.endAll();
    await noneLeftWith(stage.socketPath);
  });

  test("what was offered to an earlier process is not begun by a later one", async () => {
    const hands = new Hands();
    await hands.start("worker/1", 2);
    const command = { argv: ["true"] };
    hands.offer("old", { command }, 1, "worker/1", 1);
    hands.offer("new", { command }, 1, "worker/1", 2);
    await hands.heard(assignmentOf("new"), "ENDED");
    expect(hands.reports.filter(([address]) => address === assignmentOf("old"))).toEqual([]);
  });

  test("ending all waits for the last one, also for one that hangs, and drops later orders", async () => {
    const hands = new Hands();
    await Promise.all([hands.start("worker/1"), hands.start("worker/2")]);
    const puppet = await hands.perform("a");
    const worker = parentOf(puppet.who.pid);
    process.kill(worker, "SIGSTOP");
    const { length } = hands.reports;
    await hands.subprocesses.endAll();
    await puppet.gone;
    expect(() => process.kill(worker, 0)).toThrow("ESRCH");
    void hands.start("worker/1", 2);
    hands.offer("b");
    await hands.subprocesses.endAll();
    expect(hands.reports).toHaveLength(length);
  });

  test("nothing is started before anybody listens", () => {
    const subprocesses = makeSubprocesses(compiled.workerProgram);
    cleaners.push(() => subprocesses.endAll());
    subprocesses.start?.("worker/1", 1);
    // An order for a worker that is not there is dropped: its loss is on its way.
    subprocesses.offer({ ...nothing, worker: "worker/1", incarnation: 1, assignment: "task/a/assignment", attempt: 1, task: "a", kind: "command", input: {} });
    subprocesses.stop("worker/1");
    return expect(subprocesses.endAll()).resolves.toBeUndefined();
  });
});

describe("dispatch > subprocess > engine", () => {
  const open = async (slots: number): Promise<{ readonly engine: Taskwright; readonly dispatcher: Dispatcher }> => {
    const dispatch = dispatchMachines({ transports: { command: makeSubprocesses(compiled.workerProgram) } });
    const engine = await openEngine({ machines: [], plugins: [dispatch] });
    cleaners.push(() => engine.close({ grace: 0 }));
    const dispatcher = await openDispatcher(engine, dispatch, { slots });
    cleaners.push(() => dispatcher.stop());
    return { engine, dispatcher };
  };
  const task = (id: string, command: CommandLine = { argv: stage.argv }, more: Partial<TaskSpec> = {}): TaskSpec => ({ id, input: { command, cwd: tmpdir() }, ...more });

  test("short commands are carried out, and what they left is kept", async () => {
    const { dispatcher } = await open(2);
    await dispatcher.submit([
      task("good", { argv: ["sh", "-c", "echo $TASKWRIGHT_TASK"] }),
      task("bad", { shell: "echo oops >&2; exit 3" }),
      task("flaky", { shell: '[ "$TASKWRIGHT_ATTEMPT" -ge 2 ]' }, { retry: { attemptsMax: 1 + 1 } }),
      task("after", { shell: "true" }, { needs: ["good", "flaky"] }),
      task("never", { shell: "true" }, { needs: ["bad"] }),
    ]);
    const [good, bad, flaky, after, never] = await dispatcher.whenEnded(["good", "bad", "flaky", "after", "never"]);
    expect(good).toMatchObject({ state: "done", attempts: 1, result: { exitCode: 0, stdout: "good\n" } });
    expect(bad).toMatchObject({ state: "dead", failure: { message: "the command ended with exit code 3" }, result: { stderr: "oops\n" } });
    expect(flaky).toMatchObject({ state: "done", attempts: 2 });
    expect(after).toMatchObject({ state: "done" });
    expect(never).toMatchObject({ state: "cancelled" });
  });

  test("output that is no text is stored, whatever it is", async () => {
    const { dispatcher } = await open(1);
    await dispatcher.submit([task("a", { shell: "head -c 100000 /dev/zero; head -c 100000 /dev/urandom >&2" })]);
    const [view] = await dispatcher.whenEnded(["a"]);
    expect(view).toMatchObject({ state: "done", result: { stdout: "\0".repeat(65_536) } });
  });

  test("a worker that is killed from outside takes its command with it, and the task runs again", async () => {
    const { dispatcher } = await open(1);
    await dispatcher.submit([task("a")]);
    const first = await stage.next("a");
    first.tell("breed", { name: "child" });
    const child = await stage.next("child");
    process.kill(parentOf(first.who.pid), "SIGKILL");
    await Promise.all([first.gone, child.gone]);
    const second = await stage.next("a");
    expect(second.who.attempt).toBe("2");
    second.tell("exit", { code: 0 });
    expect((await dispatcher.whenEnded(["a"]))[0]).toMatchObject({ state: "done", attempts: 2 });
  });

  test("a command that kills its own worker each time is given up, and the next one runs", async () => {
    const { dispatcher } = await open(1);
    await dispatcher.submit([task("deadly", { shell: "kill -9 $PPID" }), task("next", { shell: "true" })]);
    const [deadly, next] = await dispatcher.whenEnded(["deadly", "next"]);
    expect(deadly).toMatchObject({ state: "dead", attempts: 6, failure: { code: "worker_lost" } });
    expect(next).toMatchObject({ state: "done", attempts: 1 });
  });

  test("a worker that hangs is replaced, and what it was offered runs elsewhere", async () => {
    const dispatch = dispatchMachines({ transports: { command: makeSubprocesses(compiled.workerProgram) } });
    const engine = await openEngine({ machines: [], plugins: [dispatch] });
    cleaners.push(() => engine.close({ grace: 0 }));
    const dispatcher = await openDispatcher(engine, dispatch, { slots: 1, defaults: { acceptanceTimeoutMs: 2_500 } });
    cleaners.push(() => dispatcher.stop());
    await dispatcher.submit([task("first")]);
    const first = await stage.next("first");
    const worker = parentOf(first.who.pid);
    first.tell("exit", { code: 0 });
    await dispatcher.whenEnded(["first"]);
    process.kill(worker, "SIGSTOP");
    await dispatcher.submit([task("a")]);
    const puppet = await stage.next("a");
    expect(puppet.who.attempt).toBe("2");
    expect(parentOf(puppet.who.pid)).not.toBe(worker);
    puppet.tell("exit", { code: 0 });
    expect((await dispatcher.whenEnded(["a"]))[0]).toMatchObject({ state: "done", attempts: 2 });
    while (isAlive(worker)) await new Promise((resolve) => setTimeout(resolve, 10));
  });

  test("a cancel reaches the command", async () => {
    const { dispatcher } = await open(1);
    await dispatcher.submit([task("a")]);
    const puppet = await stage.next("a");
    const heard = puppet.heard("SIGTERM");
    await dispatcher.cancel("a", { by: "tester", why: "not wanted" });
    await heard;
    puppet.tell("exit", { code: 5 });
    expect((await dispatcher.whenEnded(["a"]))[0]).toMatchObject({ state: "cancelled", result: { exitCode: 5 }, failure: { message: "not wanted" } });
  });

  test("stopping ends the commands before it comes back", async () => {
    const { dispatcher, engine } = await open(2);
    await dispatcher.submit([task("a"), task("b")]);
    const puppets = [await stage.next("a"), await stage.next("b")];
    await dispatcher.stop();
    await Promise.all(puppets.map(({ gone }) => gone));
    for (const id of ["a", "b"]) expect(await engine.snapshot(`task/${id}`)).toMatchObject({ value: "queued" });
  });

  describe("in a process of its own", () => {
    const host = (database: string): ChildProcess => {
      const child = spawn(process.execPath, [puppetFile("host.mjs"), compiled.dist, database, ...stage.argv], { stdio: ["ignore", "inherit", "inherit"] });
      cleaners.push(() => child.kill("SIGKILL"));
      return child;
    };

    test("killed with SIGKILL, it leaves no worker and no command behind, and the next one runs them again", async () => {
      const folder = mkdtempSync(join(tmpdir(), "taskwright-host-"));
      cleaners.push(() => rmSync(folder, { recursive: true }));
      const database = join(folder, "work.db");
      const child = host(database);
      const puppets = [await stage.next("one"), await stage.next("two")];
      puppets[0]?.tell("breed", { name: "child" });
      const grandchild = await stage.next("child");
      const workers = puppets.map(({ who }) => parentOf(who.pid));
      const exited = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await Promise.all([exited, grandchild.gone, ...puppets.map(({ gone }) => gone)]);
      for (const worker of workers) while (isAlive(worker)) await new Promise((resolve) => setTimeout(resolve, 10));
      host(database);
      for (const id of ["one", "two"]) expect((await stage.next(id)).who.attempt).toBe("2");
    });
  });
});

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};
