/*
 * What the feed tells the page of tasks, workers and queues, as JSON.
 */
import type { OrderName, QueueView, TaskState, TaskView, WorkerView } from "../dispatch/index.ts";

export type { OrderName, TaskState } from "../dispatch/index.ts";

/** A task in a list. */
export interface TaskLine {
  readonly id: string;
  readonly state: TaskState;
  readonly kind: string;
  readonly queue: string;
  readonly tags: ReadonlyArray<string>;
  readonly priority: number;
  /** Attempts that were given to a worker, and how many its retries allow. */
  readonly attempts: number;
  readonly attemptsMax: number;
  /** The address of the worker that has it. */
  readonly worker?: string;
  /** When it came into its state, as far as somebody watched; else when it moved last. Milliseconds since 1970. */
  readonly since: number;
  /** When it moves by itself. */
  readonly until?: number;
  /** Why it stands there, in a few words. */
  readonly why: string;
}

export interface TaskList {
  readonly total: number;
  /** Of all that are known, before the filter. */
  readonly of: number;
  readonly from: number;
  readonly lines: ReadonlyArray<TaskLine>;
  /** How many there are, whatever the filter says. */
  readonly states: Readonly<Record<string, number>>;
  readonly queues: Readonly<Record<string, number>>;
  readonly kinds: Readonly<Record<string, number>>;
  /** False while the stored tasks are still being read. */
  readonly complete: boolean;
}

/** What the page of a task's actor shows of it beside its machine. */
export interface TaskPart extends TaskLine, Pick<TaskView, "question" | "receipt" | "verdict" | "progress" | "usage" | "failures" | "needs"> {
  /** Orders that it takes now. */
  readonly orders: ReadonlyArray<OrderName>;
}

export type WorkerLine = WorkerView;
export type QueueLine = QueueView;

/** An order for tasks, as the page gives it. `why` stands in the history of each, with who gave it. */
export interface TaskOrder {
  readonly action: "order";
  readonly order: OrderName;
  readonly tasks: ReadonlyArray<string>;
  readonly why: string;
  readonly priority?: number;
  readonly answer?: unknown;
  readonly question?: string;
  /** Of a rejection: it is tried again. */
  readonly retry?: boolean;
}

/** An order for a queue or a worker. */
export type PlaceOrder =
  | { readonly action: "queue"; readonly order: "pause" | "resume" | "drain"; readonly queue: string; readonly why: string }
  | { readonly action: "worker"; readonly order: "drain" | "retire"; readonly worker: string };
