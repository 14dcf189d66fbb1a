import { describe, expect } from "vitest";
import { openDispatcher } from "../../src/dispatch/index.ts";
import type { Taskwright } from "../../src/engine/index.ts";
import { JournalError } from "../../src/journal/index.ts";
import { inMemory } from "../../src/testing/index.ts";
import { inScenes, Scene, spec } from "./scene.ts";

const hour = 60 * 60 * 1000;
const run = async (scene: Scene, id: string, how: "ok" | "badly" = "ok") =>
  scene.play(
    () => scene.workers.accept(id),
    () => scene.workers.end(id, how),
  );

describe("dispatch > restart", () => {
  inScenes("what ran is run again, what was done is not, nothing is assigned twice", async (open) => {
    const scene = await open({ slots: 2 });
    await scene.submit(spec("done"), spec("running"), spec("offered"), spec("queued"), spec("waiting", { needs: ["running"] }));
    await run(scene, "done");
    await scene.play(() => scene.workers.accept("running"));
    expect(await scene.states()).toMatchObject({ done: "done", running: "running", offered: "assigned", queued: "queued", waiting: "waiting" });
    await scene.restart();
    // Both workers have a new process; what the old ones had stands in the queue again, before what came later.
    expect(scene.workers.starts).toEqual(["worker/1#1", "worker/2#1", "worker/1#2", "worker/2#2"]);
    expect(await scene.states()).toMatchObject({ done: "done", running: "assigned", offered: "assigned", queued: "queued", waiting: "waiting" });
    expect(await scene.task("running")).toMatchObject({ attempts: 2, failure: { code: "worker_lost" } });
    await scene.check();
    for (const id of ["running", "offered", "queued", "waiting"]) await run(scene, id);
    expect(scene.workers.begun).toEqual(["done#1", "running#1", "running#2", "offered#2", "queued#1", "waiting#1"]);
    await scene.checkOver();
  });

  inScenes("time that passed while no engine was there counts for no time-out", async (open) => {
    const scene = await open({ slots: 2 });
    await scene.submit(spec("a", { executionTimeoutMs: 10_000 }), spec("offered", { executionTimeoutMs: 10_000 }));
    await scene.play(() => scene.workers.accept("a"));
    await scene.restart({}, 24 * hour);
    // Its command was ended with its engine, long before its time was over: no retry is burnt.
    expect(await scene.task("a")).toMatchObject({ state: "assigned", attempts: 2 });
    expect(await scene.task("offered")).toMatchObject({ state: "assigned", attempts: 2 });
    for (const id of ["a", "offered"]) await run(scene, id);
    expect(await scene.states()).toEqual({ a: "done", offered: "done" });
    await scene.checkOver();
  });

  inScenes("a pause goes on while no engine is there", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a", { retry: { attemptsMax: 1 + 1 } }));
    await run(scene, "a", "badly");
    await scene.restart({}, hour);
    expect(await scene.task("a")).toMatchObject({ state: "assigned", attempts: 2 });
    await run(scene, "a");
    await scene.checkOver();
  });

  inScenes("an engine that is killed again and again is not the task's fault for ever", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a"));
    for (let crash = 1; crash <= 6; crash++) {
      await scene.play(() => scene.workers.accept("a"));
      await scene.restart();
      expect(await scene.state("a")).toBe(crash <= 5 ? "assigned" : "dead");
    }
    expect(await scene.task("a")).toMatchObject({ failure: { message: "its worker was lost: the engine was started anew" } });
    await scene.checkOver();
  });

  inScenes("late reports from before the restart are ignored", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a"));
    const offer = scene.workers.accept("a");
    await scene.settle();
    await scene.restart();
    await scene.play(
      () => scene.workers.report(offer.assignment, { type: "ENDED", attempt: offer.attempt, outcome: "ok", result: { exitCode: 0 } }),
      () => scene.workers.report(offer.worker, { type: "LOST", incarnation: offer.incarnation, reason: "late" }),
      () => scene.workers.report(offer.worker, { type: "READY", incarnation: offer.incarnation }),
    );
    expect(await scene.task("a")).toMatchObject({ state: "assigned", attempts: 2, result: undefined });
    expect(await scene.worker(1)).toMatchObject({ state: "active", incarnation: 2 });
    await scene.check();
  });

  inScenes("what happens while the tasks are being read is not overwritten by what was read before", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("busy"), spec("a"), spec("b"));
    await scene.dispatcher.stop();
    const { taskwright } = scene.engine;
    const slow: Taskwright = {
      ...taskwright,
      list: async (filter) => {
        const page = await taskwright.list(filter);
        if (filter?.machine === "task") await taskwright.send("task/a", { type: "CANCEL", reason: "not wanted" });
        return page;
      },
    };
    const dispatcher = await openDispatcher(slow, scene.dispatchers, { slots: 1 });
    await scene.settle();
    expect((await dispatcher.list()).tasks.map(({ id, state }) => [id, state])).toEqual([
      ["busy", "assigned"],
      ["a", "cancelled"],
      ["b", "queued"],
    ]);
    expect((await dispatcher.whenEnded(["a"])).map(({ state }) => state)).toEqual(["cancelled"]);
  });

  inScenes("a dispatcher that can't be opened leaves no worker behind", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.dispatcher.stop();
    const { taskwright } = scene.engine;
    const refusing: Taskwright = { ...taskwright, send: () => Promise.reject(new Error("on purpose")) };
    await expect(openDispatcher(refusing, scene.dispatchers, { slots: 3 })).rejects.toThrow("on purpose");
    await scene.settle();
    expect(scene.workers.processes.size).toBe(0);
  });

  inScenes("fewer slots retire workers, more slots take new ones", async (open) => {
    const scene = await open({ slots: 3 });
    await scene.submit(...["a", "b", "c", "d"].map((id) => spec(id)));
    for (const id of ["a", "b", "c"]) await scene.play(() => scene.workers.accept(id));
    await scene.restart({ slots: 1 });
    expect([...scene.workers.processes.keys()]).toEqual(["worker/1"]);
    expect(await scene.states()).toEqual({ a: "assigned", b: "queued", c: "queued", d: "queued" });
    await scene.check();
    await scene.restart({ slots: 3 });
    // The retired ones are gone for good; their successors have numbers of their own.
    expect([...scene.workers.processes.keys()].sort()).toEqual(["worker/1", "worker/4", "worker/5"]);
    for (const id of ["a", "b", "c", "d"]) await run(scene, id);
    await scene.checkOver();
  });

  inScenes("a task that was submitted while the workers were stopped hears of the end of its need from the next dispatcher", async (open) => {
    const scene = await open({ slots: 1 });
    await scene.submit(spec("a"));
    await run(scene, "a");
    const submitted = scene.dispatcher.submit([spec("b", { needs: ["a"] })]);
    await scene.dispatcher.stop();
    await submitted;
    await scene.restart();
    expect(await scene.state("b")).toBe("assigned");
    await run(scene, "b");
    await scene.checkOver();
  });

  inScenes("an offer that was given up before it went out is not made to the next process of its worker", async (open) => {
    const tasks = [spec("a"), spec("b"), spec("c")];
    for (let commits = 1; commits <= 12; commits++) {
      // So few messages fit into a turn that a crash leaves the grant of a slot in the mailbox.
      const scene = await open({ slots: 3 }, { limits: { turnMessagesMax: 2 } });
      const crashed = scene.engine.crashAfterCommits(commits);
      scene.dispatcher.submit(tasks).catch(() => {});
      await Promise.race([crashed, scene.settle().catch(() => {})]);
      // The dispatcher opens while the mailbox is still full.
      scene.engine.crash();
      scene.workers.killAll();
      await scene.engine.open({ ownerIsDead: true });
      await scene.dispatch();
      await scene.submit(...tasks);
      expect(scene.workers.open.map(({ task }) => task).sort()).toEqual(["a", "b", "c"]);
      for (const { id } of tasks) await run(scene, id);
      await scene.checkOver();
    }
  });

  for (const commits of [1, 2, 3, 4, 5, 6, 7, 8]) {
    inScenes(`a crash after commit ${commits} of a task's life loses nothing`, async (open) => {
      const scene = await open({ slots: 1 });
      const crashed = scene.engine.crashAfterCommits(commits);
      let hasCrashed = false;
      void crashed.then(() => {
        hasCrashed = true;
      });
      // With the engine its whole process is gone: what it was about to do is not done.
      const alive = async (settled: Promise<unknown>) => {
        await settled;
        if (hasCrashed) await new Promise(() => {});
      };
      const life = async () => {
        await alive(scene.dispatcher.submit([spec("a", { retry: { attemptsMax: 1 + 1 } }), spec("b", { needs: ["a"] })]));
        for (const how of ["badly", "ok"] as const) {
          while (!scene.workers.isOffered("a")) await alive(scene.advance(100));
          scene.workers.accept("a");
          await alive(scene.settle());
          scene.workers.end("a", how);
          await alive(scene.settle());
        }
      };
      life().catch((error) => (hasCrashed ? undefined : Promise.reject(error)));
      await crashed;
      await scene.restart();
      await scene.submit(spec("a", { retry: { attemptsMax: 1 + 1 } }), spec("b", { needs: ["a"] }));
      for (let round = 0; round < 10; round++) {
        await scene.advance(1_000);
        const [offer] = scene.workers.open;
        if (offer !== undefined) await run(scene, offer.task);
      }
      expect(await scene.states()).toEqual({ a: "done", b: "done" });
      await scene.checkOver();
    });
  }
});

