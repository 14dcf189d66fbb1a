import { assign, enqueueActions } from "xstate";
import { describe, expect, test } from "vitest";
import type { WorkerContext } from "../../machines/worker.ts";
import { type DispatchMachines, dispatchMachines, openDispatcher, type TaskSpec } from "../../src/dispatch/index.ts";
import type { Taskwright } from "../../src/engine/index.ts";
import { actorRef } from "../../src/domain/reference.ts";
import { testEngine, VirtualTime } from "../../src/testing/index.ts";
import { Books } from "./books.ts";
import { Fleet, randomFrom } from "./fleet.ts";

/** `CONSERVATION=full` is the long form: a hundred workers and twenty thousand tasks. */
const isFull = process.env.CONSERVATION === "full";
const size = isFull ? { local: 50, remote: 50, tasks: 20_000 } : { local: 10, remote: 10, tasks: 350 };
/** Few attempts for few tasks, and much that goes wrong: whoever takes one more is seen soon. */
const small = { local: 4, remote: 4, tasks: 70, attempts: { attemptsMax: 1, lossesMax: 0 }, chances: { dies: 0.04, fails: 0.5 }, roundsMax: 300 };
const seed = Number(process.env.SEED ?? 1);

/** A mistake, made on purpose: in what a machine is given, or in what the engine is told. */
interface Plant {
  readonly machine?: string;
  readonly provide?: object;
  readonly tell?: (engine: Taskwright) => Taskwright;
}

const planted = (dispatch: DispatchMachines, { machine, provide }: Plant): DispatchMachines => ({
  ...dispatch,
  machines: dispatch.machines.map((entry) =>
    "machine" in entry && entry.machine.id === machine ? { ...entry, machine: entry.machine.provide(provide as never) } : entry,
  ) as DispatchMachines["machines"],
});

/** Plays until everything has ended, or something is wrong; says what. */
const play = async ({ local, remote, tasks, attempts = { attemptsMax: 3, lossesMax: 4 }, chances, roundsMax = 20_000 }: typeof size & Partial<typeof small>, plant: Plant = {}) => {
  const time = new VirtualTime();
  const fleet = new Fleet(randomFrom(seed), time.now, remote, chances);
  const dispatch = planted(dispatchMachines({ kinds: { agent: {} }, transports: { command: fleet, fleet: fleet.remote } }), plant);
  const engine = await testEngine({ machines: [], plugins: [dispatch], time });
  try {
    const slotsMax = Math.floor(local + remote * 2);
    const books = new Books(attempts, slotsMax);
    engine.taskwright.observe(books.hear);
    const told = plant.tell?.(engine.taskwright) ?? engine.taskwright;
    const dispatcher = await openDispatcher(told, dispatch, { slots: local, slotsMax, defaults: { lossesMax: attempts.lossesMax } });
    const specs = Array.from({ length: tasks }, (_, n): TaskSpec => {
      const limits = { retry: { attemptsMax: attempts.attemptsMax, backoff: { kind: "fixed", baseMs: 500 } }, acceptanceTimeoutMs: 2_000, executionTimeoutMs: 10_000 } as const;
      const what = n % 2 === 0 ? { kind: "agent", slots: 1 + (n % 3) } : { input: { command: { argv: ["true"] }, cwd: "/" } };
      return { id: `t${n}`, ...what, ...limits, priority: n % 5, concurrencyKey: `tenant-${n % 17}`, queue: `q${n % 3}` };
    });
    await dispatcher.submit(specs);
    await engine.settled();
    let rounds = 0;
    for (; books.live.size > 0 && rounds < roundsMax; rounds++) {
      await fleet.live(dispatcher);
      await engine.settled();
      await engine.advance(200);
      if (rounds % 10 === 0) books.balance(tasks);
      if (books.wrong.length + fleet.violations.length > 0) break;
    }
    books.balance(tasks);
    const wrong = [...books.wrong, ...fleet.violations].slice(0, 10);
    // Only an end that is whole says that nothing was left.
    if (wrong.length === 0) {
      if (books.live.size > 0) wrong.push(`${books.live.size} tasks have not ended after ${rounds} rounds`);
      if (books.used + books.assignments.size + fleet.executing > 0) wrong.push(`${books.used} slots, ${books.assignments.size} assignments and ${fleet.executing} executions are left`);
      for (const { name, waiting, running } of await dispatcher.queues.list()) if (waiting + running > 0) wrong.push(`${waiting} wait and ${running} run in ${name}`);
      if ((await engine.taskwright.list({ machine: "assignment", status: "active" })).length > 0) wrong.push("assignments are active");
    }
    return { wrong, books, fleet, rounds, slotsMax };
  } finally {
    if (plant.machine !== undefined) engine.skipFold();
    await engine.dispose();
  }
};

describe("dispatch > conservation", () => {
  test(`${size.tasks} tasks on ${size.local + size.remote} workers that die, flap and answer late: each ends once, within its budget, and every slot is free again`, async () => {
    const { wrong, books, fleet, rounds, slotsMax } = await play(size);
    expect(wrong).toEqual([]);
    expect(books.ended.size).toBe(size.tasks);
    // All of it was played, or the figures above say nothing.
    expect(fleet.counts.begun).toBeGreaterThan(size.tasks);
    expect(Math.min(fleet.counts.died, fleet.counts.detached, fleet.counts.late)).toBeGreaterThan(10);
    if (isFull) {
      const ends: Record<string, number> = {};
      for (const state of books.ended.values()) ends[state] = (ends[state] ?? 0) + 1;
      console.info({ rounds, ...fleet.counts, ...ends, mostSlots: books.most, slotsMax });
    }
  }, 900_000);

  let assigned = 0;
  const plants: Readonly<Record<string, Plant & { readonly shows: RegExp }>> = {
    "a worker that dies keeps its slots": {
      machine: "worker",
      provide: {
        actions: {
          giveUpAssignments: enqueueActions(({ context, enqueue }) => {
            const { taken } = context as unknown as WorkerContext;
            for (const held of Object.keys(taken)) enqueue.sendTo(actorRef(held), { type: "WORKER_LOST", reason: "it died", cause: "worker" });
          }),
        },
      },
      shows: /is over and has a slot/,
    },
    "a worker takes more than it can carry": { machine: "worker", provide: { guards: { slotsAreFree: () => true }, actions: { freeSlots: assign({}) } }, shows: /slot/ },
    "a spent budget is no end": { machine: "task", provide: { guards: { retryBudgetRemains: () => true } }, shows: /was begun 2 times/ },
    "losses are not bounded": { machine: "task", provide: { guards: { lossBudgetIsSpent: () => false } }, shows: /was lost 2 times/ },
    "a late answer counts": {
      machine: "assignment",
      provide: { guards: { isThisAttempt: () => true, endedWell: ({ event }: { readonly event: { readonly outcome?: string } }) => event.outcome === "ok" } },
      shows: /has the result late|is executed twice/,
    },
    "a task that is given out is dropped": {
      tell: (engine) => ({
        ...engine,
        report: (address, event) => {
          if (event.type !== "ASSIGN" || ++assigned !== 20) engine.report(address, event);
        },
      }),
      shows: /have not ended/,
    },
  };
  for (const [name, { shows, ...plant }] of Object.entries(plants))
    test(`finds that ${name}`, async () => {
      assigned = 0;
      const { wrong } = await play(small, plant);
      expect(wrong.join("\n")).toMatch(shows);
    });
  test("finds nothing where nothing is planted", async () => {
    expect((await play(small)).wrong).toEqual([]);
  });
});
