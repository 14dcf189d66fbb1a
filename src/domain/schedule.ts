import * as Schema from "effect/Schema";

/** When a schedule is due: at the times of a cron expression, or every so often. */
export const When = Schema.Union(
  Schema.Struct({
    /** Five fields (minute, hour, day, month, weekday), or six with seconds first. */
    cron: Schema.NonEmptyString,
    /** Where the expression is read: an IANA name such as "Europe/Berlin", or an offset such as "+02:00". Default "UTC". */
    timeZone: Schema.optional(Schema.NonEmptyString),
  }),
  Schema.Struct({
    everyMs: Schema.Int.pipe(Schema.greaterThanOrEqualTo(1_000)),
    /** Moments are whole intervals away from this one, in milliseconds since 1970. Default: when the schedule was made. */
    anchorMs: Schema.optional(Schema.Int),
  }),
);
export type When = typeof When.Type;

/** A schedule as it is made. Data: it is stored with its actor. All times in milliseconds. */
export const ScheduleSpec = Schema.Struct({
  when: When,
  /** What is submitted at each moment: a task without an id. */
  task: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
  /**
   * A moment comes while the run before has not ended. `skip`: it is left out. `queue`: it waits. `cancelFormer`: the one
   * before is cancelled, then it begins.
   */
  overlap: Schema.Literal("skip", "queue", "cancelFormer"),
  /** Moments that passed while no engine was open: the latest one is made up for, all of them (the latest `momentsMax`), or none. */
  missed: Schema.Literal("last", "all", "none"),
  /** Each moment is put off by up to so much, by a number that is derived from the schedule and the moment. */
  jitterMs: Schema.NonNegativeInt,
  /** No moment after this one, in milliseconds since 1970. */
  until: Schema.optional(Schema.Int),
});
export type ScheduleSpec = typeof ScheduleSpec.Type;

export const defaultSchedule = { overlap: "skip", missed: "last", jitterMs: 0 } as const;

/** Moments that are made up for after a downtime, and those of one backfill. */
export const momentsMax = 100;
/** Runs that wait for the one before; beyond it the newest are dropped, with a count. */
export const waitingMax = 100;
/** A moment that is not later than this is not missed. Milliseconds. */
export const punctualMs = 60_000;

/** A run that waits for its start. */
export interface DueRun {
  /** The id of its task. */
  readonly task: string;
  /** What it stands for, in milliseconds since 1970. */
  readonly moment: number;
  readonly cause: "clock" | "trigger" | "backfill";
}

/** What is to be found out about a schedule's moments. */
export interface PlanRequest {
  readonly schedule: string;
  readonly when: When;
  readonly missed: ScheduleSpec["missed"];
  readonly jitterMs: number;
  readonly until: number | null;
  /** Moments up to this one are dealt with. */
  readonly after: number;
  readonly backfill: { readonly from: number; readonly to: number } | null;
}

export interface Plan {
  /** When it was found out, in milliseconds since 1970. */
  readonly at: number;
  /** Moments that are due, the oldest first. */
  readonly due: ReadonlyArray<number>;
  /** The next moment, and when it is due with its jitter; null: there is none. */
  readonly next: { readonly moment: number; readonly dueAt: number } | null;
  readonly backfill: ReadonlyArray<number>;
  /** Moments that have passed and are not made up for; at least so many. */
  readonly missed: number;
}

/** The id of the task of a moment: the same moment is the same task, so that it is never run twice. */
export const runIdOf = (schedule: string, moment: number): string => `${schedule}@${new Date(moment).toISOString()}`;
/** The id of the task of a trigger. */
export const triggerIdOf = (schedule: string, count: number): string => `${schedule}@trigger-${count}`;
