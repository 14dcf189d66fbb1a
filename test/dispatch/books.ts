import type { AssignmentContext } from "../../machines/assignment.ts";
import type { TaskContext } from "../../machines/task.ts";
import { usedSlots, type WorkerContext } from "../../machines/worker.ts";
import { endedStates } from "../../src/dispatch/index.ts";
import type { Transition } from "../../src/engine/index.ts";

/** Counts for itself, from what was stored, and says what is wrong. */
export class Books {
  readonly wrong: Array<string> = [];
  readonly live = new Set<string>();
  readonly ended = new Map<string, string>();
  /** Assignments that are under way, with their slots, and those of them that were accepted, by task. */
  readonly assignments = new Map<string, number>();
  readonly accepted = new Map<string, number>();
  readonly workers = new Map<string, WorkerContext>();
  readonly #attempts: { readonly attemptsMax: number; readonly lossesMax: number };
  readonly #slotsMax: number;
  used = 0;
  most = 0;

  constructor(attempts: { readonly attemptsMax: number; readonly lossesMax: number }, slotsMax: number) {
    this.#attempts = attempts;
    this.#slotsMax = slotsMax;
  }
  #check(isRight: boolean, words: string): void {
    if (!isRight) this.wrong.push(words);
  }

  readonly hear = ({ machine, address, state, status, event, outcome }: Transition): void => {
    const { context, value } = state.snapshot as unknown as { readonly context: unknown; readonly value: unknown };
    if (machine === "task") this.#task(address, typeof value === "string" ? value : "", context as TaskContext);
    else if (machine === "worker") this.#worker(address, context as WorkerContext);
    else if (machine === "assignment") this.#assignment(address, context as AssignmentContext, status !== "active", event.type === "ACCEPTED" && outcome === "handled");
  };
  #task(address: string, value: string, { failures, losses, result, assignments, spec }: TaskContext): void {
    this.#check(failures <= this.#attempts.attemptsMax, `${address} was begun ${failures} times`);
    this.#check(losses <= this.#attempts.lossesMax + 1, `${address} was lost ${losses} times`);
    this.#check(result === null || result === `${spec.id}#${assignments}`, `${address} has the result ${String(result)} in its attempt ${assignments}`);
    if (!endedStates.has(value as never)) this.live.add(address);
    else {
      const before = this.ended.get(address);
      this.#check(before === undefined || before === value, `${address} was ${before}, and is ${value}`);
      this.live.delete(address);
      this.ended.set(address, value);
    }
    this.#check(!this.live.has(address) || !this.ended.has(address), `${address} has ended, and lives`);
  }
  #assignment(address: string, { attempt, slots }: AssignmentContext, isOver: boolean, wasAccepted: boolean): void {
    if (isOver) {
      this.assignments.delete(address);
      this.accepted.delete(address);
      return;
    }
    this.assignments.set(address, slots);
    if (!wasAccepted) return;
    this.#check(!this.accepted.has(address), `${address} accepted attempt ${attempt} beside ${this.accepted.get(address)}`);
    this.accepted.set(address, attempt);
  }
  #worker(address: string, context: WorkerContext): void {
    this.used += usedSlots(context) - usedSlots(this.workers.get(address) ?? { taken: {} });
    this.workers.set(address, context);
    this.most = Math.max(this.most, this.used);
    this.#check(usedSlots(context) <= context.slots, `${address} uses ${usedSlots(context)} of ${context.slots} slots`);
    this.#check(this.used <= this.#slotsMax, `${this.used} of ${this.#slotsMax} slots are used`);
  }
  /** Between two moments: every slot belongs to an assignment that is under way, and every one of those has its slots. */
  balance(tasks: number): void {
    this.#check(this.live.size + this.ended.size === tasks, `${this.live.size} live and ${this.ended.size} have ended, of ${tasks}`);
    const taken = new Map([...this.workers.values()].flatMap((context) => Object.entries(context.taken)));
    for (const [assignment, slots] of this.assignments) this.#check(taken.get(assignment) === slots, `${assignment} is under way and has ${taken.get(assignment)} of ${slots} slots`);
    for (const assignment of taken.keys()) this.#check(this.assignments.has(assignment), `${assignment} is over and has a slot`);
  }
}
