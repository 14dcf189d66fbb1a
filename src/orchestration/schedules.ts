import * as Effect from "effect/Effect";
import * as Schema from "effect/Schema";
import { fromPromise } from "xstate";
import { schedule as scheduleMachine, type ScheduleContext, type Submitted } from "../../machines/schedule.ts";
import type { Dispatcher, TaskSpec } from "../dispatch/index.ts";
import { endedStates, taskNames } from "../dispatch/index.ts";
import { type Address, childId, rootAddress, wrongId } from "../domain/address.ts";
import { type Failure, failureOf } from "../domain/json.ts";
import { defaultSchedule, type DueRun, momentsMax, type Plan, type PlanRequest, ScheduleSpec, waitingMax, type When } from "../domain/schedule.ts";
import { type AllNames, checkNames } from "../domain/names.ts";
import type { Order } from "../domain/task.ts";
import {
  type ActorView,
  type Doors,
  type Engine,
  EngineClosed,
  type Follower,
  type Plugin,
  type SendError,
  type StartOptions,
  type TimedOut,
  type Unanswered,
  pluginRetryMs,
  whenOpened,
} from "../engine/index.ts";
import type { JournalError } from "../journal/index.ts";
import { InvalidSchedule, ScheduleExists, ScheduleFull, UnknownSchedule } from "./errors.ts";
import { firstMoments, momentsOf, planOf } from "./moments.ts";

/** What schedules need of a dispatcher. */
export type TaskDesk = Pick<Dispatcher, "submit" | "get" | "observe" | "cancel">;

/** A schedule as it is made; what is left out is `overlap: "skip"`, `missed: "last"`, no jitter, no end. */
export interface NewSchedule extends Omit<ScheduleSpec, "task" | "overlap" | "missed" | "jitterMs">, Partial<Pick<ScheduleSpec, "overlap" | "missed" | "jitterMs">> {
  /** Its id is made of the schedule and the moment; the worker finds the moment in `attributes.moment`. */
  readonly task: Omit<TaskSpec, "id" | "runAt" | "debounce">;
}

export interface ScheduleView {
  readonly name: string;
  readonly state: "planning" | "starting" | "waiting" | "paused" | "exhausted" | "broken" | "removed";
  readonly spec: ScheduleSpec;
  /** The next moment and when it is due with its jitter, in milliseconds since 1970. */
  readonly next: Plan["next"];
  readonly isPaused: boolean;
  /** The run that has not ended. */
  readonly current: DueRun | undefined;
  /** Runs that wait for it. */
  readonly waiting: ReadonlyArray<DueRun>;
  readonly started: number;
  readonly skipped: number;
  readonly missed: number;
  readonly dropped: number;
  readonly failure: Failure | undefined;
  /** Who paused or resumed it, and why. */
  readonly note: string | undefined;
}

/** Who gives an order, as the history of the schedule will say. */
type By = Pick<StartOptions, "by">;

export type ScheduleError = SendError | JournalError | InvalidSchedule | ScheduleExists | ScheduleFull | UnknownSchedule;

/**
 * The schedules of one engine. Each moment has a task of its own, whose id is made of the schedule and the moment: it is
 * submitted at least once and so begins once. Runs of one schedule never overlap.
 */
