import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type TaskContext, type TaskEvent, type TaskInput, task, taskActions } from "../../machines/task.ts";
import { endedStates, type Run, type TaskEnvelope, type TaskReceipt } from "../../src/domain/task.ts";
import { done, elapsed, failed, type Stimulus } from "./actor.ts";
import { Chart } from "./chart.ts";
import { describeCoverage, describeTable, describeWalk, ignored, type Row, to } from "./table.ts";

const chart = new Chart(task, taskActions);
const spec: TaskEnvelope = {
  id: "a",
  kind: "report",
  queue: "default",
  input: { about: "b" },
  priority: 0,
  needs: [],
  whenNeedFails: "cancel",
  acceptanceTimeoutMs: 30_000,
  executionTimeoutMs: 60_000,
  answerTimeoutMs: 3_600_000,
  retry: { attemptsMax: 2, backoff: { kind: "fixed", baseMs: 500 }, outcomes: ["error", "timeout"] },
  lossesMax: 1,
  budget: {},
  verification: { when: "never", graceMs: 120_000 },
  slots: 1,
  tags: [],
  attributes: {},
};
const inputOf = (more: Partial<TaskEnvelope> = {}, rest: Partial<TaskInput> = {}): TaskInput => ({ spec: { ...spec, ...more }, needs: more.needs ?? [], dependents: ["x", "y"], ...rest });
const input = inputOf();
const needing = inputOf({ needs: ["p", "q"] });
const careless = inputOf({ needs: ["p", "q"], whenNeedFails: "ignore" });
const later = inputOf({ runAt: Date.UTC(2030, 0, 2) }, { startDelayMs: 86_400_000 });
const once = inputOf({ retry: { ...spec.retry, attemptsMax: 1 } });
const verified = inputOf({ verification: { when: "receipt", graceMs: 120_000 } });
const bounded = inputOf({ budget: { turns: 10, costUsd: 1 } });

const order = { by: "tester", why: "not wanted" };
const assign = { type: "ASSIGN", worker: "worker/1" } as const;
const accepted = (attempt = 1) => ({ type: "ACCEPTED", attempt }) as const;
const progress = (attempt = 1) => ({ type: "PROGRESS", attempt, progress: "half" }) as const;
const usage = (turns: number, attempt = 1) => ({ type: "USAGE", attempt, usage: { turns } }) as const;
const session = (attempt = 1) => ({ type: "SESSION", attempt, session: "s1" }) as const;
const cancel = { type: "CANCEL", ...order } as const;
const expire = { type: "EXPIRE", ...order } as const;
const pause = { type: "PAUSE", ...order } as const;
const resume = { type: "RESUME", ...order, at: Date.UTC(2030, 0, 1) } as const;
const retryNow = { type: "RETRY_NOW", ...order } as const;
const reprioritise = { type: "REPRIORITISE", ...order, priority: 7 } as const;
const answer = { type: "ANSWER", ...order, answer: "blue" } as const;
const verify = { type: "VERIFY", ...order } as const;
const reject = { type: "REJECT", ...order } as const;
const rejectAndRetry = { ...reject, retry: true } as const;
const resubmit = { type: "RESUBMIT", input: { about: "c" }, delayMs: 1_000 } as const;
const needDone = (id = "p") => ({ type: "NEED_DONE", task: id }) as const;
const needFailed = (id = "q") => ({ type: "NEED_FAILED", task: id }) as const;
const addDependent = { type: "ADD_DEPENDENT", task: "z" } as const;

const ended = (outcome: Run["outcome"], more: Partial<Run> = {}) =>
  done("assignment", {
    outcome,
    reported: outcome === "failed" ? "error" : outcome === "succeeded" ? "ok" : null,
    result: { made: 7 },
    failure: outcome === "succeeded" || outcome === "asked" ? null : { name: "AssignmentFailed", message: outcome },
    receipt: null,
    usage: null,
    question: outcome === "asked" ? { id: "1", about: "input", text: "which colour?" } : null,
    criteriaMet: [],
    ...more,
  } satisfies Run);
const receipt = (status: TaskReceipt["status"], verification: TaskReceipt["verification"] = null): TaskReceipt => ({ status, verification, summary: "what was made" });
const completed = (verification: TaskReceipt["verification"] = null) => ended("succeeded", { receipt: receipt("completed", verification) });
const declined = ended("notAccepted", { failure: { name: "AssignmentFailed", code: "declined", message: "full" } });
const broken = failed("assignment", { name: "Error", message: "it broke" });

