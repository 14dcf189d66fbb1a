import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { schedule, type ScheduleContext, type ScheduleEvent, type ScheduleInput } from "../../machines/schedule.ts";
import { defaultSchedule, type Plan, type ScheduleSpec, waitingMax } from "../../src/domain/schedule.ts";
import { type Actor, done, elapsed, failed, type Stimulus } from "./actor.ts";
import { Chart } from "./chart.ts";
import { describeCoverage, describeTable, describeWalk, ignored, to } from "./table.ts";

const chart = new Chart(schedule, []);
const at = Date.UTC(2030, 0, 1);
const spec: ScheduleSpec = { ...defaultSchedule, when: { everyMs: 60_000, anchorMs: at }, task: { kind: "report" } };
const input: ScheduleInput = { name: "s", spec, at };
const withOverlap = (overlap: ScheduleSpec["overlap"]): ScheduleInput => ({ ...input, spec: { ...spec, overlap } });

const minute = (count: number) => at + count * 60_000;
const plan = (due: ReadonlyArray<number> = [], next: number | null = 1, more: Partial<Plan> = {}): Plan => ({
  at: minute(due.at(-1) ?? 0),
  due: due.map(minute),
  next: next === null ? null : { moment: minute(next), dueAt: minute(next) },
  backfill: [],
  missed: 0,
  ...more,
});
const planned = (...args: Parameters<typeof plan>) => done("plan", plan(...args));
const submitted = done("submit", undefined);
const refusal = { name: "InvalidTask", message: "there is no kind report" };
const idOf = (count: number) => `s@${new Date(minute(count)).toISOString()}`;
const ended = (count: number) => ({ type: "TASK_ENDED", task: idOf(count) }) as const;

const pause = { type: "PAUSE", by: "anna", why: "a holiday" } as const;
const resume = { type: "RESUME", by: "anna", why: "it is over", at: minute(10) } as const;
const trigger = { type: "TRIGGER", at: at + 1 } as const;
const backfill = { type: "BACKFILL", from: minute(-5), to: minute(-3) } as const;
const change = { type: "CHANGE", spec: { ...spec, jitterMs: 5 }, at: at + 1 } as const;
const remove = { type: "REMOVE" } as const;
const everywhere = {
  TRIGGER: to("starting", trigger),
  BACKFILL: to("planning", backfill),
  PAUSE: to("paused", pause),
  RESUME: to("planning", resume),
  CHANGE: to("planning", change),
  REMOVE: to("removed", remove),
};
const other = "it is another run, or one that has ended";
const running = [planned([1], 2), submitted];

