import type { Dispatcher, OrderName, OrderReport, TaskView } from "../dispatch/index.ts";
import type { TaskOrder, TaskPart } from "./task-wire.ts";
import type { Tasks } from "./tasks.ts";
import type { Preview } from "./wire.ts";

/** Tasks of which a preview asks whether they would take the order. */
const askedMax = 1_000;
/** Tasks that one order may name. */
export const orderedMax = 10_000;

const orderNames: ReadonlyArray<OrderName> = ["pause", "resume", "retryNow", "reprioritise", "verify", "reject", "cancel", "expire", "answer"];

/** What the page of a task's actor shows of it. */
export const taskPart = async (dispatcher: Dispatcher, tasks: Tasks, view: TaskView): Promise<TaskPart> => {
  const { question, receipt, verdict, progress, usage, failures, needs, priority } = view;
  const given = { priority, answer: null };
  const taken = await Promise.all(orderNames.map(async (name) => ((await dispatcher.preview(name, view.id, given)).done.length > 0 ? [name] : [])));
  return { ...(await tasks.line(view)), question, receipt, verdict, progress, usage, failures, needs, orders: taken.flat() };
};

const verbs: Readonly<Record<OrderName, string>> = {
  cancel: "Cancels",
  pause: "Sets aside",
  resume: "Lets go on",
  retryNow: "Tries again at once",
  reprioritise: "Changes the priority of",
  expire: "Expires",
  answer: "Answers",
  verify: "Verifies",
  reject: "Rejects",
};

interface Told {
  readonly done: ReadonlyArray<string>;
  readonly refuses: Preview["refuses"];
}

/** Gives the ids to `give`; those that are not there any more are told apart from the others, and don't hold them up. */
const sorted = async (ids: ReadonlyArray<string>, give: (ids: ReadonlyArray<string>) => Promise<OrderReport>, isKnown: (id: string) => Promise<boolean>): Promise<Told> => {
  const known = await Promise.all(ids.map(isKnown));
  const there = ids.filter((_, index) => known[index]);
  const { done, refused } = there.length === 0 ? { done: [], refused: [] } : await give(there);
  return {
    done,
    refuses: [...refused.map(({ id, detail }) => ({ id, why: detail })), ...ids.filter((_, index) => !known[index]).map((id) => ({ id, why: "it is not there any more" }))],
  };
};

/** What an order would come to, by the engine's own steps. */
export const previewOrder = async (dispatcher: Dispatcher, { order, tasks, ...given }: TaskOrder): Promise<Preview> => {
  const asked = tasks.slice(0, askedMax);
  const { done, refuses } = await sorted(
    asked,
    (ids) => dispatcher.preview(order, ids, given),
    async (id) => (await dispatcher.get(id)) !== undefined,
  );
  const rest = tasks.length - asked.length;
  const name = tasks.length === 1 ? "1 task" : `${tasks.length} tasks`;
  const more = `${order === "reprioritise" ? ` to ${given.priority}` : ""}.${rest > 0 ? ` The first ${askedMax} were asked; ${rest} more follow.` : ""}`;
  return { text: `${verbs[order]} ${name}${more} The reason stands in the history of each.`, takes: done, refuses };
};

/** Gives the order. Who gave it, and why, stands in the history of each task. */
export const giveOrder = async (dispatcher: Dispatcher, { order, tasks, why, ...given }: TaskOrder, by: string): Promise<Told> => {
  const said = { by, why };
  const give = (ids: ReadonlyArray<string>): Promise<OrderReport> => {
    switch (order) {
      case "answer":
        return dispatcher.answer(ids[0] ?? "", given.answer ?? null, { ...said, ...(given.question === undefined ? {} : { question: given.question }) });
      case "reprioritise":
        return dispatcher.reprioritise(ids, given.priority ?? 0, said);
      case "reject":
        return dispatcher.reject(ids, { ...said, ...(given.retry === undefined ? {} : { retry: given.retry }) });
      default:
        return dispatcher[order](ids, said);
    }
  };
  return sorted(tasks, give, async (id) => (await dispatcher.get(id)) !== undefined);
};

const fields = ["action", "order", "tasks", "why", "priority", "answer", "question", "retry"];

/** What is wrong with an order that came from outside, or nothing. */
export const wrongOrder = (given: Readonly<Record<string, unknown>>, isPreview: boolean): string | undefined => {
  const { order, tasks, why, priority } = given as Partial<TaskOrder>;
  const other = Object.keys(given).find((name) => !fields.includes(name));
  if (other !== undefined) return `${other} is no part of an order`;
  if (!orderNames.includes(order as OrderName)) return `order must be one of ${orderNames.join(", ")}`;
  if (!Array.isArray(tasks) || tasks.length === 0 || !tasks.every((id) => typeof id === "string")) return "tasks must be ids of tasks";
  if (tasks.length > orderedMax) return `an order is for at most ${orderedMax} tasks at a time`;
  if (order === "answer" && tasks.length !== 1) return "an answer is for one task: give its id alone";
  if (order === "reprioritise" && !Number.isFinite(priority)) return "priority must be a number";
  if (!isPreview && order !== "answer" && (typeof why !== "string" || why.trim() === "")) return "say why: the reason stands in the history of each task";
  return undefined;
};
