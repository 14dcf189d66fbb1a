import type { QueuePolicy } from "../../machines/queue.ts";
import type { Order } from "../domain/task.ts";
import type { SubmitOptions, Submitted } from "./submissions.ts";
import type { TaskSpec, TaskState, TaskView } from "./task-spec.ts";

export type { QueuePolicy } from "../../machines/queue.ts";

/** Which tasks are meant; what is absent leaves all. */
export interface TaskFilter {
  readonly state?: TaskState | ReadonlyArray<TaskState>;
  readonly kind?: string;
  readonly queue?: string;
  readonly key?: string;
  readonly tag?: string;
  readonly attributes?: Readonly<Record<string, string | number | boolean>>;
}
/** Which page of them. */
export interface TaskPaging {
  /** The `cursor` of the page before. */
  readonly cursor?: string;
  /** Default: 100. */
  readonly limit?: number;
  /** The latest first; default: the oldest. */
  readonly descending?: boolean;
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
  /** Ids of the tasks that take its slots. */
  readonly tasks: ReadonlyArray<string>;
  /** It gets nothing new. */
  readonly isDraining: boolean;
  /** When it was heard of last, in milliseconds since 1970. */
  readonly at: number;
  /** When it counts as away, is given up or begins anew, if nothing is heard of it until then. */
  readonly until: number | undefined;
}

export interface WhenEndedOptions {
  /** Whether tasks may be yet to come, as those of a schedule that was triggered. Default false. */
  readonly mayCome?: boolean;
}

/** An order, as the dispatcher's calls name it. */
export type OrderName = "cancel" | "pause" | "resume" | "retryNow" | "reprioritise" | "expire" | "answer" | "verify" | "reject";

/**
 * Matches tasks to workers. It holds no truth: tasks, assignments, workers and queues are actors of the engine.
 * Calls fail with the engine's errors, and with `InvalidTask`, `UnknownTask`, `QueueDraining`; with `InvalidOptions` for a
 * filter, an order or rules of a queue that can't be.
 */
export interface Dispatcher {
  /** One task. */
  readonly submit: {
    (task: TaskSpec, options?: SubmitOptions): Promise<Submitted>;
    /** Many: all of them are checked before any is stored, and each 10,000 are stored in one transaction, all or none. Answers in their order. */
    (tasks: ReadonlyArray<TaskSpec>, options?: SubmitOptions): Promise<ReadonlyArray<Submitted>>;
  };
  readonly get: (id: string) => Promise<TaskView | undefined>;
  /** Oldest first, a page at a time. Default limit 100. */
  readonly list: (filter?: TaskFilter & TaskPaging) => Promise<TaskPage>;
  /** Hears each task whenever it moved. Returns how to stop. */
  readonly observe: (listener: (task: TaskView) => void) => () => void;
  /** Resolves with the tasks, in the order of `ids`, when all have ended. Fails with `UnknownTask` at once where there is no such task. After `stop` it never does. */
  readonly whenEnded: (ids: ReadonlyArray<string>, options?: WhenEndedOptions) => Promise<ReadonlyArray<TaskView>>;

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

  /** What would become of an order, by the engine's own steps. Nothing is told and nothing is stored. `given`: what the order carries. */
  readonly preview: (
    name: OrderName,
    which: TaskChoice,
    given?: { readonly priority?: number; readonly answer?: unknown; readonly question?: string; readonly retry?: boolean },
  ) => Promise<OrderReport>;

  readonly queues: {
    readonly list: () => Promise<ReadonlyArray<QueueView>>;
    /** Sets the policy; makes the queue if it is not there. */
    readonly configure: (name: string, policy: QueuePolicy, given?: SubmitOptions) => Promise<void>;
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
    readonly drain: (id: string, given?: SubmitOptions) => Promise<void>;
    /** It is not needed any more: what it has goes back. */
    readonly retire: (id: string, given?: SubmitOptions) => Promise<void>;
  };

  /** Gives out nothing more; resolves when what runs has ended. */
  readonly drain: () => Promise<void>;
  /** Ends the local workers and what they run. What ran is run again when the journal is next opened, at no cost. */
  readonly stop: () => Promise<void>;
}