describe("machines > schedule", () => {
  describeTable<ScheduleEvent>(chart, {
    input,
    samples: { PAUSE: pause, RESUME: resume, TRIGGER: trigger, BACKFILL: backfill, CHANGE: change, TASK_ENDED: ended(1), REMOVE: remove },
    rows: {
      planning: {
        way: [],
        on: {
          TRIGGER: to("planning", trigger),
          BACKFILL: to("planning", backfill),
          PAUSE: to("planning", pause),
          RESUME: to("planning", resume),
          CHANGE: to("planning", change),
          TASK_ENDED: [ignored(other, ended(1)), to("planning", ended(1), { way: [...running, change] })],
          REMOVE: to("removed", remove),
        },
        children: {
          "done plan": [
            to("waiting", planned()),
            to("starting", planned([1], 2)),
            to("exhausted", planned([], null)),
            to("paused", planned(), { way: [pause] }),
            to("starting", planned(), { way: [trigger] }),
          ],
          "error plan": to("broken", failed("plan", { name: "InvalidSchedule", message: "there is no time zone" })),
        },
      },
      starting: {
        way: [planned([1], 2)],
        on: {
          TRIGGER: to("starting", trigger),
          BACKFILL: to("starting", backfill),
          PAUSE: to("starting", pause),
          RESUME: to("starting", resume),
          CHANGE: to("starting", change),
          TASK_ENDED: [to("starting", ended(1)), ignored(other, ended(2))],
          REMOVE: to("removed", remove),
        },
        children: {
          "done submit": [to("waiting", submitted), to("planning", submitted, { way: [planned([1], 2), change] }), to("starting", submitted, { way: [planned([1], 2), trigger, ended(1)] })],
          "error submit": [to("waiting", failed("submit", refusal)), to("starting", failed("submit", refusal), { way: [planned([1], 2), trigger] })],
        },
      },
      waiting: {
        way: [planned()],
        on: { ...everywhere, TASK_ENDED: [ignored(other, ended(1)), to("waiting", ended(1), { way: running }), to("starting", ended(1), { way: [...running, trigger] })] },
        after: { untilDue: to("planning", elapsed("untilDue")) },
      },
      // The clock stands: what it would say is found out when it goes again.
      paused: { way: [pause, planned()], on: { ...everywhere, CHANGE: to("paused", change), TASK_ENDED: ignored(other, ended(1)) } },
      exhausted: { way: [planned([], null)], on: { ...everywhere, TASK_ENDED: ignored(other, ended(1)) } },
      broken: { way: [failed("plan", refusal)], on: { ...everywhere, TASK_ENDED: ignored(other, ended(1)) } },
      removed: { way: [remove], over: "it was removed" },
    },
  });

  const told = (given: ScheduleInput, ...stimuli: ReadonlyArray<Stimulus>): Actor => {
    const actor = chart.begin(given);
    for (const stimulus of stimuli) actor.tell(stimulus);
    return actor;
  };
  const contextOf = (given: ScheduleInput, ...stimuli: ReadonlyArray<Stimulus>) => told(given, ...stimuli).context<ScheduleContext>();
  const tasks = ({ current, queue }: ScheduleContext) => [current, ...queue].flatMap((run) => (run === null ? [] : [run.task]));
  const emitted = (actor: Actor) => actor.commands.flatMap((command) => (command.type === "emit" ? [command.event] : []));

  test("a moment is submitted under an id of its own", () => {
    const actor = told(input, planned([1], 2));
    const start = actor.commands.flatMap((command) => (command.type === "child.start" && command.id === "submit" ? [command] : []))[0];
    expect(JSON.stringify(start)).toContain(`"task":"${idOf(1)}"`);
    expect(actor.context<ScheduleContext>()).toMatchObject({ current: { task: idOf(1), moment: minute(1), cause: "clock", isUnwanted: false }, plannedTo: minute(1) });
  });
  test("while a run has not ended, `skip` leaves a moment out and says so", () => {
    const actor = told(input, ...running, elapsed("untilDue"), planned([2], 3));
    expect(actor.context<ScheduleContext>()).toMatchObject({ current: { task: idOf(1) }, queue: [], skipped: 1, plannedTo: minute(2) });
    expect(emitted(actor)).toEqual([{ type: "schedule.skipped", moment: minute(2) }]);
  });
  test("`queue` lets moments wait, in their order", () => {
    const context = contextOf(withOverlap("queue"), ...running, elapsed("untilDue"), planned([2, 3], 4));
    expect(tasks(context)).toEqual([idOf(1), idOf(2), idOf(3)]);
    expect(tasks(contextOf(withOverlap("queue"), ...running, elapsed("untilDue"), planned([2, 3], 4), ended(1)))).toEqual([idOf(2), idOf(3)]);
  });
  test("`cancelFormer` wants the one before no more, keeps the latest alone, and leaves what was asked for", () => {
    const context = contextOf(withOverlap("cancelFormer"), ...running, trigger, elapsed("untilDue"), planned([2, 3], 4));
    expect(context.current).toMatchObject({ task: idOf(1), isUnwanted: true });
    expect(tasks(context)).toEqual([idOf(1), "s@trigger-1", idOf(3)]);
    expect(context.skipped).toBe(1);
    const asked = contextOf(withOverlap("cancelFormer"), planned(), trigger, submitted, elapsed("untilDue"), planned([1], 2));
    expect(asked.current).toMatchObject({ cause: "trigger", isUnwanted: false });
  });
  test("runs that are asked for wait whatever the policy, each once", () => {
    const moments = [minute(-5), minute(-4), minute(1)];
    const context = contextOf(input, ...running, backfill, planned([], 2, { backfill: moments }), trigger, backfill, planned([], 2, { backfill: moments }));
    expect(tasks(context)).toEqual([idOf(1), idOf(-5), idOf(-4), "s@trigger-1"]);
    expect(context.skipped).toBe(0);
  });
  test("a pause stops the clock alone, and what passed meanwhile is not made up for", () => {
    const context = contextOf(input, planned(), pause, resume, planned([], 11));
    expect(context).toMatchObject({ plannedTo: minute(10), next: { moment: minute(11) }, isPaused: false, note: "anna: it is over" });
    expect(contextOf(input, pause, planned([1], 2, { missed: 3 }))).toMatchObject({ queue: [], current: null, missed: 0, plannedTo: at });
    expect(told(input, planned(), pause, backfill, planned([1], 2, { backfill: [minute(-5)] })).value).toBe("starting");
    expect(told(input, planned(), pause, trigger).value).toBe("starting");
  });
  test("who resumes what was not paused loses no moment", () => {
    expect(contextOf(input, planned(), resume)).toMatchObject({ plannedTo: at });
  });
  test("what waits is bounded, and what finds no room is counted", () => {
    const context = contextOf(input, ...running, ...Array.from({ length: waitingMax + 5 }, () => trigger));
    expect(context.queue).toHaveLength(waitingMax);
    expect(context).toMatchObject({ dropped: 5, triggers: waitingMax + 5 });
  });
  test("a run that nobody takes is dropped and told of, and the next one goes on", () => {
    const actor = told(input, planned([1], 2), failed("submit", refusal));
    expect(actor.context<ScheduleContext>()).toMatchObject({ current: null, dropped: 1 });
    expect(emitted(actor)).toEqual([{ type: "schedule.dropped", task: idOf(1), reason: "there is no kind report" }]);
    expect(contextOf(input, planned([1], 2), failed("submit", { name: "", message: "" })).dropped).toBe(1);
  });
  test("whoever triggers is told the id of the task, or that there is no room", () => {
    const replyTo = { xstate$$type: 1, id: "host/1", address: "host/1" } as never;
    const answers = (actor: Actor) => actor.commands.flatMap((command) => (command.type === "send" ? [command.event] : []));
    expect(answers(told(input, planned(), { ...trigger, replyTo } as Stimulus))).toEqual([{ type: "TRIGGERED", task: "s@trigger-1" }]);
    expect(answers(told(input, ...running, ...Array.from({ length: waitingMax }, () => trigger), { ...trigger, replyTo } as Stimulus))).toEqual([{ type: "TRIGGERED", task: null }]);
  });
  test("a moment that is missed is told of, with what was lost", () => {
    expect(emitted(told(input, planned([5], 6, { missed: 4 })))).toEqual([{ type: "schedule.missed", count: 4 }]);
    expect(emitted(told(input, failed("plan", refusal)))).toEqual([{ type: "schedule.broken", reason: "there is no kind report" }]);
  });

  const someMinutes = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 4 }).map((list) => list.sort((left, right) => left - right));
  describeWalk<ScheduleContext>(chart, {
    input: fc.constantFrom(withOverlap("skip"), withOverlap("queue"), withOverlap("cancelFormer")),
    told: fc.oneof(
      fc.constantFrom<() => ScheduleEvent>(
        () => pause,
        () => resume,
        () => trigger,
        () => backfill,
        () => change,
        () => ended(1),
      ),
      { weight: 4, arbitrary: fc.constant((context: ScheduleContext): ScheduleEvent => ({ type: "TASK_ENDED", task: context.current?.task ?? "none" })) },
    ),
    outputs: { plan: someMinutes.chain((due) => fc.constantFrom(plan(due, 10), plan(due, null), plan([], 10, { backfill: due.map(minute) }))), submit: fc.constant(undefined) },
    invariants: {
      "at most `waitingMax`, each task once": ({ context }) => context.queue.length <= waitingMax && new Set(tasks(context)).size === tasks(context).length,
      "nothing waits for its start while nothing runs": ({ state, context }) => context.queue.length === 0 || context.current !== null || state === "planning" || state === "starting",
      "it is paused only where the clock stands": ({ state, context }) => state !== "waiting" || !context.isPaused,
      "what it waits for is known": ({ state, context }) => state !== "waiting" || context.next !== null,
    },
  });

  describeCoverage(chart);
});
