import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type WorkerContext, type WorkerEvent, worker, workerActions } from "../../machines/worker.ts";
import { elapsed } from "./actor.ts";
import { Chart } from "./chart.ts";
import { describeCoverage, describeTable, describeWalk, ignored, to } from "./table.ts";

const chart = new Chart(worker, workerActions);

const ready = (incarnation = 1) => ({ type: "READY", incarnation }) as const;
const lost = (incarnation = 1) => ({ type: "LOST", incarnation, reason: "it was killed" }) as const;
const take = (id: string) => ({ type: "TAKE", assignment: `task/${id}/assignment`, attempt: 1 }) as const;
const release = (id: string) => ({ type: "RELEASE", assignment: `task/${id}/assignment` }) as const;
const unanswered = (id: string) => ({ type: "UNANSWERED", assignment: `task/${id}/assignment` }) as const;
const started = { type: "ENGINE_STARTED" } as const;
const stopped = { type: "ENGINE_STOPPED" } as const;
const retire = { type: "RETIRE" } as const;

const holdsNothing = "it holds no slot, so there is none to free";
const offeredNothing = "it was offered nothing that it could have answered";

describe("machines > worker", () => {
  describeTable<WorkerEvent>(chart, {
    input: { slots: 1 },
    samples: { READY: ready(), LOST: lost(), ENGINE_STARTED: started, ENGINE_STOPPED: stopped, TAKE: take("a"), RELEASE: release("a"), UNANSWERED: unanswered("a"), RETIRE: retire },
    rows: {
      starting: {
        way: [],
        on: {
          READY: [to("ready", ready()), ignored("an earlier process's report comes too late", ready(0))],
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
      ready: {
        way: [ready()],
        on: {
          READY: ignored("it said so before", ready()),
          LOST: [to("lost", lost()), ignored("an earlier process's end is known", lost(0))],
          ENGINE_STARTED: to("starting", started),
          ENGINE_STOPPED: to("halted", stopped),
          TAKE: [to("ready", take("a")), to("ready", take("a"), { way: [ready(), take("a")] }), to("ready", take("b"), { way: [ready(), take("a")] })],
          RELEASE: [to("ready", release("a"), { way: [ready(), take("a")] }), ignored(holdsNothing, release("a"))],
          UNANSWERED: [to("lost", unanswered("a"), { way: [ready(), take("a")] }), ignored("it was given up before", unanswered("a"))],
          RETIRE: to("retired", retire),
        },
      },
      lost: {
        way: [ready(), lost()],
        on: {
          READY: ignored("its process is gone; the next one has another number", ready()),
          LOST: ignored("it is known to be lost", lost()),
          ENGINE_STARTED: to("starting", started),
          ENGINE_STOPPED: to("halted", stopped),
          TAKE: to("lost", take("a")),
          RELEASE: ignored(holdsNothing, release("a")),
          UNANSWERED: ignored(offeredNothing, unanswered("a")),
          RETIRE: to("retired", retire),
        },
        after: { restartDelay: to("starting", elapsed("restartDelay")) },
      },
      halted: {
        way: [ready(), stopped],
        on: {
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
      expect(context.taken).toEqual(["task/a/assignment", "task/b/assignment"]);
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
      expect(told(2, ready(), take("a"), take("a")).context.taken).toEqual(["task/a/assignment"]);
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
      expect(context.taken).toEqual([]);
      expect(messages.slice(2)).toEqual(["a", "b"].map((id) => [`task/${id}/assignment`, { type: "WORKER_LOST", ...expected }]));
    });
    test("one that does not answer an offer is replaced; the others that it had go back", () => {
      const { actor, context, messages } = told(2, ready(), take("a"), take("b"), unanswered("a"));
      expect(context).toMatchObject({ taken: [], losses: 1, lastReason: "it did not answer an offer in time" });
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
      expect(started_).toEqual([1, 2, 3, 4].map((incarnation) => ({ incarnation })));
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
      "at most `slots`, each once": ({ context }) => context.taken.length <= context.slots && new Set(context.taken).size === context.taken.length,
      "none unless it is ready": ({ context, state }) => state === "ready" || context.taken.length === 0,
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
