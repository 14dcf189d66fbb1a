import { describe, expect, test } from "vitest";
import type { AssignmentContext } from "../../machines/assignment.ts";
import type { TaskContext } from "../../machines/task.ts";
import { usedSlots, type WorkerContext } from "../../machines/worker.ts";
import { dispatchMachines, endedStates, openDispatcher, type TaskSpec } from "../../src/dispatch/index.ts";
import type { Transition } from "../../src/engine/index.ts";
import { testEngine, VirtualTime } from "../../src/testing/index.ts";
import { Fleet, randomFrom } from "./fleet.ts";

/** `CONSERVATION=full` is the long form: a hundred workers and twenty thousand tasks. */
const size = process.env.CONSERVATION === "full" ? { local: 50, remote: 50, tasks: 20_000 } : { local: 10, remote: 10, tasks: 500 };
const seed = Number(process.env.SEED ?? 1);

/** Counts for itself, from what was stored, and says what is wrong. */
class Books {
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

describe("dispatch > conservation", () => {
  test(`${size.tasks} tasks on ${size.local + size.remote} workers that die, flap and answer late: each ends once, within its budget, and every slot is free again`, async () => {
    const time = new VirtualTime();
    const random = randomFrom(seed);
    const fleet = new Fleet(random, time.now, size.remote);
    const dispatch = dispatchMachines({ kinds: { agent: {} }, transports: { command: fleet, fleet: fleet.remote } });
    const engine = await testEngine({ machines: [], plugins: [dispatch], time });
    try {
      const attempts = { attemptsMax: 3, lossesMax: 4 };
      const slotsMax = Math.floor(size.local + size.remote * 2);
      const books = new Books(attempts, slotsMax);
      engine.taskwright.observe(books.hear);
      const dispatcher = await openDispatcher(engine.taskwright, dispatch, { slots: size.local, slotsMax, defaults: { lossesMax: attempts.lossesMax } });
      const specs = Array.from({ length: size.tasks }, (_, n): TaskSpec => {
        const limits = { retry: { attemptsMax: attempts.attemptsMax, backoff: { kind: "fixed", baseMs: 500 } }, acceptanceTimeoutMs: 2_000, executionTimeoutMs: 10_000 } as const;
        const what = n % 2 === 0 ? { kind: "agent", slots: 1 + (n % 3) } : { input: { command: { argv: ["true"] }, cwd: "/" } };
        return { id: `t${n}`, ...what, ...limits, priority: n % 5, concurrencyKey: `tenant-${n % 17}`, queue: `q${n % 3}` };
      });
      await dispatcher.submit(specs);
      await engine.settled();
      let rounds = 0;
      for (; books.live.size > 0 && rounds < 20_000; rounds++) {
        await fleet.live(dispatcher);
        await engine.settled();
        await engine.advance(200);
        if (rounds % 10 === 0) books.balance(size.tasks);
        if (books.wrong.length + fleet.violations.length > 0) break;
      }
      books.balance(size.tasks);
      expect([books.wrong.slice(0, 10), fleet.violations.slice(0, 10)]).toEqual([[], []]);
      // All of it was played, or the figures above say nothing.
      expect(fleet.counts.begun).toBeGreaterThan(size.tasks);
      expect(Math.min(fleet.counts.died, fleet.counts.detached, fleet.counts.late)).toBeGreaterThan(10);
      expect([books.live.size, books.ended.size, books.used, books.assignments.size, fleet.executing]).toEqual([0, size.tasks, 0, 0, 0]);
      for (const { name, waiting, running } of await dispatcher.queues.list()) expect([name, waiting, running]).toEqual([name, 0, 0]);
      expect(await engine.taskwright.list({ machine: "assignment", status: "active" })).toEqual([]);
      if (process.env.CONSERVATION === "full") {
        const ends: Record<string, number> = {};
        for (const state of books.ended.values()) ends[state] = (ends[state] ?? 0) + 1;
        console.info({ rounds, ...fleet.counts, ...ends, mostSlots: books.most, slotsMax });
      }
    } finally {
      await engine.dispose();
    }
  }, 900_000);
});
