import type { Failure } from "../domain/json.ts";
import type { Backoff } from "../domain/retry.ts";
import type { Budget, FailureArtifact, NotificationPolicy, Order, Question, RunOutcome, TaskReceipt, Usage, VerificationPolicy } from "../domain/task.ts";

/** A task as it is submitted. Everything is checked and resolved before it is stored, and holds for its life. */
export interface TaskSpec {
  /** Default: made from `key` and a number, or at random. The same id again is the same task. */
  readonly id?: string;
  /** What is to be done: one of the declared kinds. Default "command". */
  readonly kind?: string;
  /** By the schema of the kind; what that returns is stored. */
  readonly input?: unknown;
  /** Default "default". */
  readonly queue?: string;
  /** Higher goes first; a task that waits gains on those above it, see `QueuePolicy.ageingMs`. Default 0. */
  readonly priority?: number;
  /** Names the work: while a task with this key has not ended, another one is suppressed and answered with that task's id. */
  readonly key?: string;
  /** With a key: the task waits until nobody submitted it for so long (`maxMs` at most); the last input counts. */
  readonly debounce?: { readonly ms: number; readonly maxMs?: number };
  /** Ids of tasks that must be done first; their results are handed to the worker. */
  readonly needs?: ReadonlyArray<string>;
  /** What it means that one of them was not done. `cancel` (the default): this one is cancelled. `ignore`: it goes ahead. */
  readonly whenNeedFails?: "cancel" | "ignore";
  /** Not before this moment, in milliseconds since 1970. */
  readonly runAt?: number;
  /** Not after this moment, in milliseconds since 1970: it expires, wherever it stands. */
  readonly deadline?: number;
  /** How long it may stand in the queue at a time. Absent: without limit. */
  readonly queueTimeoutMs?: number;
  readonly acceptanceTimeoutMs?: number;
  /** How long one attempt may run. Default: one hour. */
  readonly executionTimeoutMs?: number;
  /** An attempt that says nothing for so long has timed out. Absent: only the worker's own silence counts. */
  readonly heartbeatTimeoutMs?: number;
  /** How long a question may wait for its answer. Default: one day. */
  readonly answerTimeoutMs?: number;
  readonly retry?: { readonly outcomes?: ReadonlyArray<RunOutcome>; readonly attemptsMax?: number; readonly backoff?: Backoff; readonly jitter?: { readonly min: number; readonly max: number } };
  readonly budget?: Budget;
  readonly verification?: Partial<VerificationPolicy>;
  readonly notification?: Partial<NotificationPolicy>;
  /** Slots that it takes on its worker, and of all. Default 1. */
  readonly slots?: number;
  /** Tasks with the same key share `QueuePolicy.perKeyMax`, and take turns with other keys. */
  readonly concurrencyKey?: string;
  /** A folder of its own for each run: made before it, removed after it, kept while the task is parked. */
  readonly folder?: boolean;
  readonly tags?: ReadonlyArray<string>;
  readonly attributes?: Readonly<Record<string, string | number | boolean>>;
}

export type TaskState = "waiting" | "queued" | "assigned" | "running" | "parked" | "verifying" | "backingOff" | "paused" | "done" | "failed" | "dead" | "cancelled" | "expired";

/** A task as it stands. */
export interface TaskView {
  readonly id: string;
  /** As it was resolved. */
  readonly spec: TaskSpec & { readonly id: string; readonly kind: string; readonly queue: string };
  readonly state: TaskState;
  /** Attempts that were given to a worker; numbers them. */
  readonly attempts: number;
  /** Runs that ended badly and were counted against `retry.attemptsMax`. */
  readonly failures: number;
  readonly worker: string | undefined;
  readonly usage: Usage;
  readonly progress: unknown;
  /** The worker's session, as soon as it is known: the next run goes on with it. */
  readonly session: string | undefined;
  /** While it is parked: what it waits for. */
  readonly question: Question | undefined;
  readonly receipt: TaskReceipt | undefined;
  /** Who verified or rejected it, if somebody did. */
  readonly verdict: (Order & { readonly verified: boolean }) | undefined;
  /** Why it came to no good end, or why the last attempt failed. */
  readonly failure: Failure | undefined;
  readonly artifact: FailureArtifact | undefined;
  /** Of the last run that ended. */
  readonly result: unknown;
  /** When it moves by itself, in milliseconds since 1970. */
  readonly until: number | undefined;
  readonly createdAt: number;
  readonly at: number;
}

