import * as Effect from "effect/Effect";
import { describe, expect } from "vitest";
import { assign, setup } from "xstate";
import { delivered, retry } from "../../src/delivery/index.ts";
import type { Command } from "../../src/domain/inbox.ts";
import type { NewEntry, OutboxPolicy, Verdict } from "../../src/domain/outbox.ts";
import { type Bench, inBothJournals, inThreeModes, inTwoModes } from "../../src/testing/index.ts";
import { Receiver } from "../delivery/receiver.ts";
import { Host, message, verdictOf } from "./host.ts";

/** As an agent's link to its conductor: messages keep their order, and a restart keeps the back-off. */
const policy: Partial<OutboxPolicy> = { retry: { attemptsMax: 1_000_000, backoff: { kind: "exponential", baseMs: 1_000, capMs: 32_000 } }, restartClearsBackoff: false };

const task = setup({
  types: { context: {} as { said: ReadonlyArray<string> }, events: {} as { type: "SAY"; text: string } },
  actions: { hear: assign({ said: ({ context, event }) => [...context.said, event.text] }) },
}).createMachine({ id: "task", context: { said: [] }, on: { SAY: { actions: "hear" } } });

/** A link whose other end answers with a status, which a test sets. */
class Link {
  status: number | undefined = 200;
  readonly receiver = new Receiver((entry) => this.rule(entry));
  /** By type, where one answers differently. */
  readonly byType = new Map<string, number | undefined>();
  rule({ type }: { readonly type: string }): Verdict | undefined {
    return verdictOf(this.byType.has(type) ? this.byType.get(type) : this.status);
  }
  get keys() {
    return this.receiver.keys;
  }
}

const openHost = async (bench: Bench, link: Link, handler?: (command: Command, signal: AbortSignal) => unknown) =>
  Host.open(bench, {
    outboxes: { up: { destination: link.receiver.destination, policy } },
    inboxes: { down: { outbox: "up", ...(handler === undefined ? {} : { handler }) } },
    machines: [task],
  });
const deliver = (host: Host, entry: NewEntry) => host.outboxes.deliver("up", entry);

const command = (createdAt: number, requestId: string, more: Partial<Command> = {}): Command => ({ cursor: { createdAt, requestId }, type: "say", payload: {}, ...more });
const say = (createdAt: number, requestId: string): Command => command(createdAt, requestId, { to: "task/1", event: { type: "SAY", text: requestId } });
const acknowledgements = (link: Link) => link.receiver.calls.filter(({ entry }) => entry.type === "acknowledgement").map(({ entry }) => entry.payload);

