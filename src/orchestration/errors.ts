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

/** A requester has at most one orchestrator, and an orchestrator one requester for its life. Nothing was bound. */
export class AlreadyBound extends Schema.TaggedError<AlreadyBound>()("AlreadyBound", { requester: Schema.String, orchestrator: Schema.String, to: Schema.String }) {
  readonly code = "already_bound";
  readonly status = 409;
  readonly retryable = false;
  override get message() {
    return `the requester "${this.requester}" and the orchestrator "${this.orchestrator}" can't be bound: one of them is bound to "${this.to}"; end that one first, or use another orchestrator`;
  }
}

/** Nobody works for this requester. */
export class NotBound extends Schema.TaggedError<NotBound>()("NotBound", { requester: Schema.String }) {
  readonly code = "not_bound";
  readonly status = 409;
  readonly retryable = false;
  override get message() {
    return `the requester "${this.requester}" has no orchestrator; bind one first`;
  }
}

/** It was never bound. */
export class UnknownOrchestrator extends Schema.TaggedError<UnknownOrchestrator>()("UnknownOrchestrator", { orchestrator: Schema.String }) {
  readonly code = "unknown_orchestrator";
  readonly status = 404;
  readonly retryable = false;
  override get message() {
    return `there is no orchestrator "${this.orchestrator}"; bind it to a requester first`;
  }
}

/** It is over, and refuses work. */
export class OrchestratorRetired extends Schema.TaggedError<OrchestratorRetired>()("OrchestratorRetired", { orchestrator: Schema.String, reason: Schema.String }) {
  readonly code = "orchestrator_retired";
  readonly status = 409;
  readonly retryable = false;
  override get message() {
    return `the orchestrator "${this.orchestrator}" has retired: ${this.reason}; bind another one to its requester`;
  }
}

/** It supervises as many tasks as it may. Nothing was submitted. */
export class OrchestratorFull extends Schema.TaggedError<OrchestratorFull>()("OrchestratorFull", { orchestrator: Schema.String, tasksMax: Schema.Number }) {
  readonly code = "orchestrator_full";
  readonly status = 429;
  readonly retryable = true;
  override get message() {
    return `the orchestrator "${this.orchestrator}" supervises at most ${this.tasksMax} tasks at a time; submit more when some of them have ended`;
  }
}