export interface Submitted {
  readonly id: string;
  /** It was there already (by its id), or the same work is active (by its key): nothing was stored. */
  readonly duplicate: boolean;
}

/** Which tasks are meant; what is absent leaves all. */
export interface TaskFilter {
  readonly state?: TaskState | ReadonlyArray<TaskState>;
  readonly kind?: string;
  readonly queue?: string;
  readonly key?: string;
  readonly tag?: string;
  readonly attributes?: Readonly<Record<string, string | number | boolean>>;
}
export interface TaskPage {
  readonly tasks: ReadonlyArray<TaskView>;
  /** Where the next page begins; absent: there is none. */
  readonly cursor: string | undefined;
}

/** Ids, or all that a filter finds (of those that have not ended, unless it names ended states). */
export type TaskChoice = string | ReadonlyArray<string> | TaskFilter;

/** What became of an order: each task that was meant is in one of the lists. */
export interface OrderReport {
  readonly done: ReadonlyArray<string>;
  /** Its state takes no such order: somebody else was faster, or it never could. */
  readonly refused: ReadonlyArray<{ readonly id: string; readonly state: TaskState; readonly detail: string }>;
}

/** How a queue gives out its tasks. */
export interface QueuePolicy {
  /** Slots of this queue in all. */
  readonly slotsMax?: number;
  /** Slots per `concurrencyKey`. */
  readonly perKeyMax?: number;
  /** At most so many tasks are begun in any stretch of `perMs`. */
  readonly rate?: { readonly tasksMax: number; readonly perMs: number };
  /** One step of priority is worth so much waiting. Default: ten minutes. */
  readonly ageingMs?: number;
  /** `turns`: keys (`concurrencyKey`) take turns, whoever has more waiting. `none` (the default): priority and age alone. */
  readonly fairness?: "turns" | "none";
}
export interface QueueView {
  readonly name: string;
  readonly state: "open" | "paused" | "draining";
  readonly policy: QueuePolicy;
  readonly waiting: number;
  /** Slots in use. */
  readonly running: number;
}

/** A worker that somebody connects (a remote one). */
export interface WorkerCard {
  /** Stable over reconnections. */
  readonly id: string;
  /** The process that speaks for it: while it is active, calls of another owner are refused. */
  readonly owner: string;
  /** By name, one of the transports given to `dispatchMachines`. */
  readonly transport: string;
  /** Kinds of tasks that it carries out. */
  readonly kinds: ReadonlyArray<string>;
  readonly slots: number;
  /** Silence after which it is taken for gone. Absent: only `DETACHED` and `LOST` say so. */
  readonly heartbeatTimeoutMs?: number;
  /** How long it may be away before what it had goes back. Default 30 s. */
  readonly graceMs?: number;
  /** The incarnation that it had, if it is the same process that comes back. */
  readonly incarnation?: number;
  /** What it still works on, as `assignment#attempt`; the rest of what it had goes back. */
  readonly running?: ReadonlyArray<string>;
}
export interface WorkerView {
  readonly id: string;
  readonly address: string;
  readonly state: "starting" | "active" | "reconnecting" | "lost" | "halted" | "retired";
  readonly owner: string;
  readonly kinds: ReadonlyArray<string>;
  readonly slots: number;
  readonly used: number;
  readonly incarnation: number;
}

/**
 * Matches tasks to workers. It holds no truth: tasks, assignments, workers and queues are actors of the engine.
 * Calls fail with the engine's errors, and with `InvalidTask`, `UnknownTask`, `QueueDraining`.
 */