describe("scenarios > conductor", () => {
  inThreeModes("A1 an event is stored, then sent; the caller hears whether it was taken, waits, or was refused for good", async (bench) => {
    const link = new Link();
    const host = await openHost(bench, link);
    expect(await host.call(deliver(host, message("taken")))).toEqual({ delivered: true });
    link.status = 503;
    expect(await host.call(deliver(host, message("waits")))).toEqual({ delivered: false, pending: true });
    expect(await host.keys("up", "pending")).toEqual(["waits"]);
    link.byType.set("ack", 422);
    expect(await host.failure(deliver(host, message("refused", { type: "ack" })))).toMatchObject({ _tag: "DeliveryRefused", key: "refused", reason: "status 422" });
    expect(await host.keys("up")).toEqual(["waits"]);
    expect(host.heard).toContainEqual({ type: "outbox.refused", key: "refused", reason: "status 422" });
    const history = await host.engine.taskwright.history("outbox/up", { limit: 1_000 });
    expect(JSON.stringify(history.map(({ event }) => event))).toContain('"verdict":"refused","reason":"status 422"');
  });

  inThreeModes("A2 no status, 5xx, 408 and 429 are tried again, everything else is final", async (bench) => {
    const link = new Link();
    const host = await openHost(bench, link);
    const statuses = [undefined, 500, 503, 599, 408, 429, 400, 401, 404, 409, 422];
    for (const status of statuses) {
      link.byType.set(`type ${status}`, status);
      await host.enqueue("up", message(`${status}`, { type: `type ${status}` }));
    }
    expect(await host.keys("up", "pending")).toEqual(["undefined", "500", "503", "599", "408", "429"]);
    expect(host.heard.filter(({ type }) => type === "outbox.refused").map(({ key }) => key)).toEqual(["400", "401", "404", "409", "422"]);
  });

  inThreeModes("A3 messages never overtake each other; a failed one holds up its own type only", async (bench) => {
    const link = new Link();
    link.byType.set("message", 503);
    const host = await openHost(bench, link);
    await host.enqueue("up", message("m1"), message("m2"), message("s1", { type: "status" }), message("a1", { type: "ack" }));
    expect([...link.keys].sort()).toEqual(["a1", "m1", "s1"]);
    expect(await host.call(deliver(host, message("m3")))).toEqual({ delivered: false, pending: true });
    expect(link.keys.filter((key) => key.startsWith("m"))).toEqual(["m1"]);
    link.byType.clear();
    await host.advance(1);
    expect(link.keys.filter((key) => key.startsWith("m"))).toEqual(["m1", "m1", "m2", "m3"]);
  });

  inThreeModes("A4 back-off is 1 s, doubling, at most 32 s", async (bench) => {
    const link = new Link();
    link.status = undefined;
    const host = await openHost(bench, link);
    await host.enqueue("up", message("m"));
    const moments = await host.advance(130, () => link.keys.length);
    expect(moments.map((moment) => moment / 1_000)).toEqual([1, 3, 7, 15, 31, 63, 95, 127]);
  });

  inTwoModes("A4 one drain at a time: a second request joins the one that runs", async (bench) => {
    const receiver = new Receiver();
    const host = await Host.open(bench, { outboxes: { up: { destination: receiver.destination, policy } } });
    await host.enqueue("up", message("m1"), message("m2"));
    await host.call(host.outboxes.force("up"));
    await host.call(host.outboxes.force("up"));
    expect(receiver.keys).toEqual(["m1"]);
    receiver.last.answer(delivered);
    await host.engine.settled();
    expect(receiver.keys).toEqual(["m1", "m2"]);
    receiver.last.answer(delivered);
    await host.engine.settled();
    expect(receiver.keys).toEqual(["m1", "m2"]);
    expect(await host.keys("up")).toEqual([]);
  });

  inThreeModes("A4 a drain starts on reconnect whatever is due, at start-up, and for the earliest entry", async (bench) => {
    const link = new Link();
    link.status = 503;
    const host = await openHost(bench, link);
    await host.enqueue("up", message("m"));
    await host.advance(10);
    expect(link.keys).toHaveLength(4);
    const tried = (key: string) => link.keys.filter((each) => each === key).length;
    // The next try of m is at 15 s; s is due earlier, and does not put m off.
    await host.enqueue("up", message("s", { type: "status" }));
    await host.engine.advance("4999 millis");
    expect([tried("m"), tried("s")]).toEqual([4, 3]);
    await host.engine.advance("1 millis");
    expect(tried("m")).toBe(5);
    link.status = 200;
    await host.call(host.outboxes.force("up"));
    expect(await host.keys("up")).toEqual([]);
    link.status = 503;
    await host.enqueue("up", message("late"));
    link.status = 200;
    host.engine.crash();
    host.engine.time.advance(60_000);
    await host.restart();
    expect(await host.keys("up")).toEqual([]);
  });

  inThreeModes("A5 the same id twice is one entry, with the latest payload", async (bench) => {
    const link = new Link();
    link.status = 503;
    const host = await openHost(bench, link);
    await host.enqueue("up", message("m"), message("n"));
    await host.enqueue("up", message("m", { payload: { text: "again" } }));
    expect(await host.keys("up")).toEqual(["m", "n"]);
    link.status = 200;
    await host.call(host.outboxes.force("up"));
    expect(link.receiver.calls.filter(({ entry }) => entry.key === "m").at(-1)?.entry.payload).toEqual({ text: "again" });
    expect(link.keys.slice(-2)).toEqual(["m", "n"]);
  });

  inThreeModes("A6 a promotion moves every pending entry, in order, and the cursor, then forces a drain; the first scope sends nothing by itself", async (bench) => {
    const link = new Link();
    const destination = link.receiver.destination;
    const host = await Host.open(bench, {
      outboxes: { "agent:host": { destination, policy: { ...policy, startsPaused: true } }, "task:1": { destination, policy } },
      inboxes: { "agent:host": { outbox: "agent:host" }, "task:1": { outbox: "task:1" } },
      machines: [task],
    });
    await host.call(Effect.promise(() => host.engine.taskwright.start(task, "1")));
    link.status = 503;
    await host.enqueue("task:1", message("own"));
    await host.enqueue("agent:host", message("a"), message("b"));
    await host.call(host.inboxes.receive("agent:host", say(1, "r1")));
    await host.advance(300);
    expect(new Set(link.keys)).toEqual(new Set(["own"]));
    link.status = 200;
    await host.call(host.inboxes.adopt("task:1", "agent:host"));
    await host.call(host.outboxes.adopt("task:1", "agent:host"));
    expect(link.receiver.calls.slice(-4).map(({ entry }) => [entry.outbox, entry.type === "message" ? entry.key : entry.type])).toEqual(
      expect.arrayContaining(["own", "a", "b", "acknowledgement"].map((what) => ["outbox/task:1", what])),
    );
    const messages = link.keys.filter((key) => ["own", "a", "b"].includes(key));
    expect(messages.slice(-3)).toEqual(["own", "a", "b"]);
    expect(await host.keys("agent:host")).toEqual([]);
    expect(await host.call(host.inboxes.cursor("task:1"))).toEqual({ createdAt: 1, requestId: "r1" });
    await host.call(host.inboxes.receive("task:1", say(1, "r1")));
    expect((await host.engine.snapshot("task/1")).context).toEqual({ said: ["r1"] });
    expect(await host.failure(host.outboxes.enqueue("agent:host", message("late")))).toMatchObject({ _tag: "OutboxClosed" });
  });

  inThreeModes("A7 a command at or below the cursor is not applied again, and acknowledged again", async (bench) => {
    const link = new Link();
    const host = await openHost(bench, link);
    await host.call(Effect.promise(() => host.engine.taskwright.start(task, "1")));
    for (const next of [say(1, "b"), say(2, "a"), say(2, "a"), say(1, "z"), say(2, "b"), say(1, "b")]) await host.call(host.inboxes.receive("down", next));
    expect((await host.engine.snapshot("task/1")).context).toEqual({ said: ["b", "a", "b"] });
    expect(acknowledgements(link)).toEqual([
      { requestId: "b", accepted: true },
      { requestId: "a", accepted: true },
      { requestId: "a", accepted: true, duplicate: true },
      { requestId: "z", accepted: true, duplicate: true },
      { requestId: "b", accepted: true },
      { requestId: "b", accepted: true, duplicate: true },
    ]);
  });

  inBothJournals("A7 a crash at any commit neither loses nor repeats what a command does", async (bench) => {
    for (const commits of [1, 2, 3]) {
      const link = new Link();
      const host = await openHost(bench, link);
      await host.engine.start(task, "1");
      const crashed = host.engine.crashAfterCommits(commits);
      const commands = [say(1, "a"), say(2, "b"), say(3, "c")];
      Effect.runFork(Effect.forEach(commands, (each) => host.inboxes.receive("down", each)));
      await crashed;
      await host.restart();
      // The sender begins again behind the last acknowledgement that it got.
      const known = new Set(acknowledgements(link).map((answer) => (answer as { requestId: string }).requestId));
      for (const each of commands.filter(({ cursor }) => !known.has(cursor.requestId))) await host.call(host.inboxes.receive("down", each));
      expect((await host.engine.snapshot("task/1")).context, `after ${commits} commits`).toEqual({ said: ["a", "b", "c"] });
      expect(new Set(acknowledgements(link).map((answer) => (answer as { requestId: string }).requestId))).toEqual(new Set(["a", "b", "c"]));
      expect(await host.keys("up")).toEqual([]);
    }
  });

  inThreeModes("A8 the handler decides on a stop: the cursor moves only when it returned; who throws refuses, with the reason", async (bench) => {
    const link = new Link();
    let isReady = false;
    const host = await openHost(bench, link, ({ type }) => {
      if (type !== "stop" || !isReady) throw new Error("nothing to stop");
    });
    const stop = command(5, "stop-1", { type: "stop" });
    await host.call(host.inboxes.receive("down", stop));
    expect(await host.call(host.inboxes.cursor("down"))).toBeNull();
    isReady = true;
    await host.call(host.inboxes.receive("down", stop));
    expect(await host.call(host.inboxes.cursor("down"))).toEqual({ createdAt: 5, requestId: "stop-1" });
    expect(acknowledgements(link)).toEqual([
      { requestId: "stop-1", accepted: false, reason: "nothing to stop" },
      { requestId: "stop-1", accepted: true },
    ]);
  });

  inThreeModes("A8 without a handler a command is refused", async (bench) => {
    const link = new Link();
    const host = await openHost(bench, link);
    await host.call(host.inboxes.receive("down", command(5, "stop-1", { type: "stop" })));
    expect(acknowledgements(link)).toMatchObject([{ requestId: "stop-1", accepted: false, reason: expect.stringContaining("nobody handles") }]);
    expect(await host.call(host.inboxes.cursor("down"))).toBeNull();
  });

  inThreeModes("A9 the last applied cursor is there for the resume message", async (bench) => {
    const link = new Link();
    const host = await openHost(bench, link, () => {});
    expect(await host.call(host.inboxes.cursor("down"))).toBeNull();
    await host.call(host.inboxes.receive("down", command(7, "x")));
    await host.restart();
    expect(await host.call(host.inboxes.cursor("down"))).toEqual({ createdAt: 7, requestId: "x" });
  });

  inThreeModes("A10 closing stops what runs, and loses nothing", async (bench) => {
    const receiver = new Receiver(({ type }) => (type === "status" ? retry("down") : undefined));
    const host = await Host.open(bench, { outboxes: { up: { destination: receiver.destination, policy } } });
    await host.enqueue("up", message("hangs"), message("behind"), message("fails", { type: "status" }));
    const pending = Effect.runPromise(host.outboxes.deliver("up", message("asked")));
    await host.engine.settled();
    const calls = receiver.calls.length;
    const closing = host.engine.taskwright.close({ grace: 0 });
    await host.engine.settled();
    await closing;
    expect(receiver.calls.every(({ signal, entry }) => signal.aborted === (entry.key === "hangs"))).toBe(true);
    expect(await pending).toEqual({ delivered: false, pending: true });
    host.engine.time.advance(3_600_000);
    expect(receiver.calls).toHaveLength(calls);
    receiver.rule = () => delivered;
    await host.restart();
    expect(await host.keys("up")).toEqual([]);
    expect(receiver.keys.slice(calls)).toEqual(expect.arrayContaining(["hangs", "behind", "fails", "asked"]));
  });
});
