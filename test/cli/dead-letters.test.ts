import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { assign, sendTo, setup } from "xstate";
import { invoke } from "../../src/cli/invoke.ts";
import { actorRef, openEngine, type Taskwright } from "../../src/index.ts";
import { SqliteJournal } from "../../src/journal/index.ts";
import { heldSignals, recordedStreams } from "./recorded.ts";

let folder: string;
let database: string;
let broken = true;
const done: Array<string> = [];

const check = (what: string) => {
  if (broken) throw new Error(`${what} is broken`);
  return true;
};

const order = setup({
  types: { context: {} as { paid: number }, events: {} as { type: "PAY"; amount: number } | { type: "MAIL"; to: string } | { type: "WAIT" } | { type: "TELL" } },
  guards: { works: () => check("the guard") },
  actions: {
    pay: assign({ paid: ({ context, event }) => context.paid + (event.type === "PAY" ? event.amount : 0) }),
    mail: (_, { to }: { to: string }) => {
      check("the mail");
      done.push(to);
    },
  },
}).createMachine({
  id: "order",
  context: { paid: 0 },
  initial: "open",
  on: {
    PAY: { guard: "works", actions: "pay" },
    MAIL: { actions: { type: "mail", params: ({ event }) => ({ to: event.to }) } },
    TELL: { actions: sendTo(() => actorRef("order/nobody"), { type: "PAY", amount: 1 }) },
    WAIT: ".waiting",
  },
  states: { open: {}, waiting: { after: { 1: { guard: () => check("the timer"), target: "rung" } } }, rung: {} },
});

const engine = () => openEngine({ database, machines: [order], log: () => {} });
const closing = async (use: (engine: Taskwright) => Promise<void>) => {
  const open = await engine();
  await use(open);
  await open.settled();
  await open.close();
};

/** Four dead letters: an event, an action, a message to nobody, a deadline. */
const prepared = () =>
  closing(async (open) => {
    await open.start("order", "1");
    await open.send("order/1", { type: "PAY", amount: 5 }).catch(() => {});
    await open.send("order/1", { type: "MAIL", to: "anna" });
    await open.settled();
    await open.send("order/1", { type: "TELL" });
    await open.send("order/1", { type: "WAIT" });
    await open.waitFor("order/1", ({ timers }) => Object.values(timers ?? {}).some(({ held }) => held === true));
  });

