import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AssignmentContext, type AssignmentEvent, type AssignmentInput, assignment, assignmentActions } from "../../machines/assignment.ts";
import type { Work } from "../../src/domain/task.ts";
import { elapsed } from "./actor.ts";
import { Chart } from "./chart.ts";
import { type Case, describeCoverage, describeTable, describeWalk, ignored, to } from "./table.ts";

const work: Work = { task: "a", kind: "report", input: {}, needs: [], budget: {}, executionTimeoutMs: 60_000, session: null, question: null, answer: null, folder: null };
const input: AssignmentInput = { worker: "worker/1", attempt: 2, slots: 1, work, acceptanceTimeoutMs: 30_000, executionTimeoutMs: 60_000, heartbeatTimeoutMs: null };
const watched: AssignmentInput = { ...input, heartbeatTimeoutMs: 10_000 };
const chart = new Chart(assignment, assignmentActions, "task/a");

const taken = { type: "TAKEN", attempt: 2, incarnation: 3, transport: "command" } as const;
const accepted = { type: "ACCEPTED", attempt: 2, incarnation: 3, at: 1_000 } as const;
const heartbeat = { type: "HEARTBEAT", attempt: 2 } as const;
const progress = { type: "PROGRESS", attempt: 2, progress: "half" } as const;
const usage = { type: "USAGE", attempt: 2, usage: { turns: 3 } } as const;
const session = { type: "SESSION", attempt: 2, session: "s1" } as const;
const question = { type: "QUESTION", attempt: 2, question: { text: "which colour?" } } as const;
const silent = { type: "SILENT" } as const;
const declined = { type: "DECLINED", attempt: 2, reason: "full" } as const;
const cancel = { type: "CANCEL" } as const;
const endedWell = { type: "ENDED", attempt: 2, outcome: "ok", result: { exitCode: 0 } } as const;
const endedBadly = { type: "ENDED", attempt: 2, outcome: "error", result: { exitCode: 1 }, failure: { name: "CommandFailed", message: "exit code 1" } } as const;
const lost = (cause: "worker" | "engineStarted" | "engineStopped") => ({ type: "WORKER_LOST", reason: "it was killed", cause }) as const;

const earlier = <Event extends { readonly attempt: number }>(event: Event): Event => ({ ...event, attempt: 1 });
const ofEarlierLife = <Event extends { readonly attempt: number }>(event: Event): Event => ({ ...event, incarnation: 2 });
const tooLate = (event: AssignmentEvent & { readonly attempt: number }): Case => ignored("an earlier attempt's report comes too late", earlier(event));
const fenced = (event: AssignmentEvent & { readonly attempt: number }): Case => ignored("it is of an earlier life of the worker", ofEarlierLife(event));
const unheard = (because: string) => ({
  HEARTBEAT: ignored(because, heartbeat),
  PROGRESS: ignored(because, progress),
  USAGE: ignored(because, usage),
  SESSION: ignored(because, session),
  SILENT: ignored(because, silent),
});
const asks = [to("ended", question), tooLate(question), fenced(question)];

