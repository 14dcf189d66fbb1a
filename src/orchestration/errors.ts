import * as Schema from "effect/Schema";

/** What a schedule is made of can't be. Nothing was stored. */
export class InvalidSchedule extends Schema.TaggedError<InvalidSchedule>()("InvalidSchedule", { schedule: Schema.String, detail: Schema.String }) {
  readonly code = "invalid_schedule";
  readonly status = 400;
  readonly retryable = false;
  override get message() {
    return `the schedule "${this.schedule}": ${this.detail}`;
  }
}

/** There is another schedule with this name, or there was one. Nothing was stored. */
export class ScheduleExists extends Schema.TaggedError<ScheduleExists>()("ScheduleExists", { schedule: Schema.String, removed: Schema.Boolean }) {
  readonly code = "schedule_exists";
  readonly status = 409;
  readonly retryable = false;
  override get message() {
    return this.removed
      ? `there was a schedule "${this.schedule}", and its tasks have its name; use another name`
      : `there is another schedule "${this.schedule}"; change that one, or use another name`;
  }
}

/** Nobody made a schedule with this name, or it was removed. */
export class UnknownSchedule extends Schema.TaggedError<UnknownSchedule>()("UnknownSchedule", { schedule: Schema.String }) {
  readonly code = "unknown_schedule";
  readonly status = 404;
  readonly retryable = false;
  override get message() {
    return `there is no schedule "${this.schedule}"; make it first`;
  }
}

/** As many runs wait for the one before as may wait. Nothing was triggered. */
export class ScheduleFull extends Schema.TaggedError<ScheduleFull>()("ScheduleFull", { schedule: Schema.String, waiting: Schema.Number }) {
  readonly code = "schedule_full";
  readonly status = 429;
  readonly retryable = true;
  override get message() {
    return `${this.waiting} runs of the schedule "${this.schedule}" wait already; trigger it when some of them have ended`;
  }
}
