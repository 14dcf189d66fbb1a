import { type AnyActorRef, assign, enqueueActions, fromPromise, setup } from "xstate";
import type { Failure } from "../src/domain/json.ts";
import { type DueRun, type Plan, type PlanRequest, runIdOf, type ScheduleSpec, triggerIdOf, waitingMax } from "../src/domain/schedule.ts";

/**
 * A schedule: at each of its moments a task is submitted, one run at a time.
 *
 *   planning ──planned──▶ choosing ──▶ starting ──submitted──▶ choosing     something waits for its start, and nothing runs
 *      ▲                     ├──▶ planning                                  a backfill was asked for, or the plan is old
 *      │                     ├──▶ waiting ──untilDue──▶ planning
 *      │                     ├──▶ paused ──RESUME──▶ planning
 *      │                     ├──▶ exhausted                               no moment follows
 *      └──────CHANGE─────────┴──▶ broken                                  its moments can't be found out
 *
 * Which moments follow is found out by an activity, and stored with its answer: the rules of time zones change with the
 * Node version, and a machine that asked them itself would not decide twice in the same way. What is submitted has an
 * id made of the schedule and the moment, so a repeated start is the same task.
 *
 * A pause stops the clock alone: what waits, is triggered or is backfilled still runs.
 */
export interface ScheduleInput {
  readonly name: string;
  readonly spec: ScheduleSpec;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export interface ScheduleContext {
  readonly name: string;
  readonly spec: ScheduleSpec;
  /** Moments up to this one are dealt with, in milliseconds since 1970. Invariant: it only grows. */
  readonly plannedTo: number;
  /** The latest moment that this machine was told; its deadlines are counted from it. */
  readonly at: number;
  readonly next: Plan["next"];
  /** The plan is out of date. */
  readonly isStale: boolean;
  readonly isPaused: boolean;
  readonly backfill: PlanRequest["backfill"];
  /** Invariant: at most `waitingMax`, each task once. */
  readonly queue: ReadonlyArray<DueRun>;
  /** The run that was submitted and has not ended. */
  readonly current: (DueRun & { readonly isUnwanted: boolean }) | null;
  /** Counts what was triggered. */
  readonly triggers: number;
  readonly started: number;
  /** Moments left out because the run before had not ended, or because a later one took their place. */
  readonly skipped: number;
  /** Moments that passed without an engine and were not made up for. */
  readonly missed: number;
  /** Runs for which there was no room, or that nobody took. */
  readonly dropped: number;
  readonly failure: Failure | null;
  /** Who paused it, or set it going again, and why. */
  readonly note: string | null;
}

export type ScheduleEvent =
  | { readonly type: "PAUSE"; readonly by: string; readonly why: string }
  /** Moments that passed meanwhile are not made up for. */
  | { readonly type: "RESUME"; readonly by: string; readonly why: string; readonly at: number }
  /** One run now, or as soon as the one before has ended. Answered with the id of its task, or null where too much waits. */
  | { readonly type: "TRIGGER"; readonly at: number; readonly replyTo?: AnyActorRef }
  /** Runs for the moments from `from` up to `to`, both included; those that ran before do not run again. */
  | { readonly type: "BACKFILL"; readonly from: number; readonly to: number }
  | { readonly type: "CHANGE"; readonly spec: ScheduleSpec; readonly at: number }
  /** The task of a run has ended, however. Histories of before have no moment. */
  | { readonly type: "TASK_ENDED"; readonly task: string; readonly at?: number }
  /** What runs goes on. */
  | { readonly type: "REMOVE" };

type Emitted =
  | { readonly type: "schedule.skipped"; readonly moment: number }
  | { readonly type: "schedule.dropped"; readonly task: string; readonly reason: string }
  | { readonly type: "schedule.missed"; readonly count: number }
  | { readonly type: "schedule.broken"; readonly reason: string };

/** When a task was taken, in milliseconds since 1970. Histories of before don't say. */
export interface Submitted {
  readonly at: number;
}

type Waiting = Pick<ScheduleContext, "queue" | "current" | "skipped" | "dropped">;

/** Runs that are to be started whatever else runs: behind those that wait. */
const behind = (before: Waiting, runs: ReadonlyArray<DueRun>): Waiting => {
  const known = new Set([...before.queue.map(({ task }) => task), before.current?.task]);
  const fresh = runs.filter(({ task }) => !known.has(task));
  const room = Math.max(0, waitingMax - before.queue.length);
  return { ...before, queue: [...before.queue, ...fresh.slice(0, room)], dropped: before.dropped + Math.max(0, fresh.length - room) };
};

/** What becomes of a moment that has come, by the policy. */
const overlapping = (overlap: ScheduleSpec["overlap"], before: Waiting, run: DueRun): Waiting => {
  if (overlap === "queue") return behind(before, [run]);
  if (overlap === "skip") return before.current !== null || before.queue.length > 0 ? { ...before, skipped: before.skipped + 1 } : behind(before, [run]);
  const asked = before.queue.filter(({ cause }) => cause !== "clock");
  const former = before.current === null ? null : { ...before.current, isUnwanted: before.current.isUnwanted || before.current.cause === "clock" };
  return behind({ ...before, queue: asked, current: former, skipped: before.skipped + before.queue.length - asked.length }, [run]);
};

const failureIn = (event: unknown): Failure => {
  const { error } = event as { readonly error?: { readonly name?: string; readonly message?: string; readonly code?: string } };
  return { name: error?.name ?? "Error", message: error?.message ?? "it failed without a reason", ...(error?.code === undefined ? {} : { code: error.code }) };
};

export const schedule = setup({
  types: { input: {} as ScheduleInput, context: {} as ScheduleContext, events: {} as ScheduleEvent, emitted: {} as Emitted },
  actors: {
    /** The host finds out which moments are due. */
    plan: fromPromise<Plan, PlanRequest>(async () => {
      throw new Error("nobody plans this schedule");
    }),
    /** The host submits the task of a run; submitting it again is the same task. */
    submit: fromPromise<Submitted, { readonly run: DueRun; readonly task: ScheduleSpec["task"]; readonly schedule: string }>(async () => {
      throw new Error("nobody takes tasks of this schedule");
    }),
  },
  guards: {
    isCurrent: ({ context, event }) => event.type === "TASK_ENDED" && event.task === context.current?.task,
    canStart: ({ context }) => context.queue.length > 0 && context.current === null,
    isAskedToPlan: ({ context }) => context.backfill !== null || (context.isStale && !context.isPaused),
    isPaused: ({ context }) => context.isPaused,
    isBroken: ({ context }) => context.failure !== null,
    somethingFollows: ({ context }) => context.next !== null,
  },
  actions: {
    recordPlan: enqueueActions(({ context, event, enqueue }) => {
      const { at, due, next, backfill, missed } = (event as unknown as { readonly output: Plan }).output;
      const { name, spec, isPaused } = context;
      let waiting: Waiting = behind(
        context,
        backfill.map((moment) => ({ task: runIdOf(name, moment), moment, cause: "backfill" })),
      );
      // Paused while it was found out: the clock counts for nothing.
      const come = isPaused ? [] : due;
      for (const moment of come) {
        const { skipped } = waiting;
        waiting = overlapping(spec.overlap, waiting, { task: runIdOf(name, moment), moment, cause: "clock" });
        if (waiting.skipped > skipped && spec.overlap === "skip") enqueue.emit({ type: "schedule.skipped", moment });
      }
      const lost = isPaused ? 0 : missed;
      if (lost > 0) enqueue.emit({ type: "schedule.missed", count: lost });
      const plannedTo = isPaused ? context.plannedTo : Math.max(context.plannedTo, due.at(-1) ?? 0, next === null ? 0 : Math.min(at, next.moment - 1));
      const { queue, current, skipped, dropped } = waiting;
      enqueue.assign({ queue, current, skipped, dropped, plannedTo, at: Math.max(context.at, at), next, isStale: false, backfill: null, missed: context.missed + lost, failure: null });
    }),
    recordTrouble: enqueueActions(({ event, enqueue }) => {
      const failure = failureIn(event);
      enqueue.assign({ failure, isStale: false, backfill: null, next: null });
      enqueue.emit({ type: "schedule.broken", reason: failure.message });
    }),
    takeRun: assign(({ context }) => {
      const [first, ...queue] = context.queue;
      return first === undefined ? {} : { queue, current: { ...first, isUnwanted: false } };
    }),
    countStart: assign(({ context, event }) => ({ started: context.started + 1, at: Math.max(context.at, (event as unknown as { readonly output?: Submitted }).output?.at ?? 0) })),
    dropRun: enqueueActions(({ context, event, enqueue }) => {
      enqueue.emit({ type: "schedule.dropped", task: context.current?.task ?? "", reason: failureIn(event).message });
      enqueue.assign({ current: null, dropped: context.dropped + 1 });
    }),
    forgetRun: assign(({ context, event }) => ({ current: null, at: Math.max(context.at, (event.type === "TASK_ENDED" ? event.at : undefined) ?? 0) })),
    recordPause: assign(({ event }) => (event.type === "PAUSE" ? { isPaused: true, note: `${event.by}: ${event.why}` } : {})),
    recordResumption: assign(({ context, event }) =>
      event.type === "RESUME"
        ? {
            isPaused: false,
            isStale: true,
            plannedTo: Math.max(context.plannedTo, context.isPaused ? event.at : 0),
            at: Math.max(context.at, event.at),
            failure: null,
            note: `${event.by}: ${event.why}`,
          }
        : {},
    ),
    trigger: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== "TRIGGER") return;
      const triggers = context.triggers + 1;
      const task = triggerIdOf(context.name, triggers);
      const waiting = behind(context, [{ task, moment: event.at, cause: "trigger" }]);
      enqueue.assign({ queue: waiting.queue, dropped: waiting.dropped, triggers, at: Math.max(context.at, event.at) });
      if (event.replyTo !== undefined) enqueue.sendTo(event.replyTo, { type: "TRIGGERED", task: waiting.dropped > context.dropped ? null : task });
    }),
    askForBackfill: assign(({ event }) => (event.type === "BACKFILL" ? { backfill: { from: event.from, to: event.to } } : {})),
    recordChange: assign(({ context, event }) =>
      event.type === "CHANGE" ? { spec: event.spec, plannedTo: Math.max(context.plannedTo, event.at), at: Math.max(context.at, event.at), isStale: true, next: null, failure: null } : {},
    ),
    makeStale: assign({ isStale: true }),
  },
  delays: { untilDue: ({ context }) => Math.max(0, (context.next?.dueAt ?? context.at) - context.at) },
}).createMachine({
  id: "schedule",
  meta: { senders: { PAUSE: "an operator", RESUME: "an operator", TRIGGER: "an operator", BACKFILL: "an operator", CHANGE: "its host", TASK_ENDED: "its task, by the host", REMOVE: "its host" } },
  version: "1",
  description: "Submits a task at each of its moments.",
  context: ({ input }) => ({
    name: input.name,
    spec: input.spec,
    plannedTo: input.at,
    at: input.at,
    next: null,
    isStale: true,
    isPaused: false,
    backfill: null,
    queue: [],
    current: null,
    triggers: 0,
    started: 0,
    skipped: 0,
    missed: 0,
    dropped: 0,
    failure: null,
    note: null,
  }),
  initial: "planning",
  on: {
    TRIGGER: { target: ".choosing", actions: "trigger" },
    BACKFILL: { target: ".choosing", actions: "askForBackfill" },
    PAUSE: { target: ".choosing", actions: "recordPause" },
    RESUME: { target: ".choosing", actions: "recordResumption" },
    CHANGE: { target: ".choosing", actions: "recordChange" },
    // One that is told of twice, or of another run, changes nothing.
    TASK_ENDED: { guard: "isCurrent", target: ".choosing", actions: "forgetRun" },
    REMOVE: ".removed",
  },
  states: {
    planning: {
      description: "It is found out which moments are due. No limit of its own: the activity that does so is limited in time by its options.",
      invoke: {
        id: "plan",
        src: "plan",
        input: ({ context: { name, spec, plannedTo, backfill } }): PlanRequest => ({
          schedule: name,
          when: spec.when,
          missed: spec.missed,
          jitterMs: spec.jitterMs,
          until: spec.until ?? null,
          after: plannedTo,
          backfill,
        }),
        onDone: { target: "choosing", actions: "recordPlan" },
        onError: { target: "choosing", actions: "recordTrouble" },
      },
      on: {
        // What is asked meanwhile is looked at once the plan is there.
        TRIGGER: { actions: "trigger" },
        PAUSE: { actions: "recordPause" },
        TASK_ENDED: { guard: "isCurrent", actions: "forgetRun" },
        // The question has changed: it is asked anew.
        BACKFILL: { target: "planning", reenter: true, actions: "askForBackfill" },
      },
    },
    choosing: {
      description: "What is next?",
      always: [
        { guard: "canStart", target: "starting" },
        { guard: "isAskedToPlan", target: "planning" },
        { guard: "isPaused", target: "paused" },
        { guard: "isBroken", target: "broken" },
        { guard: "somethingFollows", target: "waiting" },
        { target: "exhausted" },
      ],
    },
    starting: {
      description: "A task is submitted. No limit of its own: the activity that does so is limited in time and in attempts by its options.",
      entry: "takeRun",
      invoke: {
        id: "submit",
        src: "submit",
        input: ({ context }) => ({ run: context.current as DueRun, task: context.spec.task, schedule: context.name }),
        onDone: { target: "choosing", actions: "countStart" },
        onError: { target: "choosing", actions: "dropRun" },
      },
      on: {
        // What is asked meanwhile is looked at once the task is there.
        TRIGGER: { actions: "trigger" },
        BACKFILL: { actions: "askForBackfill" },
        PAUSE: { actions: "recordPause" },
        RESUME: { actions: "recordResumption" },
        CHANGE: { actions: "recordChange" },
        // It was quicker than the word that it is there.
        TASK_ENDED: { guard: "isCurrent", actions: "forgetRun" },
      },
    },
    waiting: {
      description: "The next moment is known.",
      after: { untilDue: { target: "choosing", actions: "makeStale" } },
    },
    paused: { description: "Somebody stopped the clock. No limit: somebody sets it going again." },
    exhausted: { description: "No moment follows. No limit: it can be triggered, changed or removed." },
    broken: { description: "Its moments can't be found out. No limit: it is changed, resumed or removed." },
    removed: { type: "final", description: "It is not wanted any more. What runs goes on." },
  },
});
