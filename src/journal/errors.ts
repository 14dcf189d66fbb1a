import * as Schema from "effect/Schema";

/** Another engine owns this journal. */
export class JournalOwned extends Schema.TaggedError<JournalOwned>()("JournalOwned", {
  where: Schema.String,
  pid: Schema.Number,
  host: Schema.String,
  /** Since when, in milliseconds since 1970. */
  since: Schema.Number,
  /** When its lease ends unless it is renewed, in milliseconds since 1970. */
  until: Schema.Number,
}) {
  readonly code = "journal_owned";
  readonly status = 409;
  readonly retryable = true;
  override get message() {
    return `${this.where} is owned by process ${this.pid} on ${this.host} since ${new Date(this.since).toISOString()}; stop that engine, or wait until ${new Date(this.until).toISOString()} when its lease ends`;
  }
}

/** This engine's claim was taken by another one: nothing that it does from now on is stored. */
export class JournalFenced extends Schema.TaggedError<JournalFenced>()("JournalFenced", {
  where: Schema.String,
  epoch: Schema.Number,
  current: Schema.Number,
}) {
  readonly code = "journal_fenced";
  readonly status = 409;
  readonly retryable = false;
  override get message() {
    return `${this.where} was taken over (epoch ${this.current}, ours was ${this.epoch}): this process was silent for longer than its lease; open a new engine`;
  }
}

const reasons = {
  /** The file is not a database, or a database of somebody else. */
  foreign: { code: "journal_foreign", status: 422, retryable: false, remedy: "give the path of a Taskwright journal, or of a file that does not exist yet" },
  newer: { code: "journal_newer", status: 422, retryable: false, remedy: "open it with the version of Taskwright that wrote it, or a later one" },
  readonly: { code: "journal_readonly", status: 503, retryable: false, remedy: "make the file and its folder writable for this user" },
  full: { code: "journal_full", status: 507, retryable: true, remedy: "free disk space; the engine goes on by itself" },
  busy: { code: "journal_busy", status: 503, retryable: true, remedy: "end the program that holds a lock on the database" },
  missing: { code: "journal_missing", status: 404, retryable: false, remedy: "check the path" },
  /** The path no longer leads to the file that was opened. */
  replaced: { code: "journal_replaced", status: 409, retryable: false, remedy: "stop this engine, see which file is the right one, and open that" },
  corrupt: { code: "journal_corrupt", status: 500, retryable: false, remedy: "restore the database from a backup; nothing is written to a damaged one" },
  driver: {
    code: "journal_driver",
    status: 500,
    retryable: false,
    remedy: "install better-sqlite3 for this Node version and let its install script run (npm install-scripts approve better-sqlite3, pnpm approve-builds), or use Node 22.13 or newer",
  },
  failed: { code: "journal_failed", status: 503, retryable: true, remedy: "see the cause" },
} as const;

export type JournalReason = keyof typeof reasons;

/** The store could not do what it was asked. `reason` tells what a program can do about it. */
export class JournalError extends Schema.TaggedError<JournalError>()("JournalError", {
  reason: Schema.Literal("foreign", "newer", "readonly", "full", "busy", "missing", "replaced", "corrupt", "driver", "failed"),
  where: Schema.String,
  detail: Schema.String,
  cause: Schema.optional(Schema.Defect),
}) {
  get code() {
    return reasons[this.reason].code;
  }
  get status() {
    return reasons[this.reason].status;
  }
  get retryable() {
    return reasons[this.reason].retryable;
  }
  override get message() {
    const told = `${this.where}: ${this.detail}`;
    // Whoever made it without a cause said all there is.
    return this.reason === "failed" && this.cause === undefined ? told : `${told} (${reasons[this.reason].remedy})`;
  }
}
