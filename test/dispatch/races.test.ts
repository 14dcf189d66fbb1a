import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { assignment, assignmentActions } from "../../machines/assignment.ts";
import { task, type TaskContext, taskActions } from "../../machines/task.ts";
import { usedSlots, worker, type WorkerContext, workerActions } from "../../machines/worker.ts";
import type { Command, Step } from "../../src/actor/index.ts";
import type { Event } from "../../src/domain/event.ts";
import { endedStates, type Run, type TaskEnvelope } from "../../src/domain/task.ts";
import { type Actor, done, elapsed, type Stimulus } from "../machines/actor.ts";
import { Chart } from "../machines/chart.ts";

const spec: TaskEnvelope = {
  id: "1",
  kind: "k",
  queue: "q",
  input: null,
  priority: 0,
  needs: [],
  whenNeedFails: "cancel",
  acceptanceTimeoutMs: 30_000,
  executionTimeoutMs: 60_000,
  answerTimeoutMs: 60_000,
  retry: { attemptsMax: 3, backoff: { kind: "fixed", baseMs: 500 }, outcomes: ["error", "timeout"] },
  lossesMax: 3,
  budget: {},
  verification: { when: "never", graceMs: 1_000 },
  slots: 1,
  tags: [],
  attributes: {},
};
const order = { by: "tester", why: "a race" };
const charts = { task: new Chart(task, taskActions), assignment: new Chart(assignment, assignmentActions, "task/1"), worker: new Chart(worker, workerActions) };

type Name = "task" | "assignment" | "worker";
type Told = readonly [Name, Event];

/** A task, its assignment and its worker, by the pure step alone. What they tell each other is under way until somebody delivers it. */
class Trio {
  readonly task: Actor;
  readonly worker: Actor = charts.worker.begin({ slots: 1 });
  assignment: Actor | undefined;
  /** Messages under way, one line for each sender and receiver. */
  readonly lines = new Map<string, Array<readonly [Name, Stimulus]>>();
  /** What became of what came from outside, by its name. */
  readonly outcomes: Array<readonly [string, string]> = [];

  constructor(more: Partial<TaskEnvelope>) {
    this.worker.tell({ type: "READY", incarnation: 1 });
    this.task = charts.task.begin({ spec: { ...spec, ...more }, needs: [], dependents: [] });
  }

  tell([to, event]: readonly [Name, Stimulus], name?: string): void {
    const actor = this[to];
    if (actor === undefined) return;
    const result = actor.tell(event);
    if (name !== undefined) this.outcomes.push([name, result.outcome]);
    this.#follow(to, result);
  }
  #follow(from: Name, { commands, state }: Step): void {
    for (const command of commands) this.#carryOut(from, command);
    if (from === "assignment" && state.snapshot.status === "done") this.#post("assignment", ["task", done("assignment", state.snapshot.output)]);
  }
  #carryOut(from: Name, command: Command): void {
    if (command.type === "child.start") {
      this.assignment = charts.assignment.begin(command.input);
      for (const first of this.assignment.commands.splice(0)) this.#carryOut("assignment", first);
    }
    if (command.type !== "send") return;
    const { to } = command;
    const target: Name = to.kind === "parent" ? "task" : to.kind === "child" ? "assignment" : (to as { readonly address: string }).address === "worker/1" ? "worker" : "assignment";
    this.#post(from, [target, command.event]);
  }
  #post(from: Name, message: readonly [Name, Stimulus]): void {
    const line = `${from} ${message[0]}`;
    this.lines.set(line, [...(this.lines.get(line) ?? []), message]);
  }

  /** Delivers what is under way, and what comes from outside, in the order that `pick` says. */
  run(racers: ReadonlyArray<ReadonlyArray<Told>>, pick: (count: number) => number): void {
    const outside = racers.map((racer, index) => racer.map(([to, event]) => [to, event, `${index} ${event.type}`] as const));
    for (;;) {
      const ready = [...this.lines].filter(([, line]) => line.length > 0);
      const waiting = outside.filter((racer) => racer.length > 0);
      if (ready.length + waiting.length === 0) return;
      const index = pick(ready.length + waiting.length);
      if (index < ready.length) this.tell((ready[index]?.[1].shift() as readonly [Name, Stimulus]) ?? ["task", elapsed("none")]);
      else {
        const next = waiting[index - ready.length]?.shift();
        if (next !== undefined) this.tell([next[0], next[1]], next[2]);
      }
    }
  }
  /** Everything that can end by itself does: a stopped run after its grace. */
  finish(): void {
    if (this.assignment?.value === "stopping") this.tell(["assignment", elapsed("killGrace")]);
    this.run([], () => 0);
  }
  get state(): string {
    return this.task.value;
  }
  get context(): TaskContext {
    return this.task.context<TaskContext>();
  }
  handled(type: string): number {
    return this.outcomes.filter(([name, outcome]) => name.endsWith(type) && outcome === "handled").length;
  }
}