const running = [assign, accepted()];
const verifyingWay = [...running, completed([{ kind: "test", value: "npm test" }])];
const parkedWay = [...running, ended("asked")];
const unverifiedWay = [...running, completed(), elapsed("verificationGrace")];

const needsNothing = { NEED_DONE: ignored("what it needed was done before it was queued", needDone()), NEED_FAILED: ignored("what it needed was done before it was queued", needFailed()) };
const noWorker = {
  ACCEPTED: ignored("it has no assignment", accepted()),
  PROGRESS: ignored("it has no assignment", progress()),
  USAGE: ignored("it has no assignment", usage(1)),
  SESSION: ignored("it has no assignment", session()),
};
const noDecision = { ANSWER: ignored("it asks nothing", answer), VERIFY: ignored("there is nothing to verify", verify), REJECT: ignored("there is nothing to reject", reject) };
const always = (state: string) => ({ ADD_DEPENDENT: to(state, addDependent), REPRIORITISE: to(state, reprioritise) });
const ends = { CANCEL: to("cancelled", cancel), EXPIRE: to("expired", expire) };
const notPaused = { RESUME: ignored("it is not paused", resume) };
const noPause = { RETRY_NOW: ignored("it waits for no other attempt", retryNow) };
const begun = { RESUBMIT: ignored("its moment has come: the next one is other work", resubmit) };

/** What the end of the assignment leads to, from both states in which there is one. */
const outcomes = (way: ReadonlyArray<Stimulus>) => {
  const second = way.length > 1 ? [accepted(2)] : [];
  const third = way.length > 1 ? [accepted(3)] : [];
  return {
    "done assignment": [
      to("done", ended("succeeded")),
      to("cancelled", ended("cancelled")),
      to("queued", ended("notAccepted")),
      to("queued", ended("interrupted")),
      to("queued", ended("lost")),
      to("dead", ended("lost"), { way: [...way, ended("lost"), assign, ...second] }),
      to("backingOff", ended("failed")),
      to("backingOff", ended("timedOut")),
      to("dead", ended("failed"), { input: once }),
      to("dead", ended("timedOut"), { input: once }),
      to("failed", ended("failed", { reported: "killed" })),
      to("failed", ended("failed", { reported: "budgetExceeded" })),
      to("parked", ended("asked")),
      // Its session is not there: from the beginning, at no cost; where there was none, that is its end.
      to("queued", ended("failed", { reported: "resumeUnavailable" }), {
        way: [...running, session()] as never,
        ...(way.length > 1 ? {} : { way: [assign, accepted(), session(), ended("lost"), assign] }),
      }),
      to("failed", ended("failed", { reported: "resumeUnavailable" })),
      // Declined three times it is offered again at once, then with pauses.
      to("backingOff", declined, { way: [assign, declined, assign, declined, assign, declined, assign, ...(way.length > 1 ? [accepted(4)] : [])] }),
      to("failed", ended("failed"), { input: inputOf({ budget: { turns: 5 } }), way: [...running, usage(5), ...(way.length > 1 ? [] : [ended("lost"), assign])] }),
      to("done", completed([]), { input: verified }),
      to("verifying", completed(), { input: verified }),
      to("verifying", completed([{ kind: "test" }]), { input: verified }),
      to("verifying", ended("succeeded"), { input: verified }),
      to("parked", ended("succeeded", { receipt: receipt("blocked") }), { input: verified }),
      to("failed", ended("succeeded", { receipt: receipt("failed") }), { input: verified }),
      ...(["failed", "timedOut", "lost", "notAccepted", "interrupted", "cancelled", "asked"] as const).map((outcome) => to("cancelled", ended(outcome), { way: [...way, cancel] })),
      ...(["failed", "timedOut", "lost", "notAccepted", "interrupted", "cancelled", "asked"] as const).map((outcome) => to("expired", ended(outcome), { way: [...way, expire] })),
      ...(["failed", "timedOut", "lost", "notAccepted", "interrupted", "cancelled"] as const).map((outcome) => to("paused", ended(outcome), { way: [...way, pause] })),
      to("parked", ended("asked"), { way: [...way, pause] }),
      to("dead", ended("failed"), { way: [...way, pause], input: once }),
      to("failed", ended("failed", { reported: "deleted" }), { way: [...way, pause] }),
      to("dead", ended("failed"), { way: [...way, ended("interrupted"), assign, ...second, pause, ended("failed"), resume, assign, ...third, pause] }),
      // An end that was faster wins.
      ...[cancel, expire, pause].map((given) => to("done", ended("succeeded"), { way: [...way, given] })),
      to("cancelled", completed(), { input: verified, way: [...way, cancel] }),
      to("verifying", completed(), { input: verified, way: [...way, pause] }),
      to("failed", ended("cancelled"), { input: bounded, way: [...way, usage(11)] }),
    ],
    "error assignment": to("dead", broken),
  };
};
const active = (state: string, way: ReadonlyArray<Stimulus>): Omit<Row<TaskEvent>, "on"> & { readonly on: Omit<Row<TaskEvent>["on"], "ACCEPTED"> } => ({
  way,
  on: {
    ...needsNothing,
    ...always(state),
    ...begun,
    ...notPaused,
    ...noPause,
    ...noDecision,
    ASSIGN: ignored("a worker has it already", assign),
    PROGRESS: [to(state, progress()), ignored("an earlier attempt's report comes too late", progress(0))],
    SESSION: [to(state, session()), ignored("an earlier attempt's report comes too late", session(0))],
    USAGE: [
      to(state, usage(3)),
      to(state, usage(11), { input: bounded }),
      // It is being withdrawn already; what it uses is counted all the same.
      to(state, usage(12), { input: bounded, way: [...way, usage(11)] }),
      to(state, usage(11), { input: bounded, way: [...way, cancel] }),
      ignored("an earlier attempt's report comes too late", usage(3, 0)),
      ignored("an earlier attempt's report comes too late, also one beyond the budget", usage(99, 0), { input: bounded }),
    ],
    CANCEL: [
      to(state, cancel),
      to(state, cancel, { way: [...way, pause] }),
      to(state, cancel, { way: [...way, expire] }),
      ignored("it was cancelled before; the first reason holds", cancel, { way: [...way, cancel] }),
    ],
    EXPIRE: [
      to(state, expire),
      to(state, expire, { way: [...way, pause] }),
      ignored("it was cancelled, and that holds", expire, { way: [...way, cancel] }),
      ignored("it expires already", expire, { way: [...way, expire] }),
    ],
    PAUSE: [to(state, pause), ignored("it is withdrawn for good", pause, { way: [...way, cancel] }), ignored("it is set aside already", pause, { way: [...way, pause] })],
  },
  children: outcomes(way),
});

