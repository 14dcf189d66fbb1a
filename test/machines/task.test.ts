import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AssignmentOutput } from "../../machines/assignment.ts";
import { type TaskContext, type TaskEvent, type TaskInput, task } from "../../machines/task.ts";
import { elapsed, done, failed, type Stimulus } from "./actor.ts";
import { Chart } from "./chart.ts";
import { describeCoverage, describeTable, describeWalk, ignored, to } from "./table.ts";

const chart = new Chart(task, []);
const input: TaskInput = {
  id: "a",
  work: { id: "a" },
  priority: 0,
  retry: { attemptsMax: 2, backoff: { kind: "fixed", baseMs: 500 } },
  needs: [],
  dependents: ["x", "y"],
  acceptanceTimeoutMs: 30_000,
  executionTimeoutMs: 60_000,
  lossesMax: 1,
};
const needing = { ...input, needs: ["p", "q"] };
const once: TaskInput = { ...input, retry: { attemptsMax: 1, backoff: { kind: "fixed", baseMs: 500 } } };

const assign = { type: "ASSIGN", worker: "worker/1" } as const;
const accepted = (attempt = 1) => ({ type: "ACCEPTED", attempt }) as const;
const cancel = { type: "CANCEL", reason: "not wanted" } as const;
const needDone = (id = "p") => ({ type: "NEED_DONE", task: id }) as const;
const needFailed = { type: "NEED_FAILED", task: "q" } as const;
const addDependent = { type: "ADD_DEPENDENT", task: "z" } as const;
const ended = (outcome: AssignmentOutput["outcome"]) =>
  done("assignment", { outcome, result: { exitCode: 7 }, failure: outcome === "succeeded" ? null : { name: "AssignmentFailed", message: outcome } });
const broken = failed("assignment", { name: "Error", message: "it broke" });

const running = [assign, accepted()];
const backingOff = [...running, ended("failed")];
const hasNoNeeds = "what it needed was done before it was queued";
const hasIt = "a worker has it already";

/** What the end of the assignment leads to, from both states in which there is one. */
const ends = (way: ReadonlyArray<Stimulus>) => ({
  "done assignment": [
    to("done", ended("succeeded")),
    to("cancelled", ended("cancelled")),
    to("queued", ended("notAccepted")),
    to("queued", ended("interrupted")),
    to("queued", ended("lost")),
    to("dead", ended("lost"), { way: [assign, accepted(), ended("lost"), assign, ...(way.length > 1 ? [accepted(2)] : [])] }),
    to("backingOff", ended("failed")),
    to("backingOff", ended("timedOut")),
    to("dead", ended("failed"), { input: once }),
    to("dead", ended("timedOut"), { input: once }),
    ...(["failed", "timedOut", "lost", "notAccepted", "interrupted", "cancelled"] as const).map((outcome) => to("cancelled", ended(outcome), { way: [...way, cancel] })),
    to("done", ended("succeeded"), { way: [...way, cancel] }),
  ],
  "error assignment": to("dead", broken),
});

