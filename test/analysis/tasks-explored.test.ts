import { describe, expect, test } from "vitest";
import { task, type TaskInput, worker } from "../../machines/index.ts";
import { explore, exploredText, type WorldActor } from "../../src/analysis/index.ts";
import type { Event } from "../../src/domain/event.ts";

const input: TaskInput = {
  spec: {
    id: "a",
    kind: "report",
    queue: "default",
    input: null,
    priority: 0,
    needs: [],
    whenNeedFails: "cancel",
    acceptanceTimeoutMs: 30_000,
    executionTimeoutMs: 60_000,
    answerTimeoutMs: 3_600_000,
    retry: { attemptsMax: 2, backoff: { kind: "fixed", baseMs: 500 }, outcomes: ["error", "timeout"] },
    lossesMax: 1,
    budget: {},
    verification: { when: "never", graceMs: 120_000 },
    slots: 1,
    tags: [],
    attributes: {},
  },
  needs: [],
  dependents: [],
};

const contextOf = <C>({ context }: WorldActor) => context as C;
const order = { by: "an operator", why: "not wanted" };

/** A worker with one slot, a task, and whatever their surroundings may say, also late and twice. */
const world = (starts = [{ machine: worker as never, id: "w", input: { slots: 1 } as unknown }]) => ({
  starts: [...starts, { machine: task as never, id: "a", input }],
  events: {
    task: [
      { type: "ASSIGN", worker: "worker/w" },
      { type: "CANCEL", ...order },
    ] as ReadonlyArray<Event>,
    worker: (actor: WorldActor): ReadonlyArray<Event> => {
      const { incarnation } = contextOf<{ readonly incarnation: number }>(actor);
      return [{ type: "READY", incarnation }, { type: "LOST", incarnation, reason: "it was killed" }, { type: "ENGINE_STARTED" }];
    },
    assignment: (actor: WorldActor): ReadonlyArray<Event> => {
      const { attempt, incarnation } = contextOf<{ readonly attempt: number; readonly incarnation: number | null }>(actor);
      const told = { attempt, ...(incarnation === null ? {} : { incarnation }), at: 1_893_456_000_000 };
      return [
        { type: "ACCEPTED", ...told },
        { type: "DECLINED", ...told, reason: "busy" },
        { type: "ENDED", ...told, outcome: "ok" },
        { type: "ENDED", ...told, outcome: "error" },
      ];
    },
  },
  invariants: {
    "what holds a slot is an assignment that is not over": (actors: ReadonlyArray<WorldActor>) =>
      actors.every(
        (actor) =>
          actor.machine !== "worker" || Object.keys(contextOf<{ readonly taken: object }>(actor).taken).every((held) => actors.some(({ address, status }) => address === held && status === "active")),
      ),
    "no worker has more taken than it has slots": (actors: ReadonlyArray<WorldActor>) =>
      actors.every((actor) => {
        if (actor.machine !== "worker") return true;
        const { taken, slots } = contextOf<{ readonly taken: Readonly<Record<string, number>>; readonly slots: number }>(actor);
        return Object.values(taken).reduce((sum, count) => sum + count, 0) <= slots;
      }),
    "a task that is over has no assignment": (actors: ReadonlyArray<WorldActor>) =>
      actors.every(({ machine, status }) => machine !== "task" || status === "active") || !actors.some(({ machine, status }) => machine === "assignment" && status === "active"),
  },
  depth: 7,
  worldsMax: 1_200,
});

describe("analysis > explore > task, assignment and worker together", () => {
  test("keep their slots, whatever their surroundings say", () => {
    const explored = explore(world());
    expect(exploredText(explored)).toMatch(/^no counterexample to depth \d+ \(\d+ worlds\)\n$/);
    expect(explored.worlds).toBeGreaterThan(300);
    const taken = [...explored.ways.keys()];
    for (const machine of ["task", "assignment", "worker"]) expect(taken.filter((edge) => edge.startsWith(`${machine} `)).length).toBeGreaterThan(4);
  });

  test("a worker that forgets to take a slot back is found", () => {
    const forgetful = worker.provide({ actions: { freeSlots: () => {} } as never });
    const [found] = explore(world([{ machine: forgetful as never, id: "w", input: { slots: 1 } }])).counterexamples;
    expect(found?.what).toBe("what holds a slot is an assignment that is not over");
    expect(found?.way.length).toBeLessThan(6);
  });
});