describe("machines > assignment", () => {
  describeTable<AssignmentEvent>(chart, {
    input,
    samples: {
      TAKEN: taken,
      ACCEPTED: accepted,
      DECLINED: declined,
      HEARTBEAT: heartbeat,
      PROGRESS: progress,
      USAGE: usage,
      SESSION: session,
      QUESTION: question,
      ENDED: endedWell,
      WORKER_LOST: lost("worker"),
      SILENT: silent,
      CANCEL: cancel,
    },
    rows: {
      requesting: {
        way: [],
        on: {
          ...unheard("nothing was offered yet"),
          QUESTION: ignored("nothing was offered yet, so it is an earlier attempt's", earlier(question)),
          TAKEN: [to("offered", taken), tooLate(taken)],
          ACCEPTED: ignored("nothing was offered yet, so it is an earlier attempt's", earlier(accepted)),
          DECLINED: [to("ended", declined), tooLate(declined)],
          ENDED: ignored("nothing was offered yet, so it is an earlier attempt's", earlier(endedWell)),
          WORKER_LOST: ignored("it holds no slot there yet; the worker declines what it can't take", lost("worker")),
          CANCEL: to("ended", cancel),
        },
        after: { acceptanceTimeout: to("ended", elapsed("acceptanceTimeout")) },
      },
      offered: {
        way: [taken],
        on: {
          ...unheard("it was not accepted yet; who accepts says so first"),
          QUESTION: asks,
          TAKEN: ignored("it has its slot", taken),
          ACCEPTED: [to("running", accepted), tooLate(accepted), fenced(accepted)],
          DECLINED: [to("ended", declined), to("ended", { type: "DECLINED", attempt: 2 }), tooLate(declined)],
          ENDED: [to("ended", endedWell), to("ended", endedBadly), tooLate(endedWell), tooLate(endedBadly), fenced(endedWell), fenced(endedBadly)],
          WORKER_LOST: [to("ended", lost("worker")), to("ended", lost("engineStarted")), to("ended", lost("engineStopped"))],
          CANCEL: to("stopping", cancel),
        },
        after: { acceptanceTimeout: to("ended", elapsed("acceptanceTimeout")) },
      },
      running: {
        way: [taken, accepted],
        on: {
          HEARTBEAT: [to("running", heartbeat), to("running", heartbeat, { input: watched }), tooLate(heartbeat), fenced(heartbeat)],
          PROGRESS: [to("running", progress), tooLate(progress), fenced(progress)],
          USAGE: [to("running", usage), tooLate(usage), fenced(usage)],
          SESSION: [to("running", session), tooLate(session), fenced(session)],
          QUESTION: asks,
          SILENT: to("stopping", silent, { input: watched }),
          TAKEN: ignored("it has its slot", taken),
          ACCEPTED: ignored("it was accepted before", accepted),
          DECLINED: ignored("who accepted can't decline any more", declined),
          ENDED: [
            to("ended", endedWell),
            to("ended", endedBadly),
            to("ended", { type: "ENDED", attempt: 2, outcome: "error" }),
            tooLate(endedWell),
            tooLate(endedBadly),
            fenced(endedWell),
            fenced(endedBadly),
          ],
          WORKER_LOST: [to("ended", lost("worker")), to("ended", lost("engineStarted")), to("ended", lost("engineStopped"))],
          CANCEL: to("stopping", cancel),
        },
        after: { executionTimeout: to("stopping", elapsed("executionTimeout")) },
      },
      stopping: {
        way: [taken, accepted, cancel],
        on: {
          HEARTBEAT: ignored("it is to end, whether it lives or not", heartbeat),
          PROGRESS: ignored("it is not wanted any more", progress),
          USAGE: [to("stopping", usage), tooLate(usage), fenced(usage)],
          SESSION: [to("stopping", session), tooLate(session), fenced(session)],
          QUESTION: [to("ended", question), tooLate(question), fenced(question)],
          SILENT: ignored("it is to end, and its grace runs", silent),
          TAKEN: ignored("it has its slot", taken),
          ACCEPTED: [ignored("it was accepted before", accepted), ignored("it was cancelled meanwhile; the worker was told to stop", accepted, { way: [taken, cancel] })],
          DECLINED: ignored("the slot is free as soon as the work ends or the grace is over", declined),
          ENDED: [to("ended", endedWell), to("ended", endedBadly), tooLate(endedWell)],
          WORKER_LOST: [
            to("ended", lost("worker")),
            to("ended", lost("engineStarted")),
            to("ended", lost("engineStarted"), { way: [taken, accepted, elapsed("executionTimeout")] }),
            to("ended", lost("engineStopped"), { way: [taken, accepted, elapsed("executionTimeout")] }),
          ],
          CANCEL: [to("stopping", cancel), to("stopping", cancel, { way: [taken, accepted, elapsed("executionTimeout")] })],
        },
        after: { killGrace: to("ended", elapsed("killGrace")) },
      },
      ended: { way: [taken, accepted, endedWell], over: "its outcome was reported; what comes later changes nothing" },
    },
  });

  const outcomeOf = (...events: ReadonlyArray<Parameters<ReturnType<Chart["begin"]>["tell"]>[0]>) => {
    const actor = chart.begin(input);
    for (const event of events) actor.tell(event);
    return { ...actor.context<AssignmentContext>(), state: actor.value, acts: actor.acts, sent: actor.sent };
  };

  describe("outcome", () => {
    const failure = (code: string, message: RegExp) => ({ code, message: expect.stringMatching(message) });
    test.each([
      ["a success with its result", [taken, accepted, endedWell], { outcome: "succeeded", result: { exitCode: 0 }, failure: null }],
      ["a success that was faster than its acceptance", [taken, endedWell], { outcome: "succeeded", result: { exitCode: 0 }, failure: null }],
      ["a failure with its result and reason", [taken, accepted, endedBadly], { outcome: "failed", result: { exitCode: 1 }, failure: endedBadly.failure }],
      ["a failure without a reason", [taken, { type: "ENDED", attempt: 2, outcome: "error" }], { outcome: "failed", failure: failure("failed", /without a reason/) }],
      ["not accepted in time", [taken, elapsed("acceptanceTimeout")], { outcome: "notAccepted", failure: failure("acceptance_timeout", /within 30000 ms/) }],
      ["never answered by a worker that is not there", [elapsed("acceptanceTimeout")], { outcome: "notAccepted", failure: failure("acceptance_timeout", /30000 ms/) }],
      ["declined with the worker's reason", [taken, declined], { outcome: "notAccepted", failure: failure("declined", /full/) }],
      ["lost before acceptance", [taken, lost("worker")], { outcome: "notAccepted", failure: failure("worker_lost", /before it accepted: it was killed/) }],
      ["lost after acceptance", [taken, accepted, lost("worker")], { outcome: "lost", failure: failure("worker_lost", /it was killed/) }],
      ["lost with a crash of the engine", [taken, accepted, lost("engineStarted")], { outcome: "lost" }],
      ["interrupted because the engine was closed", [taken, accepted, lost("engineStopped")], { outcome: "interrupted", failure: failure("interrupted", /killed/) }],
      [
        "timed out, ended within the grace",
        [taken, accepted, elapsed("executionTimeout"), endedBadly],
        { outcome: "timedOut", result: { exitCode: 1 }, failure: failure("execution_timeout", /60000 ms/) },
      ],
      ["timed out, ended by force", [taken, accepted, elapsed("executionTimeout"), elapsed("killGrace")], { outcome: "timedOut", failure: failure("execution_timeout", /60000/) }],
      ["timed out, then its worker was lost", [taken, accepted, elapsed("executionTimeout"), lost("worker")], { outcome: "timedOut" }],
      ["timed out while the engine was away, so lost", [taken, accepted, elapsed("executionTimeout"), lost("engineStarted")], { outcome: "lost", failure: failure("worker_lost", /killed/) }],
      [
        "asked, with what it used",
        [taken, accepted, usage, { ...question, at: 5_000 }],
        { outcome: "asked", question: { id: "2", about: "input", text: "which colour?" }, usage: { turns: 3, wallMs: 4_000 } },
      ],
      ["asked by a name of its own", [taken, accepted, { ...question, question: { id: "q7", text: "which?" } }], { outcome: "asked", question: { id: "q7", about: "input", text: "which?" } }],
      ["a question of one that was cancelled", [taken, accepted, cancel, question], { outcome: "cancelled", question: null }],
      ["another end that its worker names", [taken, accepted, { ...endedWell, outcome: "budgetExceeded" }], { outcome: "failed", reported: "budgetExceeded" }],
      ["what it used, with the time that passed", [taken, accepted, usage, { ...endedWell, at: 61_000, usage: { turns: 4 } }], { outcome: "succeeded", usage: { turns: 4, wallMs: 60_000 } }],
      ["silent for too long", [taken, accepted, silent, elapsed("killGrace")], { outcome: "timedOut", failure: failure("heartbeat_timeout", /said nothing/) }],
      ["cancelled before it was offered", [cancel], { outcome: "cancelled", failure: null }],
      ["cancelled", [taken, accepted, cancel, endedBadly], { outcome: "cancelled", result: { exitCode: 1 } }],
      ["cancelled, although it ended well meanwhile", [taken, accepted, cancel, endedWell], { outcome: "cancelled", result: { exitCode: 0 } }],
      ["cancelled after its time-out", [taken, accepted, elapsed("executionTimeout"), cancel, elapsed("killGrace")], { outcome: "cancelled" }],
      ["cancelled, then the engine crashed", [taken, accepted, cancel, lost("engineStarted")], { outcome: "cancelled" }],
    ] as const)("%s", (_, events, expected) => {
      expect(outcomeOf(...events)).toMatchObject({ state: "ended", ...expected });
    });
  });

  describe("orders", () => {
    test("nothing is offered before the worker has a slot for it", () => {
      expect(outcomeOf()).toMatchObject({ sent: ["TAKE"], acts: [] });
      expect(outcomeOf(declined)).toMatchObject({ sent: ["TAKE", "RELEASE"], acts: [] });
      expect(outcomeOf(taken)).toMatchObject({ sent: ["TAKE"], acts: ["offer"] });
    });
    test("a time-out revokes politely, then by force", () => {
      const actor = chart.begin(input);
      for (const event of [taken, accepted, elapsed("executionTimeout"), elapsed("killGrace")]) actor.tell(event);
      const acts = actor.commands.flatMap((command) => (command.type === "act" ? [[command.action, command.params]] : []));
      expect(acts).toEqual([
        ["offer", { worker: "worker/1", attempt: 2, incarnation: 3, transport: "command", work }],
        ["revoke", { worker: "worker/1", attempt: 2, incarnation: 3, transport: "command", force: false }],
        ["revoke", { worker: "worker/1", attempt: 2, incarnation: 3, transport: "command", force: true }],
      ]);
    });
    test("each sign of life puts off the end of one that is watched", () => {
      const actor = chart.begin(watched);
      for (const event of [taken, accepted]) actor.tell(event);
      const due = () => actor.state.timers.silence?.due;
      expect(due()).toBe(actor.now + 10_000);
      for (const event of [heartbeat, progress, usage, session]) {
        actor.now += 5_000;
        actor.tell(event);
        expect(due()).toBe(actor.now + 10_000);
      }
      actor.tell(endedWell);
      expect(due()).toBeUndefined();
    });
    test("what its worker tells is passed on to the task", () => {
      expect(outcomeOf(taken, accepted, progress, usage, session).sent).toEqual(["TAKE", "ACCEPTED", "PROGRESS", "USAGE", "SESSION"]);
    });
    test("a worker that does not answer is reported before its slot is freed", () => {
      expect(outcomeOf(taken, elapsed("acceptanceTimeout"))).toMatchObject({ sent: ["TAKE", "UNANSWERED", "RELEASE"], acts: ["offer", "revoke"] });
    });
  });

  const attempt = fc.constantFrom(1, 2, 2, 2, 3);
  const cause = fc.constantFrom("worker" as const, "engineStarted" as const, "engineStopped" as const);
  describeWalk<AssignmentContext>(chart, {
    input: fc.constant(input),
    told: fc
      .oneof(
        attempt.map((number): AssignmentEvent => ({ type: "TAKEN", attempt: number })),
        attempt.map((number): AssignmentEvent => ({ type: "ACCEPTED", attempt: number })),
        attempt.map((number): AssignmentEvent => ({ type: "DECLINED", attempt: number })),
        fc.tuple(attempt, fc.boolean()).map(([number, ok]): AssignmentEvent => ({ type: "ENDED", attempt: number, outcome: ok ? "ok" : "error" })),
        cause.map((because): AssignmentEvent => lost(because)),
        fc.constantFrom<AssignmentEvent>(cancel, heartbeat, progress, usage, session, question, earlier(question), silent),
      )
      .map((event) => () => event),
    invariants: {
      "it asks for one slot and frees it exactly once, at its end": ({ actor, state }) =>
        actor.sent.filter((type) => type === "TAKE").length === 1 && actor.sent.filter((type) => type === "RELEASE").length === (state === "ended" ? 1 : 0),
      "it is offered at most once": ({ actor }) => actor.acts.filter((act) => act === "offer").length <= 1,
      "it has an outcome when it has ended": ({ context, state }) => state !== "ended" || context.outcome !== null,
      "who fails says why": ({ context, state }) => state !== "ended" || ["succeeded", "cancelled", "asked"].includes(context.outcome ?? "") || context.failure !== null,
      "a success is the worker's word for this attempt": ({ actor, context }) => context.outcome !== "succeeded" || actor.acts.includes("offer"),
      "force comes after the polite word, or without an answer": ({ actor, context }) => actor.acts.filter((act) => act === "revoke").length <= (context.outcome === "notAccepted" ? 1 : 2),
    },
  });

  describeCoverage(chart);
});