describe("machines > task", () => {
  describeTable<TaskEvent>(chart, {
    input,
    samples: { NEED_DONE: needDone(), NEED_FAILED: needFailed, ADD_DEPENDENT: addDependent, ASSIGN: assign, ACCEPTED: accepted(), CANCEL: cancel },
    rows: {
      waiting: {
        way: [],
        input: needing,
        on: {
          NEED_DONE: [to("waiting", needDone()), to("waiting", needDone("unknown")), to("queued", needDone("q"), { way: [needDone("p")] })],
          NEED_FAILED: to("cancelled", needFailed),
          ADD_DEPENDENT: to("waiting", addDependent),
          ASSIGN: ignored("it can't be begun before what it needs is done", assign),
          ACCEPTED: ignored("it has no assignment", accepted()),
          CANCEL: to("cancelled", cancel),
        },
      },
      queued: {
        way: [],
        on: {
          NEED_DONE: ignored(hasNoNeeds, needDone()),
          NEED_FAILED: ignored(hasNoNeeds, needFailed),
          ADD_DEPENDENT: to("queued", addDependent),
          ASSIGN: to("active.assigned", assign),
          ACCEPTED: ignored("it has no assignment any more", accepted(), { way: [assign, ended("notAccepted")] }),
          CANCEL: to("cancelled", cancel),
        },
      },
      "active.assigned": {
        way: [assign],
        on: {
          NEED_DONE: ignored(hasNoNeeds, needDone()),
          NEED_FAILED: ignored(hasNoNeeds, needFailed),
          ADD_DEPENDENT: to("active.assigned", addDependent),
          ASSIGN: ignored(hasIt, assign),
          ACCEPTED: [to("active.running", accepted()), ignored("an earlier attempt's acceptance comes too late", accepted(1), { way: [assign, ended("notAccepted"), assign] })],
          CANCEL: [to("active.assigned", cancel), ignored("it was cancelled before; the first reason holds", cancel, { way: [assign, cancel] })],
        },
        children: ends([assign]),
      },
      "active.running": {
        way: running,
        on: {
          NEED_DONE: ignored(hasNoNeeds, needDone()),
          NEED_FAILED: ignored(hasNoNeeds, needFailed),
          ADD_DEPENDENT: to("active.running", addDependent),
          ASSIGN: ignored(hasIt, assign),
          ACCEPTED: ignored("it was accepted before", accepted()),
          CANCEL: [to("active.running", cancel), ignored("it was cancelled before; the first reason holds", cancel, { way: [...running, cancel] })],
        },
        children: ends(running),
      },
      backingOff: {
        way: backingOff,
        on: {
          NEED_DONE: ignored(hasNoNeeds, needDone()),
          NEED_FAILED: ignored(hasNoNeeds, needFailed),
          ADD_DEPENDENT: to("backingOff", addDependent),
          ASSIGN: ignored("its pause is not over", assign),
          ACCEPTED: ignored("its last attempt has ended", accepted()),
          CANCEL: to("cancelled", cancel),
        },
        after: { backoff: to("queued", elapsed("backoff")) },
      },
      done: { way: [...running, ended("succeeded")], over: "it is done, and is not done twice" },
      dead: { way: [...running, ended("failed")], input: once, over: "its budget is spent" },
      cancelled: { way: [cancel], over: "it was cancelled, and that holds" },
    },
  });

  const told = (start: TaskInput, ...events: ReadonlyArray<Stimulus>) => {
    const actor = chart.begin(start);
    for (const event of events) actor.tell(event);
    return actor;
  };
  const messages = (actor: ReturnType<typeof told>) => actor.commands.flatMap((command) => (command.type === "send" && command.to.kind === "address" ? [[command.to.address, command.event]] : []));

  describe("budget", () => {
    test("what no worker began costs nothing", () => {
      const actor = told(once, assign, ended("notAccepted"), assign, ended("notAccepted"), assign, ended("interrupted"));
      expect(actor.value).toBe("queued");
      expect(actor.context<TaskContext>()).toMatchObject({ assignments: 3, failures: 0, losses: 0, worker: null, failure: { message: "interrupted" } });
    });
    test("failures and time-outs are counted together, and the last reason is kept", () => {
      const actor = told(input, ...running, ended("timedOut"), elapsed("backoff"), assign, accepted(2), ended("failed"));
      expect(actor.value).toBe("dead");
      expect(actor.context<TaskContext>()).toMatchObject({ failures: 2, failure: { message: "failed" }, result: { exitCode: 7 } });
    });
    test("losses have a budget of their own", () => {
      const actor = told({ ...once, lossesMax: 2 }, ...[1, 2, 3].flatMap(() => [assign, ended("lost")]));
      expect(actor.value).toBe("dead");
      expect(actor.context<TaskContext>()).toMatchObject({ failures: 0, losses: 3, failure: { message: "lost" } });
    });
    test("its pause grows with each failure, and is the same when it is replayed", () => {
      const patient = { ...input, retry: { attemptsMax: 5, backoff: { kind: "exponential", baseMs: 500, capMs: 3_000 }, jitter: { min: 0.5, max: 1 } } } as const;
      const pauses = () => {
        const actor = told(patient);
        return [1, 2, 3, 4].map((attempt) => {
          for (const event of [assign, accepted(attempt), ended("failed")]) actor.tell(event);
          const pause = (Object.values(actor.state.timers)[0]?.due ?? 0) - actor.now;
          actor.tell(elapsed("backoff"));
          return pause;
        });
      };
      const first = pauses();
      expect(first).toEqual(pauses());
      for (const [index, whole] of [500, 1_000, 2_000, 3_000].entries()) {
        expect(first[index]).toBeGreaterThanOrEqual(whole / 2);
        expect(first[index]).toBeLessThanOrEqual(whole);
      }
    });
    test("a failure without a reason, and a child that breaks, are told in words", () => {
      expect(told(once, assign, done("assignment", { outcome: "failed", result: null, failure: null })).context<TaskContext>().failure).toMatchObject({
        message: "the attempt failed without a reason",
      });
      expect(told(input, assign, broken).context<TaskContext>()).toMatchObject({ failure: { message: "it broke" }, delayMs: null });
    });
  });

  describe("needs and dependents", () => {
    test.each([
      ["done", [...running, ended("succeeded")], "NEED_DONE"],
      ["dead", [...running, broken], "NEED_FAILED"],
      ["cancelled", [cancel], "NEED_FAILED"],
    ] as const)("all that need it are told when it is %s", (state, way, type) => {
      const actor = told(input, addDependent, addDependent, ...way);
      expect(actor.value).toBe(state);
      expect(messages(actor)).toEqual(["x", "y", "z"].map((id) => [`task/${id}`, { type, task: "a" }]));
    });
    test("it is queued at once when it needs nothing, and else with the last of its needs", () => {
      expect(told(input).value).toBe("queued");
      expect(told(needing, needDone("q"), needDone("q")).value).toBe("waiting");
      expect(told(needing, needDone("q"), needDone("p")).value).toBe("queued");
    });
    test("it says which need was not done", () => {
      expect(told(needing, needFailed).context<TaskContext>().failure).toEqual({ name: "TaskFailed", code: "need_failed", message: 'the task "q" that it needs was not done' });
    });
  });

  describe("cancel", () => {
    test("the assignment is told once, and the first reason is kept", () => {
      const actor = told(input, ...running, cancel, { type: "CANCEL", reason: "another reason" });
      expect(actor.commands.filter((command) => command.type === "send" && command.to.kind === "child")).toHaveLength(1);
      actor.tell(ended("cancelled"));
      expect(actor.context<TaskContext>()).toMatchObject({ failure: { code: "cancelled", message: "not wanted" }, result: { exitCode: 7 }, failures: 0 });
    });
    test("an end that was faster wins", () => {
      const actor = told(input, ...running, cancel, ended("succeeded"));
      expect(actor.value).toBe("done");
      expect(actor.context<TaskContext>().failure).toBeNull();
    });
    test("an assignment that somebody else cancelled cancels it too, with a reason", () => {
      expect(told(input, ...running, ended("cancelled")).context<TaskContext>()).toMatchObject({ failure: { code: "cancelled", message: "its assignment was cancelled" } });
    });
  });

  const outcome = fc.constantFrom<AssignmentOutput["outcome"]>(
    "succeeded",
    "failed",
    "failed",
    "failed",
    "timedOut",
    "timedOut",
    "cancelled",
    "lost",
    "lost",
    "interrupted",
    "notAccepted",
    "notAccepted",
  );
  describeWalk<TaskContext>(chart, {
    input: fc.record({ attemptsMax: fc.integer({ min: 1, max: 4 }), lossesMax: fc.nat(3), needs: fc.subarray(["p", "q"]) }).map(({ attemptsMax, ...more }) => ({
      ...input,
      ...more,
      retry: { attemptsMax, backoff: { kind: "exponential", baseMs: 10, capMs: 1_000 }, jitter: { min: 0.5, max: 1 } },
    })),
    told: fc.oneof(
      { weight: 8, arbitrary: fc.constant(() => assign as TaskEvent) },
      { weight: 5, arbitrary: fc.constant((context: TaskContext) => accepted(context.assignments) as TaskEvent) },
      { weight: 3, arbitrary: fc.constantFrom("p", "q").map((id) => () => needDone(id) as TaskEvent) },
      { weight: 1, arbitrary: fc.constantFrom<TaskEvent>(needFailed, cancel, accepted(1), addDependent).map((event) => () => event) },
    ),
    outputs: { assignment: outcome.map((word) => ({ outcome: word, result: null, failure: { name: "AssignmentFailed", message: word } })) },
    invariants: {
      "at most retry.attemptsMax": ({ context }) => context.failures <= context.retry.attemptsMax,
      "at most lossesMax + 1": ({ context }) => context.losses <= context.lossesMax + 1,
      "it has a worker and an assignment while it is active, else neither": ({ actor, context, state }) =>
        state.startsWith("active") === (context.worker !== null) && state.startsWith("active") === (Object.values(actor.state.children).filter(({ ended: over }) => over !== true).length === 1),
      "assignments are numbered without gaps": ({ actor, context }) => {
        const numbers = actor.commands.flatMap((command) => (command.type === "child.start" ? [(command.input as { attempt: number }).attempt] : []));
        return numbers.length === context.assignments && numbers.every((number, index) => number === index + 1);
      },
      "who is dead or cancelled says why": ({ context, state }) => (state !== "dead" && state !== "cancelled") || context.failure !== null,
      "what was cancelled is not tried again": ({ context, state }) => !context.unwanted || state.startsWith("active") || ["cancelled", "done", "dead"].includes(state),
      "all that need it are told once, at its end": ({ actor, context, state }) =>
        actor.sent.filter((type) => type.startsWith("NEED_")).length === (["done", "dead", "cancelled"].includes(state) ? context.dependents.length : 0),
    },
  });

  describeCoverage(chart);
});