describe("dispatch > trouble", () => {
  const broken = () => new JournalError({ reason: "full", where: "memory", detail: "on purpose" });

  inMemory("while the store refuses nothing is given out and nothing is lost", async (bench) => {
    const scene = await Scene.open(bench.engine, { slots: 1 });
    await scene.submit(spec("a"), spec("b"));
    await scene.play(() => scene.workers.accept("a"));
    scene.engine.store.faults.beforeCommit = broken;
    await scene.play(() => scene.workers.end("a"));
    expect(scene.engine.taskwright.status().state).toBe("degraded");
    await scene.advance(60_000);
    expect(scene.workers.open).toEqual([]);
    scene.engine.store.faults.beforeCommit = undefined;
    await scene.advance(10_000);
    expect(await scene.states()).toEqual({ a: "done", b: "assigned" });
    await run(scene, "b");
    await scene.checkOver();
  });

  inMemory("an assignment that the store refused is made when it takes writes again", async (bench) => {
    const scene = await Scene.open(bench.engine, { slots: 1 });
    let refusals = 0;
    // The tasks are stored, the assignment that follows is not.
    scene.engine.store.faults.beforeCommit = (turn) => (turn.history.some(({ type }) => type === "ASSIGN") && refusals++ < 3 ? broken() : undefined);
    await scene.submit(spec("a"));
    expect(scene.engine.taskwright.status().state).toBe("degraded");
    await scene.advance(30_000);
    expect(refusals).toBeGreaterThanOrEqual(3);
    expect(await scene.state("a")).toBe("assigned");
    await run(scene, "a");
    await scene.checkOver();
  });

  inMemory("a commit of unknown outcome gives nothing out twice", async (bench) => {
    const scene = await Scene.open(bench.engine, { slots: 1 });
    let doubts = 0;
    scene.engine.store.faults.afterCommit = () => (doubts++ % 2 === 0 ? broken() : undefined);
    await scene.dispatcher.submit([spec("a"), spec("b")]).catch(() => {});
    await scene.advance(2_000);
    await scene.dispatcher.submit([spec("a"), spec("b")]).catch(() => {});
    for (let round = 0; round < 20; round++) {
      await scene.advance(5_000);
      const [offer] = scene.workers.open;
      if (offer?.state === "offered") scene.workers.accept(offer.task);
      else if (offer !== undefined) scene.workers.end(offer.task);
    }
    scene.engine.store.faults.afterCommit = undefined;
    await scene.advance(30_000);
    expect(doubts).toBeGreaterThan(5);
    expect(await scene.states()).toEqual({ a: "done", b: "done" });
    expect(scene.workers.begun).toEqual(["a#1", "b#1"]);
    await scene.checkOver();
  });

  inMemory("a task that can't be assigned is left alone, the others go on", async (bench) => {
    const scene = await Scene.open(bench.engine, { slots: 1 }, { limits: { payloadBytesMax: 2_000, stateBytesMax: 2_000 } });
    // The largest that can be stored has no room for an assignment.
    let stuck = "";
    for (let size = 2_000; stuck === ""; size -= 10) {
      const id = `t${size}`;
      await scene.submit(spec(id, { input: { command: { shell: "x".repeat(size) }, cwd: "/" } })).then(
        () => {
          stuck = id;
        },
        () => {},
      );
    }
    await scene.submit(spec("last"));
    expect(await scene.state(stuck)).toBe("queued");
    expect(await scene.engine.taskwright.deadLetters()).toMatchObject([{ address: `task/${stuck}`, event: { type: "ASSIGN" } }]);
    await run(scene, "last");
    expect(await scene.state("last")).toBe("done");
    const { turns } = scene.engine.taskwright.status();
    await scene.advance(hour);
    expect(scene.engine.taskwright.status().turns - turns).toBeLessThan(10);
  });

  inMemory("more output than the engine takes is left out, the end of the command counts", async (bench) => {
    const scene = await Scene.open(bench.engine, { slots: 1 }, { limits: { payloadBytesMax: 2_000, stateBytesMax: 4_000 } });
    await scene.submit(spec("a"));
    const { assignment, attempt } = scene.workers.accept("a");
    await scene.settle();
    await scene.play(() => scene.workers.report(assignment, { type: "ENDED", attempt, outcome: "ok", result: { exitCode: 0, stdout: "x".repeat(5_000) } }));
    expect(await scene.task("a")).toMatchObject({ state: "done", result: undefined });
  });
});
