import type { AssignmentContext } from "../../machines/assignment.ts";
import type { ActivityContext } from "../../machines/activity.ts";
import type { TaskContext } from "../../machines/task.ts";
import { usedSlots, type WorkerContext } from "../../machines/worker.ts";
import type { Run } from "../../src/domain/task.ts";
import type { Life, Moment } from "./life.ts";
import type { Stored } from "./store.ts";

/** What the checker counts for itself, per task. */
interface Counted {
  failures: number;
  losses: number;
  cancelled: boolean;
}

export class TaskBook {
  readonly #tasks = new Map<number, Counted>();

  of(id: number): Counted {
    let counted = this.#tasks.get(id);
    if (counted === undefined) {
      counted = { failures: 0, losses: 0, cancelled: false };
      this.#tasks.set(id, counted);
    }
    return counted;
  }
}

const machines: ReadonlySet<string> = new Set(["task", "assignment", "worker", "activity"]);

const outcomeOf = ({ event }: Moment): Run["outcome"] | undefined => (event.type === "taskwright.done" ? (event.output as Run | undefined)?.outcome : undefined);

/** Budgets, slots and assignments of the task machines, counted anew from what the histories tell. */
export const checkTasks = (book: TaskBook, lives: ReadonlyMap<number, Life>, moments: ReadonlyArray<Moment>, stored: Stored, violate: (what: string) => void): void => {
  const touched = moments.filter(({ life }) => machines.has(life.machine));
  if (touched.length === 0) return;
  for (const moment of touched) if (moment.life.machine === "task") count(book.of(moment.life.id), moment, violate);
  for (const life of new Set(touched.map((moment) => moment.life))) {
    if (life.machine === "task") checkTask(book.of(life.id), life, violate);
    if (life.machine === "activity") checkActivity(life, violate);
  }
  checkSlots(lives, stored, violate);
};

const count = (counted: Counted, moment: Moment, violate: (what: string) => void): void => {
  const { life, entry, event } = moment;
  if (entry.outcome !== "handled") return;
  if (event.type === "CANCEL") counted.cancelled = true;
  if (event.type === "ASSIGN" && counted.cancelled) violate(`${life.address}, entry ${entry.seq}: it was given to a worker after it was cancelled`);
  const outcome = outcomeOf(moment);
  // One that was cancelled is not counted any more.
  if (outcome === "lost" && !counted.cancelled) counted.losses++;
  if ((outcome === "failed" || outcome === "timedOut") && !counted.cancelled) counted.failures++;
};

const checkTask = (counted: Counted, { address, state }: Life, violate: (what: string) => void): void => {
  const context = state.snapshot.context as TaskContext;
  const value = state.snapshot.value;
  if (context.failures !== counted.failures) violate(`${address}: ${counted.failures} attempts failed, it has counted ${context.failures}`);
  if (context.losses !== counted.losses) violate(`${address}: its worker was lost ${counted.losses} times, it has counted ${context.losses}`);
  if (context.failures > context.spec.retry.attemptsMax) violate(`${address}: ${context.failures} attempts failed, its budget is ${context.spec.retry.attemptsMax}`);
  if (context.losses > context.spec.lossesMax + 1) violate(`${address}: its worker was lost ${context.losses} times, it bears ${context.spec.lossesMax}`);
  if (value === "dead" && counted.failures < context.spec.retry.attemptsMax && counted.losses <= context.spec.lossesMax) violate(`${address}: it was given up, and its budget was not spent`);
};

const checkActivity = ({ address, state }: Life, violate: (what: string) => void): void => {
  const { attempt, interruptions, crashes, interruptionsMax, retry } = state.snapshot.context as ActivityContext;
  if (attempt - interruptions > retry.attemptsMax) violate(`${address}: ${attempt} attempts with ${interruptions} interruptions, its budget is ${retry.attemptsMax}`);
  if (crashes > interruptionsMax) violate(`${address}: ${crashes} crashes, it bears ${interruptionsMax}`);
};

/** Every assignment that a worker knows of holds one slot, no other holds any, and no task has two. */
const checkSlots = (lives: ReadonlyMap<number, Life>, stored: Stored, violate: (what: string) => void): void => {
  const holders = new Map<string, string>();
  const open = new Map<string, string>();
  for (const { id, address, machine, status } of stored.actors) {
    const life = lives.get(id);
    if (life === undefined || status !== "active") continue;
    const { value } = life.state.snapshot;
    if (machine === "worker") {
      const { taken, slots } = life.state.snapshot.context as WorkerContext;
      const used = usedSlots({ taken });
      if (used > slots) violate(`${address} has assignments for ${used} slots, it has ${slots}`);
      if (used > 0 && value !== "active") violate(`${address} is ${String(value)} and has assignments for ${used} slots`);
      for (const assignment of Object.keys(taken)) {
        if (holders.has(assignment)) violate(`${assignment} holds two slots, of ${address} and ${holders.get(assignment)}`);
        holders.set(assignment, address);
      }
    }
    if (machine === "assignment") {
      if (address !== life.address) violate(`${address} is active, and its task has another assignment`);
      if (value !== "requesting") open.set(address, (life.state.snapshot.context as AssignmentContext).worker);
    }
  }
  // What a message under way says may not be heard yet.
  if (stored.mail.length > 0) return;
  for (const [assignment, worker] of open) if (holders.get(assignment) !== worker) violate(`${assignment} is with ${worker}, but holds no slot there`);
  for (const [assignment, worker] of holders) if (!open.has(assignment)) violate(`${worker} keeps a slot for ${assignment}, which has ended`);
};
