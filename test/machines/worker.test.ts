import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ConnectEvent, usedSlots, type WorkerContext, type WorkerEvent, worker, workerActions } from "../../machines/worker.ts";
import { elapsed } from "./actor.ts";
import { Chart } from "./chart.ts";
import { describeCoverage, describeTable, describeWalk, ignored, to } from "./table.ts";

const chart = new Chart(worker, workerActions);

const ready = (incarnation = 1) => ({ type: "READY", incarnation }) as const;
const lost = (incarnation = 1) => ({ type: "LOST", incarnation, reason: "it was killed" }) as const;
const take = (id: string, slots = 1) => ({ type: "TAKE", assignment: `task/${id}/assignment`, attempt: 1, slots }) as const;
const release = (id: string) => ({ type: "RELEASE", assignment: `task/${id}/assignment` }) as const;
const unanswered = (id: string) => ({ type: "UNANSWERED", assignment: `task/${id}/assignment` }) as const;
const started = { type: "ENGINE_STARTED" } as const;
const stopped = { type: "ENGINE_STOPPED" } as const;
const retire = { type: "RETIRE" } as const;
const drain = { type: "DRAIN" } as const;
const silent = { type: "SILENT" } as const;
const heartbeat = (incarnation = 1) => ({ type: "HEARTBEAT", incarnation }) as const;
const detached = (incarnation = 1) => ({ type: "DETACHED", incarnation, reason: "its connection broke" }) as const;
const connect = (more: Partial<ConnectEvent> = {}): ConnectEvent => ({ type: "CONNECT", owner: "p1", slots: 2, kinds: ["report"], ...more });
const remote = { slots: 2, transport: "socket", kinds: ["report"], isRemote: true };

const holdsNothing = "it holds no slot, so there is none to free";
const offeredNothing = "it was offered nothing that it could have answered";