const taskwright = async (...words: ReadonlyArray<string>) => {
  const { streams, written } = recordedStreams();
  const code = await Effect.runPromise(invoke(["node", "taskwright", "dead-letters", ...words], streams, heldSignals().source));
  return { code, ...written };
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "taskwright-letters-"));
  database = join(folder, "work.db");
  broken = true;
  done.length = 0;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("cli > dead-letters", () => {
  it("lists them, all or by what they are, as a table or as JSON", async () => {
    await prepared();
    const { code, out } = await taskwright("--database", database);
    expect(code).toBe(0);
    expect(out).toMatch(
      /^ID +TIME +ADDRESS +WHAT +WHY\n1 +\S+ \S+ +order\/1 +PAY +.*\n2 +\S+ \S+ +order\/1 +action mail +the mail is broken\n3 +.* +order\/nobody +PAY +there is no actor.*\n4 .*taskwright\.timer.*\n\n4 dead letters\n$/s,
    );
    const ids = async (...words: ReadonlyArray<string>) =>
      (await taskwright(...words, "--database", database, "--json")).out
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line).id);
    expect(await ids()).toEqual([1, 2, 3, 4]);
    expect(await ids("--kind", "action")).toEqual([2]);
    expect(await ids("--address", "order/nobody")).toEqual([3]);
    expect(await ids("--type", "PAY")).toEqual([1, 3]);
    expect(await ids("--machine", "other")).toEqual([]);
    expect(await ids("--since", "2020-01-01")).toEqual([1, 2, 3, 4]);
    expect(await ids("--before", "2020-01-01")).toEqual([]);
    expect((await taskwright("--database", database, "--machine", "other")).out).toBe("no dead letters\n");
  });

  it("shows one, and says that there is none", async () => {
    await prepared();
    const { out } = await taskwright("show", "2", "--database", database);
    expect(out).toMatch(/^dead letter +2\n.*address +order\/1\nfrom +outside\naction +mail\nentry +3 of its history\n.*"to": "anna".*why +Error: the mail is broken\n/s);
    expect(JSON.parse((await taskwright("show", "1", "--database", database, "--json")).out)).toMatchObject({ id: 1, kind: "event", event: { type: "PAY", amount: 5 } });
    expect(await taskwright("show", "9", "--database", database)).toMatchObject({ code: 2, error: expect.stringContaining("there is no dead letter 9") });
  });

  it("leaves what is for an earlier child at its address, and drops it without what is for the later one", async () => {
    const child = setup({}).createMachine({ id: "child", initial: "waiting", states: { waiting: { after: { 1: { guard: () => check("the timer"), target: "rung" } } }, rung: {} } });
    const parent = setup({ types: { events: {} as { type: "AGAIN" } }, actors: { child } }).createMachine({
      id: "parent",
      initial: "on",
      states: { on: { invoke: { id: "child", src: "child" }, on: { AGAIN: { target: "on", reenter: true } } } },
    });
    const opened = () => openEngine({ database, machines: [parent, child], log: () => {} });
    const rung = (open: Taskwright) => open.waitFor("parent/1/child", ({ timers }) => Object.values(timers ?? {}).some(({ held }) => held === true));
    const first = await opened();
    await first.start("parent", "1");
    await rung(first);
    await first.send("parent/1", { type: "AGAIN" });
    await rung(first);
    await first.settled();
    await first.close();
    expect((await taskwright("requeue", "1", "--database", database, "--json")).out).toBe('{"requeued":0,"left":1}\n');
    expect((await taskwright("drop", "1", "--database", database, "--json")).out).toBe('{"dropped":1,"left":0}\n');
    expect((await taskwright("requeue", "2", "--database", database, "--json")).out).toBe('{"requeued":1,"left":0}\n');
    broken = false;
    const second = await opened();
    await second.settled();
    expect(await second.snapshot("parent/1/child")).toMatchObject({ value: "rung" });
    await second.close();
  });

  it("requeues for the next engine: events, messages, actions and deadlines", async () => {
    await prepared();
    broken = false;
    expect(await taskwright("requeue", "2", "1", "--database", database)).toMatchObject({ code: 0, out: `2 dead letters requeued; the next engine on ${database} delivers them\n` });
    expect(JSON.parse((await taskwright("requeue", "--all", "--machine", "order", "--database", database, "--json")).out)).toEqual({ requeued: 2, left: 0 });
    await closing(async (open) => {
      await open.settled();
      expect(await open.snapshot("order/1")).toMatchObject({ value: "rung", context: { paid: 5 } });
      expect(done).toEqual(["anna"]);
      expect(await open.deadLetters()).toMatchObject([{ id: 5, address: "order/nobody", from: "order/1" }]);
    });
  });

  it("drops for good, a deadline with its timer", async () => {
    await prepared();
    expect(await taskwright("drop", "4", "--database", database)).toMatchObject({ code: 0, out: "1 dead letter dropped\n" });
    // Options may stand before the second word, too.
    expect((await taskwright("--database", database, "--kind", "action", "drop", "--all")).out).toBe("1 dead letter dropped\n");
    expect((await taskwright("drop", "--all", "--database", database)).out).toBe("2 dead letters dropped\n");
    await closing(async (open) => {
      await open.settled();
      expect((await open.snapshot("order/1")).timers).toEqual({});
      expect(await open.deadLetters()).toEqual([]);
    });
  });

  it("keeps who took them, and why, for the next engine's histories", async () => {
    await prepared();
    broken = false;
    expect(await taskwright("requeue", "1", "2", "--by", "anna", "--why", "it was mended", "--database", database)).toMatchObject({ code: 0 });
    expect(await taskwright("drop", "3", "--database", database)).toMatchObject({ code: 0 });
    expect(await taskwright("drop", "4", "--by", "a/b", "--database", database)).toMatchObject({ code: 2, error: expect.stringContaining("no slash") });
    expect((await taskwright("show", "3", "--database", database)).error).toContain("taskwright history dead-letters/taken");
    await closing(async (open) => {
      await open.settled();
      expect((await open.history("dead-letters/taken")).slice(1)).toMatchObject([
        {
          from: "anna",
          event: {
            type: "REQUEUED",
            why: "it was mended",
            letters: [
              { id: 1, address: "order/1", type: "PAY" },
              { id: 2, address: "order/1", type: "mail" },
            ],
          },
        },
        { from: userInfo().username, event: { type: "DROPPED", letters: [{ id: 3, address: "order/nobody", type: "PAY" }] } },
      ]);
    });
  });

  it("refuses what is unclear or unknown, and then touches nothing", async () => {
    await prepared();
    for (const words of [[], ["1", "--all"], ["1", "--type", "PAY"]]) expect((await taskwright("drop", ...words, "--database", database)).code).toBe(2);
    expect(await taskwright("requeue", "1", "77", "--database", database)).toMatchObject({ code: 2, error: expect.stringContaining("no dead letter 77") });
    expect((await taskwright("--database", database)).out).toContain("4 dead letters");
    expect(await taskwright("drop", "--all", "--database", join(folder, "none.db"))).toMatchObject({ code: 2, error: expect.stringContaining("there is no such file") });
  });

  it("refuses to take letters from under an engine, naming its call; looking is fine", async () => {
    await prepared();
    await closing(async () => {
      const { code, error } = await taskwright("requeue", "1", "2", "--database", database);
      expect(code).toBe(2);
      expect(error).toContain("engine.requeue([1,2])");
      expect((await taskwright("--database", database)).out).toContain("4 dead letters");
    });
  });

  it("leaves it known that the last engine crashed", async () => {
    await prepared();
    const open = (id: string) =>
      Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const journal = yield* SqliteJournal.make({ file: database });
            const opened = yield* journal.open({ id, pid: 1, host: "elsewhere", now: 1, leaseMs: 1, isAlive: () => true });
            return { opened, attempts: yield* journal.attempts };
          }),
        ),
      );
    await open("crashed");
    expect((await taskwright("drop", "1", "--database", database)).code).toBe(0);
    expect(await open("next")).toMatchObject({ opened: { released: true }, attempts: [{ kind: "opening", count: 1 }] });
  });
});