export interface Schedules extends Plugin {
  /** Who takes the tasks. Until then schedules wait with what is due. */
  readonly attach: (desk: TaskDesk) => void;
  /** Makes a schedule. The same one again is a duplicate, another one of that name is an error. */
  readonly create: (name: string, schedule: NewSchedule, given?: By) => Effect.Effect<{ readonly duplicate: boolean }, ScheduleError>;
  /** From now on it is another one. What runs and waits goes on. */
  readonly change: (name: string, schedule: NewSchedule, given?: By) => Effect.Effect<void, ScheduleError>;
  /** Stops its clock. What waits, is triggered or is backfilled still runs. */
  readonly pause: (name: string, order: Order) => Effect.Effect<void, ScheduleError>;
  /** Moments that passed meanwhile are not made up for; backfill them if they are wanted. */
  readonly resume: (name: string, order: Order) => Effect.Effect<void, ScheduleError>;
  /** One run now, or as soon as the one before has ended, whatever the overlap policy says. Answers with the id of its task. */
  readonly trigger: (name: string, given?: By) => Effect.Effect<string, ScheduleError | TimedOut | Unanswered>;
  /** Runs for the moments from `from` up to `to` (milliseconds since 1970) that did not run yet; at most `momentsMax` (100). They run one after the other. */
  readonly backfill: (name: string, stretch: { readonly from: number; readonly to: number }, given?: By) => Effect.Effect<ReadonlyArray<number>, ScheduleError>;
  /** For good: the name is not free again, because its tasks have it. What runs goes on. */
  readonly remove: (name: string, given?: By) => Effect.Effect<void, ScheduleError>;
  readonly get: (name: string) => Effect.Effect<ScheduleView, ScheduleError>;
  /** Those that were not removed, by the moment at which they were made; at most `limit` (1,000). */
  readonly list: (options?: { readonly limit?: number }) => Effect.Effect<ReadonlyArray<ScheduleView>, ScheduleError>;
  /** Its next moments, in milliseconds since 1970. */
  readonly upcoming: (name: string, count?: number) => Effect.Effect<ReadonlyArray<number>, ScheduleError>;
}

export const scheduleAddress = (name: string): Address => rootAddress(scheduleMachine.id, name);

/** The retries of a submission: a dispatcher may be attached a little later than the engine is opened. */
const submission = { attemptsMax: 12, backoff: { kind: "exponential", baseMs: 100, capMs: 60_000 } } as const;
const planTimeoutMs = 60_000;
/** What can't be found out in time is tried again: a clock was set forward, or the store was away. What can't be found out at all is not. */
const planning = { ...submission, retryOn: ["ActivityTimeout"] };
const submitTimeoutMs = 60_000;

const scheduleNames: AllNames<NewSchedule> = { when: true, task: true, overlap: true, missed: true, jitterMs: true, until: true };
const whenNames: AllNames<Extract<When, { cron: string }> & Extract<When, { everyMs: number }>> = { cron: true, timeZone: true, everyMs: true, anchorMs: true };

/** What of a new schedule nobody knows. Without this a misspelled field of its task would be found at its first moment. */
const unknownOf = (given: NewSchedule): ReadonlyArray<string> => {
  const wrong = checkNames(given, scheduleNames);
  if (wrong.length > 0) return wrong;
  return [...checkNames(given.when, whenNames).map((problem) => `when: ${problem}`), ...checkNames(given.task, taskNames).map((problem) => `task: ${problem}`)];
};