describe("machines > worker", () => {
  describeTable<WorkerEvent>(chart, {
    input: { slots: 1 },
    samples: {
      READY: ready(),
      LOST: lost(),
      ENGINE_STARTED: started,
      ENGINE_STOPPED: stopped,
      TAKE: take("a"),
      RELEASE: release("a"),
      UNANSWERED: unanswered("a"),
      RETIRE: retire,
      DRAIN: drain,
      SILENT: silent,
      HEARTBEAT: heartbeat(),
      DETACHED: detached(),
      CONNECT: connect(),
    },
    rows: {
      starting: {
        way: [],
        on: {
          DRAIN: ignored("it has nothing and takes nothing", drain),
          SILENT: ignored("nobody listens to it", silent),
          HEARTBEAT: ignored("nobody listens to it", heartbeat()),
          DETACHED: ignored("it has no connection", detached()),
          CONNECT: [to("active", connect(), { input: remote }), ignored("it is one of our own: nobody connects for it", connect())],
          READY: [to("active", ready()), ignored("an earlier process's report comes too late", ready(0))],
          LOST: [to("lost", lost()), ignored("an earlier process's end is known", lost(0))],
          ENGINE_STARTED: to("starting", started),
          ENGINE_STOPPED: to("halted", stopped),
          TAKE: to("starting", take("a")),
          RELEASE: ignored(holdsNothing, release("a")),
          UNANSWERED: ignored(offeredNothing, unanswered("a")),
          RETIRE: to("retired", retire),
        },
        after: { startTimeout: to("lost", elapsed("startTimeout")) },
      },
      active: {
        way: [ready()],
        on: {
          DRAIN: to("active", drain),
          SILENT: to("reconnecting", silent),
          HEARTBEAT: [to("active", heartbeat()), ignored("it is of an earlier life", heartbeat(0))],
          DETACHED: [to("reconnecting", detached()), ignored("it is of an earlier life", detached(0))],
          CONNECT: [
            to("active", connect({ incarnation: 2 }), { input: remote, way: [connect()] }),
            to("active", connect(), { input: remote, way: [connect()] }),
            to("active", connect({ owner: "p2" }), { input: remote, way: [connect()] }),
            ignored("it is one of our own: nobody connects for it", connect()),
          ],
          READY: ignored("it said so before", ready()),
          LOST: [to("lost", lost()), ignored("an earlier process's end is known", lost(0))],
          ENGINE_STARTED: [to("starting", started), to("reconnecting", started, { input: remote, way: [connect()] })],
          ENGINE_STOPPED: [to("halted", stopped), to("reconnecting", stopped, { input: remote, way: [connect()] })],
          TAKE: [to("active", take("a")), to("active", take("a"), { way: [ready(), take("a")] }), to("active", take("b"), { way: [ready(), take("a")] })],
          RELEASE: [to("active", release("a"), { way: [ready(), take("a")] }), ignored(holdsNothing, release("a"))],
          UNANSWERED: [to("lost", unanswered("a"), { way: [ready(), take("a")] }), ignored("it was given up before", unanswered("a"))],
          RETIRE: to("retired", retire),
        },
      },
      lost: {
        way: [ready(), lost()],
        on: {
          DRAIN: ignored("it has nothing and takes nothing", drain),
          SILENT: ignored("nobody listens to it", silent),
          HEARTBEAT: ignored("nobody listens to it", heartbeat()),
          DETACHED: ignored("it has no connection", detached()),
          CONNECT: [to("active", connect(), { input: remote, way: [connect(), lost(2)] }), ignored("it is one of our own: nobody connects for it", connect())],
          READY: ignored("its process is gone; the next one has another number", ready()),
          LOST: ignored("it is known to be lost", lost()),
          ENGINE_STARTED: to("starting", started),
          ENGINE_STOPPED: to("halted", stopped),
          TAKE: to("lost", take("a")),
          RELEASE: ignored(holdsNothing, release("a")),
          UNANSWERED: ignored(offeredNothing, unanswered("a")),
          RETIRE: to("retired", retire),
        },
        after: { restartDelay: [to("starting", elapsed("restartDelay")), to("retired", elapsed("restartDelay"), { input: remote, way: [connect(), lost(2)] })] },
      },
      reconnecting: {
        way: [connect(), detached(2)],
        input: remote,
        on: {
          READY: ignored("who comes back says CONNECT, or gives a sign of life", ready(2)),
          LOST: [to("lost", lost(2)), ignored("an earlier life's end is known", lost(1))],
          ENGINE_STARTED: [to("reconnecting", started), to("starting", started, { input: { slots: 1 }, way: [ready(), detached()] })],
          ENGINE_STOPPED: [ignored("it is away already, and keeps what it has", stopped), to("halted", stopped, { input: { slots: 1 }, way: [ready(), detached()] })],
          TAKE: to("reconnecting", take("a")),
          RELEASE: [to("reconnecting", release("a"), { way: [connect(), take("a"), detached(2)] }), ignored(holdsNothing, release("a"))],
          UNANSWERED: [to("lost", unanswered("a"), { way: [connect(), take("a"), detached(2)] }), ignored(offeredNothing, unanswered("a"))],
          RETIRE: to("retired", retire),
          DRAIN: ignored("it takes nothing, and may say so again when it is back", drain),
          SILENT: ignored("it is known to be away", silent),
          HEARTBEAT: [to("active", heartbeat(2)), ignored("it is of an earlier life", heartbeat(1))],
          DETACHED: ignored("it is known to be away", detached(2)),
          CONNECT: [
            to("active", connect({ incarnation: 2 })),
            to("active", connect()),
            to("active", connect({ owner: "p2" })),
            ignored("it is one of our own: nobody connects for it", connect(), { input: { slots: 1 }, way: [ready(), detached()] }),
          ],
        },
        after: { grace: to("lost", elapsed("grace")) },
      },
      halted: {
        way: [ready(), stopped],
        on: {
          DRAIN: ignored("it has nothing and takes nothing", drain),
          SILENT: ignored("nobody listens to it", silent),
          HEARTBEAT: ignored("nobody listens to it", heartbeat()),
          DETACHED: ignored("it has no connection", detached()),
          CONNECT: ignored("it is one of our own: nobody connects for it", connect()),
          READY: ignored("its process was ended with the engine", ready()),
          LOST: ignored("its process was ended with the engine", lost()),
          ENGINE_STARTED: to("starting", started),
          ENGINE_STOPPED: to("halted", stopped),
          TAKE: to("halted", take("a")),
          RELEASE: ignored(holdsNothing, release("a")),
          UNANSWERED: ignored(offeredNothing, unanswered("a")),
          RETIRE: to("retired", retire),
        },
      },
      retired: { way: [ready(), retire], over: "it is not needed any more, and has nothing" },
    },
  });

  const told = (slots: number, ...events: ReadonlyArray<Parameters<ReturnType<Chart["begin"]>["tell"]>[0]>) => {
    const actor = chart.begin({ slots });
    for (const event of events) actor.tell(event);
    const messages = actor.commands.flatMap((command) => (command.type === "send" && command.to.kind === "address" ? [[command.to.address, command.event]] : []));
    return { actor, context: actor.context<WorkerContext>(), messages };
  };

  describe("slots", () => {
    test("a free one is granted, the next is declined", () => {
      const { context, messages } = told(2, ready(), take("a"), take("b"), take("c"));
      expect(Object.keys(context.taken)).toEqual(["task/a/assignment", "task/b/assignment"]);
      expect(messages.map(([address, event]) => [address, (event as WorkerEvent).type])).toEqual([
        ["task/a/assignment", "TAKEN"],
        ["task/b/assignment", "TAKEN"],
        ["task/c/assignment", "DECLINED"],
      ]);
    });
    test.each([
      ["starting", []],
      ["lost", [ready(), lost()]],
      ["halted", [stopped]],
    ] as const)("none is granted while it is %s", (_, way) => {
      expect(told(1, ...way, take("a")).messages).toEqual([["task/a/assignment", { type: "DECLINED", attempt: 1 }]]);
    });
    test("one that was asked for twice is one slot", () => {
      expect(told(2, ready(), take("a"), take("a")).context.taken).toEqual({ "task/a/assignment": 1 });
    });
    test("one that takes several needs as many free ones", () => {
      const { context, messages } = told(4, ready(), take("a", 3), take("b", 2), take("c", 1));
      expect(context.taken).toEqual({ "task/a/assignment": 3, "task/c/assignment": 1 });
      expect(messages.map(([, event]) => (event as WorkerEvent).type)).toEqual(["TAKEN", "DECLINED", "TAKEN"]);
    });
    test("none is granted when it is to get nothing new", () => {
      expect(told(2, ready(), take("a"), drain, take("b"), release("a")).messages.map(([, event]) => (event as WorkerEvent).type)).toEqual(["TAKEN", "DECLINED"]);
    });
  });

  describe("loss", () => {
    test.each([
      ["its process ended", lost(), { reason: "it was killed", cause: "worker" }],
      ["the engine was started anew", started, { reason: "the engine was started anew", cause: "engineStarted" }],
      ["the engine was stopped", stopped, { reason: "the engine was stopped", cause: "engineStopped" }],
      ["it was retired", retire, { reason: "it was retired", cause: "worker" }],
    ] as const)("everything that it had is given back when %s", (_, event, expected) => {
      const { context, messages } = told(2, ready(), take("a"), take("b"), event);
      expect(context.taken).toEqual({});
      expect(messages.slice(2)).toEqual(["a", "b"].map((id) => [`task/${id}/assignment`, { type: "WORKER_LOST", ...expected }]));
    });
    test("one that does not answer an offer is replaced; the others that it had go back", () => {
      const { actor, context, messages } = told(2, ready(), take("a"), take("b"), unanswered("a"));
      expect(context).toMatchObject({ taken: {}, losses: 1, lastReason: "it did not answer an offer in time" });
      expect(messages.slice(2)).toEqual([["task/b/assignment", { type: "WORKER_LOST", reason: "it did not answer an offer in time", cause: "worker" }]]);
      expect(actor.acts).toEqual(["startProcess", "stopProcess"]);
    });
    test("one that flaps is started again after longer and longer pauses", () => {
      const actor = chart.begin({ slots: 1 });
      const pauses = Array.from({ length: 11 }, (_, index) => {
        const incarnation = index + 1;
        // What it had frees its slot once more when it ends: that must not pass for a sign of health.
        for (const event of [ready(incarnation), take("a"), lost(incarnation), release("a")]) actor.tell(event);
        const [timer] = Object.values(actor.state.timers);
        const pause = (timer?.due ?? 0) - actor.now;
        actor.tell(elapsed("restartDelay"));
        return pause;
      });
      expect(pauses).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
    });
    test("an assignment that it brought to its end clears the account", () => {
      expect(told(1, ready(), lost(), elapsed("restartDelay"), ready(2), take("a"), release("a")).context.losses).toBe(0);
    });
    test("each process has another number", () => {
      const { actor } = told(1, ready(), lost(), elapsed("restartDelay"), started, elapsed("startTimeout"), elapsed("restartDelay"));
      const started_ = actor.commands.flatMap((command) => (command.type === "act" && command.action === "startProcess" ? [command.params] : []));
      expect(started_).toEqual([1, 2, 3, 4].map((incarnation) => ({ incarnation, transport: "command" })));
    });
  });

  describe("a remote one", () => {
    const begun = (...events: ReadonlyArray<Parameters<ReturnType<Chart["begin"]>["tell"]>[0]>) => {
      const actor = chart.begin(remote);
      for (const event of events) actor.tell(event);
      const lostOnes = actor.commands.flatMap((command) => (command.type === "send" && command.event.type === "WORKER_LOST" && command.to.kind === "address" ? [command.to.address] : []));
      return { actor, context: actor.context<WorkerContext>(), lostOnes };
    };
    test("one that comes back keeps what it works on; the rest goes back", () => {
      const { context, lostOnes } = begun(connect(), take("a"), take("b"), detached(2), connect({ incarnation: 2, running: ["task/b/assignment"] }));
      expect(context).toMatchObject({ incarnation: 2, taken: { "task/b/assignment": 1 } });
      expect(lostOnes).toEqual(["task/a/assignment"]);
    });
    test("another process of it has nothing of what the last one had", () => {
      const { context, lostOnes } = begun(connect(), take("a"), detached(2), connect());
      expect(context).toMatchObject({ incarnation: 3, taken: {} });
      expect(lostOnes).toEqual(["task/a/assignment"]);
    });
    test("while it is there nobody else speaks for it", () => {
      expect(begun(connect(), take("a"), connect({ owner: "p2" })).context).toMatchObject({ owner: "p1", incarnation: 2, taken: { "task/a/assignment": 1 } });
      expect(begun(connect(), detached(2), connect({ owner: "p2" })).context).toMatchObject({ owner: "p2", incarnation: 3 });
    });
    test("silence is an absence, and a sign of life its end", () => {
      const watched = connect({ heartbeatTimeoutMs: 10_000 });
      const { actor } = begun(watched);
      expect(actor.state.timers.silence?.due).toBe(actor.now + 10_000);
      actor.now += 8_000;
      actor.tell(heartbeat(2));
      expect(actor.state.timers.silence?.due).toBe(actor.now + 10_000);
      actor.tell(silent);
      expect([actor.value, actor.state.timers.silence]).toEqual(["reconnecting", undefined]);
      actor.tell(heartbeat(2));
      expect(actor.value).toBe("active");
    });
    test("an engine that was away gives it its whole grace to come back", () => {
      const { actor } = begun(connect(), take("a"), stopped);
      actor.now += 3_600_000;
      actor.tell(started);
      expect([actor.value, Object.values(actor.state.timers)[0]?.due]).toEqual(["reconnecting", actor.now + 30_000]);
      expect(begun(connect(), take("a"), stopped, elapsed("grace")).lostOnes).toEqual(["task/a/assignment"]);
    });
  });

  const id = fc.constantFrom("a", "b", "c", "d", "e");
  const near = fc.constantFrom(0, 0, 0, 1);
  describeWalk<WorkerContext>(chart, {
    input: fc.integer({ min: 1, max: 3 }).map((slots) => ({ slots })),
    told: fc.oneof(
      {
        weight: 4,
        arbitrary: near.map(
          (behind) =>
            (context: WorkerContext): WorkerEvent =>
              ready(context.incarnation - behind),
        ),
      },
      {
        weight: 2,
        arbitrary: near.map(
          (behind) =>
            (context: WorkerContext): WorkerEvent =>
              lost(context.incarnation - behind),
        ),
      },
      { weight: 8, arbitrary: id.map((name) => (): WorkerEvent => take(name)) },
      { weight: 4, arbitrary: id.map((name) => (): WorkerEvent => release(name)) },
      { weight: 1, arbitrary: id.map((name) => (): WorkerEvent => unanswered(name)) },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          () => started as WorkerEvent,
          () => stopped as WorkerEvent,
        ),
      },
    ),
    invariants: {
      "at most `slots` together": ({ context }) => usedSlots(context) <= context.slots,
      "none unless it is active or reconnecting": ({ context, state }) => state === "active" || state === "reconnecting" || usedSlots(context) === 0,
      "every request is answered": ({ actor }) => {
        const answers = actor.sent.filter((type) => type === "TAKEN" || type === "DECLINED").length;
        const losses = actor.sent.filter((type) => type === "WORKER_LOST").length;
        return actor.sent.length === answers + losses;
      },
      "a process is started once per incarnation": ({ actor, context }) => actor.acts.filter((act) => act === "startProcess").length === context.incarnation,
    },
  });

  describeCoverage(chart);
});