const accepted: Told = ["assignment", { type: "ACCEPTED", attempt: 1, incarnation: 1 }];
const endedWell: Told = ["assignment", { type: "ENDED", attempt: 1, incarnation: 1, outcome: "ok", result: 7 }];
const endedBadly: Told = ["assignment", { type: "ENDED", attempt: 1, incarnation: 1, outcome: "error" }];
const asks: Told = ["assignment", { type: "QUESTION", attempt: 1, incarnation: 1, question: { text: "?" } }];
const assign: Told = ["task", { type: "ASSIGN", worker: "worker/1" }];
const cancel: Told = ["task", { type: "CANCEL", ...order }];
const lost: Told = ["worker", { type: "LOST", incarnation: 1, reason: "gone" }];
const toTask = (type: string, more: object = {}): Told => ["task", { type, ...order, ...more }];

interface Race {
  readonly way: ReadonlyArray<Told>;
  readonly more?: Partial<TaskEnvelope>;
  readonly racers: ReadonlyArray<ReadonlyArray<Told>>;
  readonly check: (trio: Trio) => void;
}
const races: Readonly<Record<string, Race>> = {
  "cancel against promote": { way: [], racers: [[cancel], [assign]], check: (trio) => expect(trio.state).toBe("cancelled") },
  "cancel against accept": { way: [assign], racers: [[cancel], [accepted]], check: (trio) => expect(trio.state).toBe("cancelled") },
  "cancel against finish": {
    way: [assign, accepted],
    racers: [[cancel], [endedWell]],
    check: (trio) => {
      // Who reached the assignment first has won.
      expect(trio.state).toBe((trio.assignment?.context<Run>().outcome ?? "") === "succeeded" ? "done" : "cancelled");
      expect(trio.context.result).toBe(7);
    },
  },
  "cancel against expire": {
    way: [assign, accepted],
    racers: [[cancel], [toTask("EXPIRE")]],
    // What is cancelled stays so, and who is told that it expired and then cancelled has the last word.
    check: (trio) => expect(trio.state).toBe(trio.handled("CANCEL") === 1 ? "cancelled" : "expired"),
  },
  "cancel against answer": { way: [assign, accepted, asks], racers: [[cancel], [toTask("ANSWER", { answer: 1 })]], check: (trio) => expect(trio.state).toBe("cancelled") },
  "result against lease loss": {
    way: [assign, accepted],
    racers: [[endedWell], [lost]],
    check: (trio) => {
      expect(["done", "queued"]).toContain(trio.state);
      expect([trio.context.losses, trio.context.failures, trio.context.result]).toEqual(trio.state === "done" ? [0, 0, 7] : [1, 0, null]);
    },
  },
  "retry against cancel": { way: [assign, accepted, endedBadly], racers: [[toTask("RETRY_NOW")], [cancel]], check: (trio) => expect(trio.state).toBe("cancelled") },
  "two answers": {
    way: [assign, accepted, asks],
    racers: [[toTask("ANSWER", { answer: "a", question: "1" })], [toTask("ANSWER", { answer: "b", question: "1" })]],
    check: (trio) => {
      expect([trio.state, trio.handled("ANSWER")]).toEqual(["queued", 1]);
      expect(trio.context.answer).toBe(trio.outcomes[0]?.[0].startsWith("0") === true ? "a" : "b");
    },
  },
  "two verifiers": {
    way: [assign, accepted, endedWell],
    more: { verification: { when: "always", graceMs: 1_000 } },
    racers: [[toTask("VERIFY")], [toTask("REJECT")]],
    check: (trio) => {
      expect(trio.handled("VERIFY") + trio.handled("REJECT")).toBe(1);
      expect(trio.state).toBe(trio.handled("VERIFY") === 1 ? "done" : "failed");
    },
  },
};

describe("dispatch > races", () => {
  for (const [name, { way, more = {}, racers, check }] of Object.entries(races)) {
    test(`${name}: one winner in each of 1,000 orders, and no slot is left`, () => {
      fc.assert(
        fc.property(fc.infiniteStream(fc.nat(1_000_000)), (numbers) => {
          const trio = new Trio(more);
          for (const told of way) trio.run([[told]], () => 0);
          trio.outcomes.length = 0;
          trio.run(racers, (count) => (numbers.next().value as number) % count);
          trio.finish();
          check(trio);
          expect(usedSlots(trio.worker.context<WorkerContext>())).toBe(0);
          // What was told to somebody who has ended changes nothing any more.
          const before = trio.task.json;
          for (const racer of racers) for (const told of racer) if (endedStates.has(trio.state as never)) trio.tell(told);
          if (endedStates.has(trio.state as never)) expect(trio.task.json).toBe(before);
        }),
        { numRuns: 1_000 },
      );
    });
  }
});