/** Schedules, for `openEngine({ plugins: [schedules] })`; then `schedules.attach(dispatcher)`. */
export const makeSchedules = (): Schedules => {
  let bound: { readonly engine: Engine; readonly doors: Doors } | undefined;
  let doors: Doors | undefined;
  let desk: TaskDesk | undefined;
  let forget = () => {};
  /** What each schedule has under way, as far as this process knows. */
  const current = new Map<Address, { readonly task: string; readonly isUnwanted: boolean; readonly isThere: boolean }>();
  const scheduleOf = new Map<string, Address>();

  const plan = fromPromise<Plan, PlanRequest>(async ({ input }) => {
    const moments = momentsOf(input.when, 0);
    if (moments._tag === "Left") throw new InvalidSchedule({ schedule: input.schedule, detail: moments.left });
    return planOf(input, moments.right, (doors as Doors).time.now());
  });
  const submit = fromPromise<Submitted, { readonly run: DueRun; readonly task: ScheduleSpec["task"]; readonly schedule: string }>(async ({ input: { run, task, schedule } }) => {
    if (desk === undefined) throw new Error("no dispatcher is attached to the schedules; call schedules.attach(dispatcher)");
    const attributes = { ...(task.attributes as object | undefined), schedule, moment: run.moment };
    await desk.submit({ ...task, id: run.task, attributes });
    return { at: (doors as Doors).time.now() };
  });

  const tellEnd = (address: Address, task: string) => doors?.report(address, { type: "TASK_ENDED", task, at: doors.time.now() });
  /** Tells a schedule what became of its run, if it has ended; ends it if it is not wanted. */
  const look = async (address: Address): Promise<void> => {
    const known = current.get(address);
    if (known === undefined || desk === undefined) return;
    const { task, isUnwanted, isThere } = known;
    try {
      const view = await desk.get(task);
      // One that is gone has ended, and was removed since.
      if (view === undefined ? isThere : endedStates.has(view.state)) tellEnd(address, task);
      else if (isUnwanted && view !== undefined) await desk.cancel(task, { by: address, why: "a later moment of its schedule has come" });
    } catch (error) {
      if (doors === undefined || error instanceof EngineClosed) return;
      doors.log({ level: "error", message: `the run "${task}" can't be looked at; it is tried again`, address, data: failureOf(error) });
      doors.time.wakeAt(doors.time.now() + pluginRetryMs, () => void look(address));
    }
  };
  const know = (address: Address, { value, context }: { readonly value: unknown; readonly context: unknown }) => {
    const before = current.get(address);
    const { current: run } = context as ScheduleContext;
    if (before !== undefined && before.task !== run?.task) scheduleOf.delete(before.task);
    if (run === null || run === undefined) return current.delete(address);
    const now = { task: run.task, isUnwanted: run.isUnwanted, isThere: value !== "starting" };
    current.set(address, now);
    scheduleOf.set(run.task, address);
    const isNews = before?.task !== now.task || before.isThere !== now.isThere || before.isUnwanted !== now.isUnwanted;
    return isNews && now.isThere && void look(address);
  };
  const follower = (given: Doors): Follower => {
    doors = given;
    desk = undefined;
    forget();
    current.clear();
    scheduleOf.clear();
    return { follow: ({ address, state }) => void know(address, state.snapshot as never), running: () => 0, suspend: () => {}, end: () => forget() };
  };

  const use = Effect.suspend(() =>
    bound === undefined ? Effect.fail(new EngineClosed({ detail: "these schedules are not part of an open engine: pass them in its plugins" })) : Effect.succeed(bound),
  );
  /** The stored schedule, if there is one. */
  const stored = (name: string): Effect.Effect<ActorView, ScheduleError> =>
    Effect.flatMap(use, ({ engine }) => engine.snapshot(scheduleAddress(name))).pipe(
      Effect.catchTags({ UnknownActor: () => new UnknownSchedule({ schedule: name }), InvalidAddress: () => new UnknownSchedule({ schedule: name }) }),
      Effect.filterOrFail(
        ({ status }) => status === "active",
        () => new UnknownSchedule({ schedule: name }),
      ),
    );
  const tell = (name: string, event: (now: number) => { readonly type: string; readonly [key: string]: unknown }, by?: By): Effect.Effect<void, ScheduleError> =>
    Effect.gen(function* () {
      const { engine, doors } = yield* use;
      const { outcome } = yield* engine
        .send(scheduleAddress(name), event(doors.time.now()), by)
        .pipe(Effect.catchTags({ UnknownActor: () => new UnknownSchedule({ schedule: name }), InvalidAddress: () => new UnknownSchedule({ schedule: name }) }));
      if (outcome === "ended") return yield* new UnknownSchedule({ schedule: name });
    });
  /** The schedule with all that it leaves out, if it can be. */
  const checked = (name: string, given: NewSchedule, now: number): Effect.Effect<ScheduleSpec, InvalidSchedule> =>
    Effect.gen(function* () {
      const invalid = (detail: string) => new InvalidSchedule({ schedule: name, detail });
      const wrong = wrongId(name) ?? (name.length > nameCharsMax ? `its name has at most ${nameCharsMax} characters, because the ids of its tasks begin with it` : undefined);
      if (wrong !== undefined) return yield* invalid(wrong);
      const [unknown] = unknownOf(given);
      if (unknown !== undefined) return yield* invalid(unknown);
      const when = "everyMs" in given.when ? { anchorMs: now, ...given.when } : given.when;
      const spec = yield* Effect.mapError(Schema.decodeUnknown(ScheduleSpec, { onExcessProperty: "error" })({ ...defaultSchedule, ...given, when }), ({ message }) => invalid(message));
      const moments = yield* Effect.mapError(momentsOf(spec.when, now), invalid);
      const [first, second = Number.MAX_SAFE_INTEGER] = firstMoments(moments.next, now + 1, Number.MAX_SAFE_INTEGER, 2);
      if (first === undefined) return yield* invalid("it is never due; look at its days and months");
      if (spec.until !== undefined && first > spec.until) return yield* invalid("it ends before its first moment");
      if (spec.jitterMs >= second - first) return yield* invalid(`a jitter of ${spec.jitterMs} ms is not shorter than the ${second - first} ms between its moments`);
      for (const word of ["id", "runAt", "debounce"]) if (word in given.task) return yield* invalid(`its task has no \`${word}\`: that is the schedule's to say`);
      return spec;
    });
  const now = Effect.map(use, ({ doors }) => doors.time.now());

  return {
    machines: [
      {
        machine: scheduleMachine.provide({ actors: { plan, submit } }),
        activities: { plan: { retry: planning, timeoutMs: planTimeoutMs }, submit: { retry: submission, timeoutMs: submitTimeoutMs } },
        events: ScheduleEvents,
      },
    ],
    followers: { [scheduleMachine.id]: follower },
    opened: (engine, given) => {
      bound = { engine, doors: given };
      // What the schedules of an engine before have under way.
      const all = Effect.gen(function* () {
        for (let after = 0; ; ) {
          const page = yield* engine.list({ machine: scheduleMachine.id, status: "active", after, limit: 1_000 });
          for (const actor of page) {
            after = actor.id;
            if (!current.has(actor.address)) know(actor.address, actor);
          }
          if (page.length < 1_000) return;
        }
      });
      return whenOpened("the schedules", given, all);
    },
    attach: (given) => {
      forget();
      desk = given;
      forget = given.observe(({ id, state }) => {
        const address = scheduleOf.get(id);
        if (address !== undefined && endedStates.has(state)) tellEnd(address, id);
      });
      for (const address of current.keys()) void look(address);
    },
    create: (name, given, by) =>
      Effect.gen(function* () {
        const { engine } = yield* use;
        const at = yield* now;
        const before = yield* Effect.option(engine.snapshot(scheduleAddress(name)));
        const known = before._tag === "Some" ? (before.value.context as ScheduleContext).spec : undefined;
        // An interval without an anchor is the same one as the one that was made before.
        const spec = yield* checked(name, given, known !== undefined && "everyMs" in known.when ? (known.when.anchorMs ?? at) : at);
        const { duplicate } = known === undefined ? yield* engine.start(scheduleMachine.id, name, { name, spec, at }, by) : { duplicate: true };
        if (!duplicate) return { duplicate };
        const { context, status } = yield* Effect.orDie(engine.snapshot(scheduleAddress(name)));
        if (status !== "active") return yield* new ScheduleExists({ schedule: name, removed: true });
        if (sorted((context as ScheduleContext).spec) !== sorted(spec)) return yield* new ScheduleExists({ schedule: name, removed: false });
        return { duplicate };
      }),
    change: (name, given, by) =>
      Effect.gen(function* () {
        yield* stored(name);
        const spec = yield* checked(name, given, yield* now);
        yield* tell(name, (at) => ({ type: "CHANGE", spec, at }), by);
      }),
    pause: (name, order) => tell(name, () => ({ type: "PAUSE", ...order })),
    resume: (name, order) => tell(name, (at) => ({ type: "RESUME", ...order, at })),
    trigger: (name, by) =>
      Effect.gen(function* () {
        const { engine, doors } = yield* use;
        yield* stored(name);
        const { task } = (yield* engine.ask(scheduleAddress(name), { type: "TRIGGER", at: doors.time.now() }, by)) as unknown as { readonly task: string | null };
        return task ?? (yield* new ScheduleFull({ schedule: name, waiting: waitingMax }));
      }),
    backfill: (name, { from, to }, by) =>
      Effect.gen(function* () {
        const { context } = yield* stored(name);
        const invalid = (detail: string) => new InvalidSchedule({ schedule: name, detail });
        if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from > to) return yield* invalid("a backfill goes from one moment to a later one, in milliseconds since 1970");
        if (to > (yield* now)) return yield* invalid("a backfill is for moments that have passed");
        const { spec, queue } = context as ScheduleContext;
        const { next } = yield* Effect.mapError(momentsOf(spec.when, 0), invalid);
        const moments = firstMoments(next, from, Math.min(to, spec.until ?? to), momentsMax + 1);
        if (moments.length > momentsMax) return yield* invalid(`a backfill covers at most ${momentsMax} moments; do it in parts`);
        if (moments.length + queue.length > waitingMax) return yield* new ScheduleFull({ schedule: name, waiting: queue.length });
        yield* tell(name, () => ({ type: "BACKFILL", from, to: Math.min(to, spec.until ?? to) }), by);
        return moments;
      }),
    remove: (name, by) => tell(name, () => ({ type: "REMOVE" }), by),
    get: (name) => Effect.map(stored(name), viewOf),
    list: ({ limit = 1_000 } = {}) => Effect.flatMap(use, ({ engine }) => Effect.map(engine.list({ machine: scheduleMachine.id, status: "active", limit }), (page) => page.map(viewOf))),
    upcoming: (name, count = 10) =>
      Effect.gen(function* () {
        const { spec, plannedTo } = (yield* stored(name)).context as ScheduleContext;
        const { next } = yield* Effect.mapError(momentsOf(spec.when, 0), (detail) => new InvalidSchedule({ schedule: name, detail }));
        return firstMoments(next, Math.max(plannedTo, yield* now) + 1, spec.until ?? Number.MAX_SAFE_INTEGER, Math.min(count, 1_000));
      }),
  };
};

