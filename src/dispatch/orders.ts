import type { TaskContext } from "../../machines/task.ts";
import type { ActorView, Taskwright } from "../engine/index.ts";
import type { OrderName, OrderReport, TaskChoice, TaskFilter } from "./dispatcher.ts";
import { UnknownTask } from "./errors.ts";
import { endedStates, type TaskState } from "./task-spec.ts";
import { isTaskContext, taskAddress, taskIdOf, taskStateOf } from "./task-view.ts";

/** What an order says to a task. */
export interface OrderEvent {
  readonly type: "CANCEL" | "PAUSE" | "RESUME" | "RETRY_NOW" | "REPRIORITISE" | "EXPIRE" | "ANSWER" | "VERIFY" | "REJECT";
  readonly by: string;
  readonly why: string;
  readonly at: number;
  readonly [name: string]: unknown;
}

/** The event of each order. */
export const orderEvents: Readonly<Record<OrderName, OrderEvent["type"]>> = {
  cancel: "CANCEL",
  pause: "PAUSE",
  resume: "RESUME",
  retryNow: "RETRY_NOW",
  reprioritise: "REPRIORITISE",
  expire: "EXPIRE",
  answer: "ANSWER",
  verify: "VERIFY",
  reject: "REJECT",
};

/** Tasks that are told at a time. */
const ordersMax = 1_000;

const statesOf = ({ state }: TaskFilter): ReadonlyArray<TaskState> | undefined => (state === undefined ? undefined : typeof state === "string" ? [state] : state);

/** Whether a filter means this task. */
export const matches = (filter: TaskFilter, view: Pick<ActorView, "value" | "status" | "context">): boolean => {
  const { context } = view;
  if (!isTaskContext(context)) return false;
  const { kind, queue, key, tags, attributes } = context.spec;
  const states = statesOf(filter);
  return (
    (states === undefined || states.includes(taskStateOf(view))) &&
    (filter.kind === undefined || filter.kind === kind) &&
    (filter.queue === undefined || filter.queue === queue) &&
    (filter.key === undefined || filter.key === key) &&
    (filter.tag === undefined || tags.includes(filter.tag)) &&
    Object.entries(filter.attributes ?? {}).every(([name, value]) => attributes[name] === value)
  );
};

/** Which of the stored tasks a filter can mean at all: those that have ended, the others, or both. */
export const statusOf = (filter: TaskFilter): "active" | "done" | undefined => {
  const states = statesOf(filter);
  if (states === undefined) return undefined;
  // One that its supervisor gave up is dead, and not done.
  if (states.includes("dead")) return undefined;
  return states.every((state) => endedStates.has(state)) ? "done" : states.some((state) => endedStates.has(state)) ? undefined : "active";
};

/** Tells orders to tasks, one by one or all that a filter finds, and says what became of each, or would. */
export const makeOrders = (engine: Taskwright) => {
  const found = async (filter: TaskFilter): Promise<ReadonlyArray<string>> => {
    const status = filter.state === undefined ? "active" : statusOf(filter);
    const ids: Array<string> = [];
    for (let after = 0; ; ) {
      const page = await engine.list({ machine: "task", ...(status === undefined ? {} : { status }), after, limit: ordersMax });
      for (const view of page) if (matches(filter, view)) ids.push(taskIdOf(view.address));
      const last = page.at(-1);
      if (last === undefined || page.length < ordersMax) return ids;
      after = last.id;
    }
  };
  const send = async (address: string, event: OrderEvent): Promise<boolean> => (await engine.send(address, event)).outcome === "handled";
  /** Undefined: it took the order. */
  const tell = async (id: string, event: OrderEvent, give: typeof send): Promise<OrderReport["refused"][number] | "unknown" | undefined> => {
    try {
      if (await give(taskAddress(id), event)) return undefined;
      const view = await engine.snapshot(taskAddress(id));
      if (isWanted(event, view)) return undefined;
      const state = taskStateOf(view);
      return { id, state, detail: endedStates.has(state) ? "it has ended" : `a task that is ${state} takes no such order` };
    } catch (error) {
      if ((error as { readonly _tag?: unknown })._tag === "UnknownActor") return "unknown";
      throw error;
    }
  };
  const each = async (which: TaskChoice, event: OrderEvent, give: typeof send): Promise<OrderReport> => {
    // Ids that are given are told before anything else happens.
    const ids = typeof which === "string" ? [which] : Array.isArray(which) ? (which as ReadonlyArray<string>) : await found(which as TaskFilter);
    const done: Array<string> = [];
    const refused: Array<OrderReport["refused"][number]> = [];
    const unknown: Array<string> = [];
    for (let from = 0; from < ids.length; from += ordersMax) {
      const page = ids.slice(from, from + ordersMax);
      for (const [index, answer] of (await Promise.all(page.map((id) => tell(id, event, give)))).entries()) {
        const id = page[index] as string;
        if (answer === undefined) done.push(id);
        else if (answer === "unknown") unknown.push(id);
        else refused.push(answer);
      }
    }
    if (unknown.length > 0) throw new UnknownTask({ ids: unknown });
    return { done, refused };
  };
  return {
    order: (which: TaskChoice, event: OrderEvent) => each(which, event, send),
    preview: (which: TaskChoice, event: OrderEvent) => each(which, event, engine.can),
  };
};

/** Whether it is as the order wants it, or about to be: an order that is repeated is carried out once. */
const isWanted = ({ type }: OrderEvent, view: ActorView): boolean => {
  const state = taskStateOf(view);
  const { intent } = view.context as TaskContext;
  if (type === "CANCEL") return state === "cancelled" || intent === "cancel";
  if (type === "PAUSE") return state === "paused" || intent === "pause";
  return type === "EXPIRE" && (state === "expired" || intent === "expire");
};