describe("machines > task", () => {
  describeTable<TaskEvent>(chart, {
    input,
    samples: {
      NEED_DONE: needDone(),
      NEED_FAILED: needFailed(),
      ADD_DEPENDENT: addDependent,
      RESUBMIT: resubmit,
      ASSIGN: assign,
      ACCEPTED: accepted(),
      PROGRESS: progress(),
      USAGE: usage(1),
      SESSION: session(),
      CANCEL: cancel,
      EXPIRE: expire,
      PAUSE: pause,
      RESUME: resume,
      RETRY_NOW: retryNow,
      REPRIORITISE: reprioritise,
      ANSWER: answer,
      VERIFY: verify,
      REJECT: reject,
    },
    rows: {
      "waiting.forMoment": {
        way: [],
        input: later,
        on: {
          ...always("waiting.forMoment"),
          ...ends,
          ...noWorker,
          ...noDecision,
          ...notPaused,
          ...noPause,
          NEED_DONE: to("waiting.forMoment", needDone()),
          NEED_FAILED: [
            to("cancelled", needFailed(), { input: inputOf({ needs: ["q"] }, { startDelayMs: 5 }) }),
            to("waiting.forMoment", needFailed(), { input: inputOf({ needs: ["q"], whenNeedFails: "ignore" }, { startDelayMs: 5 }) }),
            // An earlier task of its id may have needed it.
            to("waiting.forMoment", needFailed()),
          ],
          RESUBMIT: to("waiting.forMoment", resubmit),
          ASSIGN: ignored("its moment has not come", assign),
          PAUSE: to("paused", pause),
        },
        after: { untilMoment: [to("queued", elapsed("untilMoment")), to("waiting.forNeeds", elapsed("untilMoment"), { input: inputOf({ needs: ["p"] }, { startDelayMs: 5 }) })] },
      },
      "waiting.forNeeds": {
        way: [],
        input: needing,
        on: {
          ...always("waiting.forNeeds"),
          ...ends,
          ...noWorker,
          ...noDecision,
          ...notPaused,
          ...noPause,
          ...begun,
          NEED_DONE: [to("waiting.forNeeds", needDone()), to("waiting.forNeeds", needDone("unknown")), to("queued", needDone("q"), { way: [needDone("p")] })],
          NEED_FAILED: [to("cancelled", needFailed()), to("waiting.forNeeds", needFailed(), { input: careless }), to("queued", needFailed(), { input: careless, way: [needDone("p")] })],
          ASSIGN: ignored("it can't be begun before what it needs is done", assign),
          PAUSE: to("paused", pause),
        },
      },
      queued: {
        way: [],
        on: {
          ...needsNothing,
          ...always("queued"),
          ...ends,
          ...noWorker,
          ...noDecision,
          ...notPaused,
          ...noPause,
          ...begun,
          ASSIGN: to("active.assigned", assign),
          PAUSE: to("paused", pause),
        },
      },
      "active.assigned": (() => {
        const row = active("active.assigned", [assign]);
        return {
          ...row,
          on: { ...row.on, ACCEPTED: [to("active.running", accepted()), ignored("an earlier attempt's acceptance comes too late", accepted(1), { way: [assign, ended("notAccepted"), assign] })] },
        } as Row<TaskEvent>;
      })(),
      "active.running": (() => {
        const row = active("active.running", running);
        return { ...row, on: { ...row.on, ACCEPTED: ignored("it was accepted before", accepted()) } } as Row<TaskEvent>;
      })(),
      parked: {
        way: parkedWay,
        on: {
          ...needsNothing,
          ...always("parked"),
          ...ends,
          ...noWorker,
          ...notPaused,
          ...noPause,
          ...begun,
          ASSIGN: ignored("it waits for an answer", assign),
          PAUSE: ignored("it waits already, and for an answer", pause),
          ANSWER: [to("queued", answer), to("queued", { ...answer, question: "1" }), ignored("it answers another question", { ...answer, question: "0" })],
          VERIFY: [ignored("there is nothing to verify yet", verify), to("done", verify, { input: verified, way: unverifiedWay })],
          REJECT: [
            ignored("there is nothing to reject yet", reject),
            to("failed", reject, { input: verified, way: unverifiedWay }),
            to("backingOff", rejectAndRetry, { input: verified, way: unverifiedWay }),
          ],
        },
        after: { answerTimeout: to("failed", elapsed("answerTimeout")) },
      },
      verifying: {
        way: verifyingWay,
        input: verified,
        on: {
          ...needsNothing,
          ...always("verifying"),
          ...ends,
          ...noWorker,
          ...notPaused,
          ...noPause,
          ...begun,
          ASSIGN: ignored("its work is done, as far as its worker says", assign),
          PAUSE: ignored("no worker has it, and its grace is short", pause),
          ANSWER: ignored("it asks nothing", answer),
          VERIFY: to("done", verify),
          REJECT: [to("failed", reject), to("backingOff", rejectAndRetry), to("dead", rejectAndRetry, { input: inputOf({ verification: verified.spec.verification, retry: once.spec.retry }) })],
        },
        after: {
          verificationGrace: [
            to("done", elapsed("verificationGrace")),
            to("parked", elapsed("verificationGrace"), { way: [...running, completed()] }),
            to("parked", elapsed("verificationGrace"), { way: [...running, ended("succeeded")] }),
          ],
        },
      },
      backingOff: {
        way: [...running, ended("failed")],
        on: {
          ...needsNothing,
          ...always("backingOff"),
          ...ends,
          ...noWorker,
          ...noDecision,
          ...notPaused,
          ...begun,
          ASSIGN: ignored("its pause is not over", assign),
          RETRY_NOW: to("queued", retryNow),
          PAUSE: to("paused", pause),
        },
        after: { backoff: to("queued", elapsed("backoff")) },
      },
      paused: {
        way: [pause],
        on: {
          ...always("paused"),
          ...ends,
          ...noWorker,
          ...noDecision,
          ...noPause,
          RESUBMIT: ignored("somebody set it aside: that holds", resubmit),
          ASSIGN: ignored("somebody set it aside", assign),
          PAUSE: ignored("it is set aside already", pause),
          RESUME: [
            to("queued", resume),
            to("waiting.forNeeds", resume, { input: needing }),
            to("waiting.forMoment", resume, { input: later }),
            to("queued", { ...resume, at: Date.UTC(2030, 0, 3) }, { input: later }),
          ],
          NEED_DONE: to("paused", needDone(), { input: needing }),
          NEED_FAILED: [to("cancelled", needFailed(), { input: needing }), to("paused", needFailed(), { input: careless })],
        },
      },
      done: { way: [...running, ended("succeeded")], over: "it is done, and is not done twice" },
      failed: { way: [...running, ended("failed", { reported: "killed" })], over: "it has failed, and is not tried again" },
      dead: { way: [...running, ended("failed")], input: once, over: "its budget is spent" },
      cancelled: { way: [cancel], over: "it was cancelled, and that holds" },
      expired: { way: [expire], over: "its time was over" },
    },
  });

  const told = (start: TaskInput, ...events: ReadonlyArray<Stimulus>) => {
    const actor = chart.begin(start);
    for (const event of events) actor.tell(event);
    return actor;
  };
  const contextOf = (start: TaskInput, ...events: ReadonlyArray<Stimulus>) => told(start, ...events).context<TaskContext>();
  const messages = (actor: ReturnType<typeof told>) =>
    actor.commands.flatMap((command) => (command.type === "send" && command.to.kind === "address" ? [[command.to.address, command.event] as const] : []));
  const timers = (actor: ReturnType<typeof told>) => Object.entries(actor.state.timers).map(([id, { due }]) => [id.replace(/^after\./, "").replace(/\..*/, ""), due - actor.now]);

  describe("retries", () => {
    test("what no worker began costs nothing", () => {
      const actor = told(once, assign, ended("notAccepted"), assign, ended("notAccepted"), assign, ended("interrupted"));
      expect(actor.value).toBe("queued");
      expect(actor.context<TaskContext>()).toMatchObject({ assignments: 3, failures: 0, losses: 0, worker: null, failure: { message: "interrupted" } });
    });
    test("one that is declined again and again is offered with longer and longer pauses", () => {
      const actor = told(once);
      const pauses = Array.from({ length: 8 }, () => {
        for (const event of [assign, declined]) actor.tell(event);
        const pause_ = actor.value === "queued" ? 0 : (timers(actor)[0]?.[1] as number);
        actor.tell(elapsed("backoff"));
        return pause_;
      });
      expect(pauses).toEqual([0, 0, 0, 100, 200, 400, 800, 1_600]);
      expect(actor.context<TaskContext>()).toMatchObject({ failures: 0, assignments: 8 });
    });
    test("failures and time-outs are counted together, and the last reason is kept", () => {
      const actor = told(input, ...running, ended("timedOut"), elapsed("backoff"), assign, accepted(2), ended("failed"));
      expect(actor.value).toBe("dead");
      expect(actor.context<TaskContext>()).toMatchObject({ failures: 2, failure: { message: "failed" }, result: { made: 7 } });
    });
    test("losses have a budget of their own", () => {
      const actor = told(inputOf({ lossesMax: 2, retry: once.spec.retry }), ...[1, 2, 3].flatMap(() => [assign, ended("lost")]));
      expect(actor.value).toBe("dead");
      expect(actor.context<TaskContext>()).toMatchObject({ failures: 0, losses: 3, failure: { message: "lost" } });
    });
    test("its pause grows with each failure, and is the same when it is replayed", () => {
      const patient = inputOf({ retry: { attemptsMax: 5, backoff: { kind: "exponential", baseMs: 500, capMs: 3_000 }, jitter: { min: 0.5, max: 1 }, outcomes: ["error"] } });
      const pauses = () => {
        const actor = told(patient);
        return [1, 2, 3, 4].map((attempt) => {
          for (const event of [assign, accepted(attempt), ended("failed")]) actor.tell(event);
          const wait = (Object.values(actor.state.timers)[0]?.due ?? 0) - actor.now;
          actor.tell(elapsed("backoff"));
          return wait;
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
      expect(contextOf(once, assign, ended("failed", { failure: null })).failure).toMatchObject({ message: "the attempt failed without a reason" });
      expect(contextOf(input, assign, broken)).toMatchObject({ failure: { message: "it broke" }, delayMs: null });
    });
    test("a rejection counts as a failure, and begins from its input again", () => {
      expect(contextOf(verified, assign, accepted(), session(), completed(), rejectAndRetry)).toMatchObject({
        failures: 1,
        session: null,
        verdict: { by: "tester", verified: false },
        failure: { code: "rejected" },
      });
    });
  });

  describe("budget", () => {
    test("usage is added up over the runs; a repeated report counts once", () => {
      const actor = told(input, ...running, usage(3), usage(3), usage(4), ended("lost"), assign, accepted(2), usage(2, 2), ended("succeeded", { usage: { turns: 5, costUsd: 0.5, wallMs: 1_000 } }));
      expect(actor.context<TaskContext>()).toMatchObject({ used: { turns: 9, costUsd: 0.5, tokens: 0, wallMs: 1_000 }, using: { turns: 0 } });
    });
    test("a run that exceeds it is withdrawn once, and the task has failed for that reason", () => {
      const actor = told(bounded, ...running, usage(11), usage(12), ended("cancelled"));
      expect(actor.commands.filter((command) => command.type === "send" && command.to.kind === "child")).toHaveLength(1);
      expect(actor.context<TaskContext>()).toMatchObject({ failure: { code: "budget_exceeded", message: "it used 11 of 10 turns" }, used: { turns: 12 } });
    });
    test("no other attempt is begun when nothing is left of it", () => {
      expect(contextOf(bounded, ...running, usage(10), ended("failed")).failure).toMatchObject({ code: "budget_exceeded", message: "it used 10 of 10 turns, and is not done" });
    });
    test("an attempt gets what is left, and no more time than that", () => {
      const actor = told(inputOf({ budget: { turns: 10, wallMs: 50_000 } }), assign, ended("lost", { usage: { turns: 4, wallMs: 20_000 } }), assign);
      const [, second] = actor.commands.flatMap((command) => (command.type === "child.start" ? [command.input] : []));
      expect(second).toMatchObject({ executionTimeoutMs: 30_000, work: { budget: { turns: 6, wallMs: 30_000 } } });
    });
  });

  describe("time", () => {
    test("a deadline goes on through every state, and the queue has its own", () => {
      const limited = inputOf({ deadline: Date.UTC(2030, 0, 1, 1), queueTimeoutMs: 60_000 }, { deadlineMs: 3_600_000 });
      expect(timers(told(limited))).toEqual([
        ["deadline", 3_600_000],
        ["queueTimeout", 60_000],
      ]);
      expect(timers(told(limited, assign)).map(([id]) => id)).toEqual(["deadline"]);
      expect(timers(told(limited, pause)).map(([id]) => id)).toEqual(["deadline"]);
      expect(told(limited, cancel).state.timers).toEqual({});
    });
    test("they say which of them was over", () => {
      const causes = ["deadline", "queue", "Ada"].map((by) => contextOf(input, { type: "EXPIRE", by, why: "late" }).failure?.code);
      expect(causes).toEqual(["deadline_exceeded", "queue_timeout", "expired"]);
    });
    test("the same work again puts it off, with its last input", () => {
      const actor = told(inputOf({}, { startDelayMs: 500 }), resubmit);
      expect(timers(actor)).toEqual([["untilMoment", 1_000]]);
      expect(actor.context<TaskContext>().spec.input).toEqual({ about: "c" });
    });
  });

  describe("needs and dependents", () => {
    test.each([
      ["done", [...running, ended("succeeded")], "NEED_DONE"],
      ["failed", [...running, ended("failed", { reported: "killed" })], "NEED_FAILED"],
      ["dead", [...running, broken], "NEED_FAILED"],
      ["cancelled", [cancel], "NEED_FAILED"],
      ["expired", [expire], "NEED_FAILED"],
    ] as const)("all that need it are told when it is %s", (state, way, type) => {
      const actor = told(input, addDependent, addDependent, ...way);
      expect(actor.value).toBe(state);
      expect(messages(actor)).toEqual(["x", "y", "z"].map((id) => [`task/${id}`, { type, task: "a" }]));
    });
    test("it is queued at once when it needs nothing, and else with the last of its needs", () => {
      expect(told(input).value).toBe("queued");
      expect(told(needing, needDone("q"), needDone("q")).value).toBe("waiting.forNeeds");
      expect(told(needing, needDone("q"), needDone("p")).value).toBe("queued");
    });
    test("it says which need was not done", () => {
      expect(contextOf(needing, needFailed()).failure).toEqual({ name: "TaskFailed", code: "need_failed", message: 'the task "q" that it needs was not done' });
    });
  });

  describe("orders", () => {
    test("the assignment is told once, and the first reason is kept", () => {
      const actor = told(input, ...running, cancel, { type: "CANCEL", by: "x", why: "another reason" });
      expect(actor.commands.filter((command) => command.type === "send" && command.to.kind === "child")).toHaveLength(1);
      actor.tell(ended("cancelled"));
      expect(actor.context<TaskContext>()).toMatchObject({ failure: { code: "cancelled", message: "not wanted" }, result: { made: 7 }, failures: 0 });
    });
    test("an assignment that somebody else cancelled cancels it too, with a reason", () => {
      expect(contextOf(input, ...running, ended("cancelled"))).toMatchObject({ failure: { code: "cancelled", message: "its assignment was cancelled" } });
    });
    test("one that was set aside goes on with its session", () => {
      expect(contextOf(input, ...running, session(), pause, ended("cancelled"), resume, assign)).toMatchObject({ session: "s1", intent: null, assignments: 2 });
    });
  });

  describe("questions and verification", () => {
    const started = (actor: ReturnType<typeof told>) => actor.commands.flatMap((command) => (command.type === "child.start" ? [(command.input as { readonly work: object }).work] : []));
    test("the answer goes to the same session, also when that run is lost", () => {
      const actor = told(input, ...running, session(), ended("asked"), answer, assign, accepted(2), ended("lost"), assign);
      const [first, second, third] = started(actor);
      expect(first).toMatchObject({ session: null, answer: null, question: null });
      for (const work of [second, third]) expect(work).toMatchObject({ session: "s1", answer: "blue", question: { text: "which colour?" } });
    });
    test("a session that can't be loaded falls back to the input, and the answer goes along", () => {
      const actor = told(input, ...running, session(), ended("asked"), answer, assign, accepted(2), ended("failed", { reported: "resumeUnavailable" }), assign);
      expect(started(actor)[2]).toMatchObject({ session: null, answer: "blue" });
      expect(actor.context<TaskContext>()).toMatchObject({ failures: 0 });
    });
    test("a question that nobody answers fails it, and says which", () => {
      expect(contextOf(input, ...parkedWay, elapsed("answerTimeout")).failure).toMatchObject({ code: "unanswered", message: expect.stringContaining("which colour?") });
    });
    test.each([
      [ended("succeeded"), "timeout-missing-receipt"],
      [completed(), "timeout-unverified"],
    ])("after the grace it asks, with the reason", (end, text) => {
      expect(contextOf(verified, ...running, end, elapsed("verificationGrace")).question).toMatchObject({ about: "verification", text });
    });
  });

  describe("telling", () => {
    const notified = (policy: "always" | "never" | "ifSignificant", more: Partial<TaskEnvelope> = {}) => inputOf({ notification: { policy, criteria: ["breaking"], outbox: "results" }, ...more });
    const entries = (actor: ReturnType<typeof told>) =>
      messages(actor).flatMap(([address, event]) =>
        address === "outbox/results" ? (event as unknown as { readonly entries: ReadonlyArray<{ readonly type: string; readonly key: string }> }).entries.map(({ type, key }) => [type, key]) : [],
      );
    const result = [["task.result", "task/a/result"]];
    const failure = [["task.failure", "task/a/result"]];
    test.each([
      ["a result", notified("always"), [ended("succeeded")], result],
      ["a result that is filed", notified("never"), [ended("succeeded")], []],
      ["a result that means nothing", notified("ifSignificant"), [ended("succeeded")], []],
      ["a result that means something", notified("ifSignificant"), [ended("succeeded", { criteriaMet: ["breaking"] })], result],
      ["a failure", notified("ifSignificant"), [ended("failed", { reported: "killed" })], failure],
      ["a failure that is filed", notified("never"), [ended("failed", { reported: "killed" })], []],
      ["a spent budget", notified("always", { retry: once.spec.retry }), [ended("failed")], failure],
      ["an end of time", notified("always"), [expire, ended("cancelled")], failure],
      ["a cancelled task", notified("always"), [cancel, ended("cancelled")], []],
      ["a question", notified("always"), [ended("asked")], [["task.question", "task/a/question/1"]]],
    ] as const)("%s", (_, start, way, expected) => {
      expect(entries(told(start, ...running, ...way))).toEqual(expected);
    });
    test("the artifact of a failure is filed where that is wanted, whoever is told", () => {
      const actor = told(notified("never", { filesArtifact: true }), ...running, session(), usage(3), ended("failed", { reported: "killed", failure: { name: "E", message: "gone" } }));
      expect(actor.commands.flatMap((command) => (command.type === "act" && command.action === "fileArtifact" ? [command.params] : []))).toMatchObject([
        { artifact: { task: "a", state: "failed", failure: { message: "gone" }, attempts: 1, usage: { turns: 3 }, result: { made: 7 } } },
      ]);
    });
  });

  describe("folder", () => {
    const own = inputOf({ folder: true });
    const removed = (...events: ReadonlyArray<Stimulus>) =>
      told(own, ...events).commands.flatMap((command) => (command.type === "act" && command.action === "removeFolder" ? [(command.params as { readonly folder: string }).folder] : []));
    test("each run has its own, and it is removed at its end", () => {
      expect(removed(...running, ended("failed"), elapsed("backoff"), assign, accepted(2), ended("succeeded"))).toEqual(["a.1", "a.2"]);
      expect(removed(...running, ended("lost"), assign)).toEqual(["a.1"]);
      expect(removed(...running, cancel, ended("cancelled"))).toEqual(["a.1"]);
    });
    test("it is kept while the task is parked, and for a session that goes on", () => {
      const parked = [...running, session(), ended("asked")];
      expect(removed(...parked)).toEqual([]);
      expect(removed(...parked, answer, assign, accepted(2), ended("lost"), assign, accepted(3), ended("succeeded"))).toEqual(["a.1"]);
    });
  });

  const outcome = fc.constantFrom<Run["outcome"]>("succeeded", "failed", "failed", "failed", "timedOut", "timedOut", "asked", "cancelled", "lost", "lost", "interrupted", "notAccepted", "notAccepted");
  describeWalk<TaskContext>(chart, {
    input: fc
      .record({
        attemptsMax: fc.integer({ min: 1, max: 4 }),
        lossesMax: fc.nat(3),
        needs: fc.subarray(["p", "q"]),
        turns: fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined }),
        when: fc.constantFrom("never" as const, "receipt" as const, "always" as const),
        startDelayMs: fc.constantFrom(0, 0, 1_000),
      })
      .map(({ attemptsMax, lossesMax, needs, turns, when, startDelayMs }) =>
        inputOf(
          {
            lossesMax,
            needs,
            budget: turns === undefined ? {} : { turns },
            verification: { when, graceMs: 1_000 },
            retry: { attemptsMax, backoff: { kind: "exponential", baseMs: 10, capMs: 1_000 }, jitter: { min: 0.5, max: 1 }, outcomes: ["error", "timeout"] },
          },
          { startDelayMs },
        ),
      ),
    told: fc.oneof(
      { weight: 8, arbitrary: fc.constant(() => assign as TaskEvent) },
      { weight: 5, arbitrary: fc.constant((context: TaskContext) => accepted(context.assignments) as TaskEvent) },
      { weight: 3, arbitrary: fc.nat(12).map((turns) => (context: TaskContext) => usage(turns, context.assignments) as TaskEvent) },
      { weight: 3, arbitrary: fc.constantFrom("p", "q").map((id) => () => needDone(id) as TaskEvent) },
      { weight: 2, arbitrary: fc.constantFrom<TaskEvent>(answer, verify, rejectAndRetry, reject, resume, retryNow).map((event) => () => event) },
      { weight: 1, arbitrary: fc.constantFrom<TaskEvent>(needFailed(), cancel, expire, pause, accepted(1), addDependent, session(1), resubmit).map((event) => () => event) },
    ),
    outputs: {
      assignment: fc
        .tuple(outcome, fc.constantFrom(null, receipt("completed"), receipt("completed", []), receipt("blocked"), receipt("failed")))
        .map(([word, given]) => (ended(word, { receipt: given }) as { readonly output: unknown }).output),
    },
    invariants: {
      "at most spec.retry.attemptsMax": ({ context }) => context.failures <= context.spec.retry.attemptsMax,
      "at most spec.lossesMax + 1": ({ context }) => context.losses <= context.spec.lossesMax + 1,
      "it has a worker and an assignment while it is active, else neither": ({ actor, context, state }) =>
        state.startsWith("active") === (context.worker !== null) && state.startsWith("active") === (Object.values(actor.state.children).filter(({ ended: over }) => over !== true).length === 1),
      "assignments are numbered without gaps": ({ actor, context }) => {
        const numbers = actor.commands.flatMap((command) => (command.type === "child.start" ? [(command.input as { attempt: number }).attempt] : []));
        return numbers.length === context.assignments && numbers.every((number, index) => number === index + 1);
      },
      "who came to no good end says why": ({ context, state }) => !["failed", "dead", "cancelled", "expired"].includes(state) || context.failure !== null,
      "who waits has no order left to carry out": ({ context, state }) => context.intent === null || state.startsWith("active") || state === "paused" || endedStates.has(state as never),
      "who is parked asks something": ({ context, state }) => state !== "parked" || context.question !== null,
      "all that need it are told once, at its end": ({ actor, context, state }) =>
        actor.sent.filter((type) => type.startsWith("NEED_")).length === (endedStates.has(state as never) ? context.dependents.length : 0),
    },
    runs: 400,
  });

  describeCoverage(chart);
});