/** The id of a run's task has the moment behind the name. */
const nameCharsMax = 150;

const viewOf = ({ address, value, status, context }: ActorView): ScheduleView => {
  const { spec, next, isPaused, current, queue, started, skipped, missed, dropped, failure, note } = context as ScheduleContext;
  const run = current === null ? undefined : { task: current.task, moment: current.moment, cause: current.cause };
  const state = (status === "active" ? String(value) : "removed") as ScheduleView["state"];
  return { name: childId(address), state, spec, next, isPaused, current: run, waiting: queue, started, skipped, missed, dropped, failure: failure ?? undefined, note: note ?? undefined };
};

/** The same for the same values, in whatever order their fields are. */
const sorted = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part) ? Object.fromEntries(Object.entries(part).sort(([left], [right]) => (left < right ? -1 : 1))) : part,
  );

const At = Schema.Int;
const Text = Schema.String;
/** What a schedule may be told. */
const ScheduleEvents = Schema.Union(
  Schema.Struct({ type: Schema.Literal("PAUSE"), by: Text, why: Text }),
  Schema.Struct({ type: Schema.Literal("RESUME"), by: Text, why: Text, at: At }),
  Schema.Struct({ type: Schema.Literal("TRIGGER"), at: At }),
  Schema.Struct({ type: Schema.Literal("BACKFILL"), from: At, to: At }),
  Schema.Struct({ type: Schema.Literal("CHANGE"), spec: ScheduleSpec, at: At }),
  Schema.Struct({ type: Schema.Literal("TASK_ENDED"), task: Text, at: Schema.optional(At) }),
  Schema.Struct({ type: Schema.Literal("REMOVE") }),
);