export interface Dispatcher {
  /** One task. */
  readonly submit: {
    (task: TaskSpec): Promise<Submitted>;
    /** Many: all of them are checked before any is stored. Answers in their order. */
    (tasks: ReadonlyArray<TaskSpec>): Promise<ReadonlyArray<Submitted>>;
  };
  readonly get: (id: string) => Promise<TaskView | undefined>;
  /** Oldest first, a page at a time. Default limit 100. */
  readonly list: (filter?: TaskFilter & { readonly cursor?: string; readonly limit?: number }) => Promise<TaskPage>;
  /** Hears each task whenever it moved. Returns how to stop. */
  readonly observe: (listener: (task: TaskView) => void) => () => void;
  /** Resolves with the tasks, in the order of `ids`, when all have ended. After `stop` it never does. */
  readonly whenEnded: (ids: ReadonlyArray<string>) => Promise<ReadonlyArray<TaskView>>;

  readonly cancel: (which: TaskChoice, order: Order) => Promise<OrderReport>;
  readonly pause: (which: TaskChoice, order: Order) => Promise<OrderReport>;
  readonly resume: (which: TaskChoice, order: Order) => Promise<OrderReport>;
  /** A back-off is over. */
  readonly retryNow: (which: TaskChoice, order: Order) => Promise<OrderReport>;
  readonly reprioritise: (which: TaskChoice, priority: number, order: Order) => Promise<OrderReport>;
  readonly expire: (which: TaskChoice, order: Order) => Promise<OrderReport>;
  /** `question`: its id; absent, whatever it asks now. */
  readonly answer: (id: string, answer: unknown, order: Order & { readonly question?: string }) => Promise<OrderReport>;
  /** Also of a parked task that nobody verified in time. */
  readonly verify: (which: TaskChoice, order: Order) => Promise<OrderReport>;
  /** `retry`: tried again within its budget; else it has failed. */
  readonly reject: (which: TaskChoice, order: Order & { readonly retry?: boolean }) => Promise<OrderReport>;

  readonly queues: {
    readonly list: () => Promise<ReadonlyArray<QueueView>>;
    /** Sets the policy; makes the queue if it is not there. */
    readonly configure: (name: string, policy: QueuePolicy) => Promise<void>;
    /** Tasks are taken, none is given out. */
    readonly pause: (name: string, order: Order) => Promise<void>;
    readonly resume: (name: string, order: Order) => Promise<void>;
    /** No task is taken any more; what is there is given out. Resolves when nothing is left; `resume` opens it again. */
    readonly drain: (name: string, order: Order) => Promise<void>;
  };
  readonly workers: {
    readonly list: () => Promise<ReadonlyArray<WorkerView>>;
    /** A worker connects, for the first time or again. Fails with `WorkerOwned` while another owner speaks for it. */
    readonly connect: (
      card: WorkerCard,
    ) => Promise<{ readonly address: string; readonly incarnation: number /** Of what it said that it works on: what is not wanted any more. */; readonly dropped: ReadonlyArray<string> }>;
    /** It gets nothing new; what it has ends. */
    readonly drain: (id: string) => Promise<void>;
    /** It is not needed any more: what it has goes back. */
    readonly retire: (id: string) => Promise<void>;
  };

  /** Gives out nothing more; resolves when what runs has ended. */
  readonly drain: () => Promise<void>;
  /** Ends the local workers and what they run. What ran is run again when the journal is next opened, at no cost. */
  readonly stop: () => Promise<void>;
}

/** What a worker is asked to do. */
export interface Offer {
  readonly worker: string;
  /** The life of the worker that has the slot; a later one must not begin it. */
  readonly incarnation: number;
  /** The address that reports go to. */
  readonly assignment: string;
  readonly attempt: number;
  readonly task: string;
  readonly kind: string;
  readonly input: unknown;
  /** What is left of the budget. */
  readonly budget: Budget;
  readonly executionTimeoutMs: number;
  /** The session to go on with; without it the run begins from `input`. */
  readonly session: string | undefined;
  readonly question: Question | undefined;
  readonly answer: unknown;
  /** The results of the tasks that it needed, by id. */
  readonly needs: Readonly<Record<string, unknown>>;
  readonly folder: string | undefined;
}
export interface Revocation {
  readonly worker: string;
  readonly incarnation: number;
  readonly assignment: string;
  readonly attempt: number;
  /** Politely first; by force when the grace is over. */
  readonly force: boolean;
}

