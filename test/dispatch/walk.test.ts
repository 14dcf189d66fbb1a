import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { endedStates, type TaskSpec } from "../../src/dispatch/index.ts";
import { type StoreKind, testEngine } from "../../src/testing/index.ts";
import type { Offer } from "./fake-workers.ts";
import { Scene, spec } from "./scene.ts";

/** One thing that happens. `which` chooses among what is there; without `settles` the next thing happens in the same moment. */
interface Act {
  readonly what: (typeof whats)[number];
  readonly which: number;
  readonly settles: boolean;
}
const whats = ["submit", "accept", "end", "fail", "decline", "lose", "wait", "waitLong", "cancel", "crash", "close", "again", "late", "mute"] as const;
const act = (weight: number, ...names: ReadonlyArray<Act["what"]>) => ({ weight, arbitrary: fc.record({ what: fc.constantFrom(...names), which: fc.nat(99), settles: fc.boolean() }) });
const acts = fc.array(
  fc.oneof(act(4, "submit"), act(8, "accept"), act(6, "end"), act(3, "fail"), act(4, "wait"), act(1, "decline", "lose", "waitLong", "cancel", "crash", "close", "again", "late", "mute")),
  {
    minLength: 5,
    maxLength: 45,
    size: "max",
  },
);

class Walk {
  readonly scene: Scene;
  readonly specs: Array<TaskSpec & { readonly id: string }> = [];
  readonly #past: Array<Offer> = [];

  constructor(scene: Scene) {
    this.scene = scene;
  }

  async carryOut({ what, which, settles }: Act): Promise<void> {
    const { scene } = this;
    const { workers } = scene;
    const pick = <A>(from: ReadonlyArray<A>): A | undefined => from[which % Math.max(1, from.length)];
    this.#past.push(...workers.open.filter((offer) => !this.#past.includes(offer)));
    const open = pick(workers.open)?.task;
    const offered = pick(workers.open.filter(({ state }) => state === "offered"))?.task;
    const address = pick([...workers.processes.keys()]);
    switch (what) {
      case "submit":
        return this.#submit(which);
      case "accept":
        if (offered !== undefined) workers.accept(offered);
        break;
      case "end":
      case "fail":
        if (open !== undefined) workers.end(open, what === "end" ? "ok" : "badly");
        break;
      case "decline":
        if (offered !== undefined) workers.decline(offered);
        break;
      case "lose":
        if (address !== undefined) workers.lose(address);
        break;
      case "wait":
        return scene.advance(100 + 40 * which);
      case "waitLong":
        return scene.advance(40_000);
      case "cancel": {
        const task = pick(this.specs);
        if (task !== undefined) await scene.dispatcher.cancel(task.id, { by: "tester", why: "not wanted" });
        break;
      }
      case "crash":
        return scene.restart({ slots: 1 + (which % 3) }, which % 2 === 0 ? 0 : 50_000);
      case "close":
        if (which % 2 === 0) await scene.dispatcher.stop();
        await scene.engine.taskwright.close({ grace: 0 });
        return scene.restart({ slots: 1 + (which % 3) });
      case "again":
        return scene.submit(...this.specs);
      case "late": {
        const offer = pick(this.#past.filter(({ state }) => state === "over"));
        if (offer === undefined) break;
        const { assignment, attempt, worker, incarnation } = offer;
        workers.report(assignment, { type: "ACCEPTED", attempt });
        workers.report(assignment, { type: "ENDED", attempt, outcome: "ok", result: { exitCode: 0 } });
        workers.report(assignment, { type: "DECLINED", attempt });
        if (workers.processes.get(worker)?.incarnation !== incarnation) workers.report(worker, { type: "LOST", incarnation, reason: "late" });
        break;
      }
      case "mute":
        workers.reports = !workers.reports;
    }
    if (settles) await scene.settle();
  }

  async #submit(which: number): Promise<void> {
    const first = this.specs.length;
    const fresh = Array.from({ length: 1 + (which % 4) }, (_, index) => {
      const number = first + index;
      const needs = number === 0 ? [] : [...new Set([which % number, (which * 7) % number])].slice(0, which % 3).map((need) => `t${need}`);
      return spec(`t${number}`, { needs, retry: { attemptsMax: 1 + (which % 3) }, priority: which % 5, executionTimeoutMs: 20_000 });
    });
    this.specs.push(...fresh);
    // In any order: what is needed may come after those that need it.
    await this.scene.submit(...(which % 2 === 0 ? fresh : fresh.reverse()));
  }

  async check(): Promise<void> {
    await this.scene.check();
    const views = await this.scene.tasks();
    expect(views.map(({ id }) => id).sort()).toEqual(this.specs.map(({ id }) => id).sort());
    const states = new Map(views.map(({ id, state }) => [id, state]));
    for (const { id, needs = [] } of this.specs) {
      const wasBegun = this.scene.workers.begun.some((begun) => begun.startsWith(`${id}#`));
      if (wasBegun) for (const need of needs) expect([id, need, states.get(need)]).toEqual([id, need, "done"]);
      // Nobody waits for what has ended.
      if (states.get(id) === "waiting") expect(needs.some((need) => !endedStates.has(states.get(need) ?? "waiting"))).toBe(true);
    }
  }

  /** From here on all goes well: everything must come to its end. */
  async finish(): Promise<void> {
    const { scene } = this;
    scene.workers.reports = true;
    for (let round = 0; round < 500; round++) {
      const states = Object.values(await scene.states());
      if (states.every((state) => endedStates.has(state))) break;
      const open = scene.workers.open.find(({ revoked }) => revoked !== "byForce");
      if (open === undefined) await scene.advance(1_000);
      else {
        scene.workers.end(open.task);
        await scene.settle();
      }
    }
    await this.check();
    await scene.checkOver();
    for (const { id, retry } of this.specs) {
      const { value, context } = await scene.engine.snapshot(`task/${id}`);
      const { failures, failure, result } = context as { failures: number; failure: unknown; result: { exitCode: number } | null };
      expect(failures).toBeLessThanOrEqual(retry?.attemptsMax ?? 1);
      if (value === "done") expect([id, result?.exitCode]).toEqual([id, 0]);
      else expect(failure).not.toBeNull();
    }
  }
}

const walk = (journal: StoreKind, mode: "normal" | "json", numRuns: number) =>
  fc.assert(
    fc.asyncProperty(acts, fc.integer({ min: 1, max: 3 }), async (script, slots) => {
      const opened: Array<Scene> = [];
      try {
        const scene = await Scene.open((options) => testEngine({ ...options, journal, mode }), { slots });
        opened.push(scene);
        const walked = new Walk(scene);
        for (const each of script) {
          await walked.carryOut(each);
          if (!each.settles) continue;
          await scene.settle();
          await walked.check();
        }
        await scene.settle();
        await walked.finish();
        // Closes, and folds every history.
        await scene.engine.end();
      } finally {
        for (const scene of opened) await scene.engine.dispose();
      }
    }),
    { numRuns },
  );

describe("dispatch > walk", () => {
  test("whatever workers, clocks and crashes do, every task ends once and every slot is free again", () => walk("memory", "normal", 60));
  test("the same with every actor read again for each event", () => walk("memory", "json", 30));
  test("the same over a SQLite file", () => walk("sqlite", "json", 12));
});