interface Fence {
  readonly attempt: number;
  readonly incarnation: number;
}
/** What a worker says of one attempt. Of an earlier attempt or life it is recorded, and not applied. */
export type AttemptReport =
  | (Fence & { readonly type: "ACCEPTED" })
  | (Fence & { readonly type: "DECLINED"; readonly reason?: string })
  /** Alive, though there is nothing to tell. */
  | (Fence & { readonly type: "HEARTBEAT" })
  | (Fence & { readonly type: "PROGRESS"; readonly progress: unknown })
  /** What this attempt has used so far, in all: a repetition counts once. */
  | (Fence & { readonly type: "USAGE"; readonly usage: Partial<Usage> })
  | (Fence & { readonly type: "SESSION"; readonly session: string })
  /** The last word of an attempt: it parks. */
  | (Fence & { readonly type: "QUESTION"; readonly question: Omit<Question, "id" | "about"> & { readonly id?: string } })
  /** The last word of an attempt. */
  | (Fence & {
      readonly type: "ENDED";
      readonly outcome: RunOutcome;
      readonly result?: unknown;
      readonly failure?: Failure;
      readonly receipt?: TaskReceipt;
      readonly usage?: Partial<Usage>;
      /** Which criteria of the notification policy were met. */
      readonly criteriaMet?: ReadonlyArray<string>;
    });
/** What is said of a worker as a whole. */
export type WorkerReport = { readonly incarnation: number } & (
  | { readonly type: "READY" }
  | { readonly type: "HEARTBEAT" }
  /** Its connection is gone; it may come back within its grace. */
  | { readonly type: "DETACHED"; readonly reason: string }
  /** It is gone for good, with all that it had. */
  | { readonly type: "LOST"; readonly reason: string }
);

/** Where reports go: an attempt's to the offer's `assignment`, a worker's to its address. */
export type Report = (address: string, report: AttemptReport | WorkerReport) => void;

/**
 * How the workers of one kind of place are reached: functions in this process, child processes, a connection. It
 * carries out what the machines ask for and tells what it sees; it decides nothing.
 */
export interface WorkerTransport {
  /** From now on requests count and reports are heard. Requests before it are leftovers of an earlier process. */
  readonly attach: (report: Report) => void;
  /** A life of a worker begins: `READY` with this incarnation says that it is there. Absent: workers connect by themselves. */
  readonly start?: (worker: string, incarnation: number) => void;
  /** Its life is over, with all that it runs. */
  readonly stop: (worker: string) => void;
  readonly offer: (offer: Offer) => void;
  readonly revoke: (revocation: Revocation) => void;
  /** Ends everything; nothing is reported any more. */
  readonly endAll: () => Promise<void>;
}

/** What a function that carries out a task is given beside its input. */
export interface RunContext {
  readonly task: string;
  readonly attempt: number;
  readonly session: string | undefined;
  readonly question: Question | undefined;
  readonly answer: unknown;
  readonly needs: Readonly<Record<string, unknown>>;
  readonly budget: Budget;
  readonly folder: string | undefined;
  readonly heartbeat: () => void;
  readonly progress: (progress: unknown) => void;
  readonly usage: (usage: Partial<Usage>) => void;
  /** The session is stored at once; the next run gets it. */
  readonly sessionIs: (session: string) => void;
  readonly receipt: (receipt: TaskReceipt) => void;
  readonly criteriaMet: (...criteria: ReadonlyArray<string>) => void;
  /** Parks the task: throws, so nothing that follows runs. The next run begins with the answer. */
  readonly ask: (text: string, data?: unknown) => never;
  /** Ends the run with another outcome than `ok` or `error`: throws. */
  readonly end: (outcome: RunOutcome, message?: string) => never;
}

/** Carries out the tasks of one kind in this process. What it returns is the result; what it throws is an `error`. */
export type TaskFunction<Input = unknown> = (input: Input, signal: AbortSignal, context: RunContext) => unknown;
