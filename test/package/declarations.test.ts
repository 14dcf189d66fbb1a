import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const project = fileURLToPath(new URL("../..", import.meta.url));
const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
const folder = mkdtempSync(join(tmpdir(), "taskwright-declarations-"));

const machine = `
import { fromPromise, setup } from "xstate";
const machine = setup({ actors: { work: fromPromise(async ({ input }: { input: number }) => input) } }).createMachine({ id: "m", version: "1" });
`;
/** Programs that export what each call returns, without a word about its type. */
const programs: Readonly<Record<string, string>> = {
  "promises.ts": `${machine}
import { dispatchMachines, durable, httpDestination, makeInboxes, makeObligations, makeOrchestration, makeOutboxes, makeSchedules, openDispatcher, openEngine, outboxRef, postStatement } from "taskwright";
export const entry = durable(machine, { activities: { work: { timeoutMs: 1 } }, actions: {} });
export const bare = durable(machine);
export const open = () => openEngine({ machines: [entry] });
export const actor = async () => (await open()).actor(entry);
export const calls = async () => {
  const engine = await open();
  return {
    start: await engine.start(entry, "1"), view: await engine.snapshot("m/1"), list: await engine.list(), letters: await engine.deadLetters(), counts: await engine.counts(),
    parked: await engine.parked(), migration: await engine.migrate("m"), build: await engine.buildOf("m/1"), status: engine.status(), history: await engine.history("m/1"),
    changes: await engine.changes(), from: await engine.historyStart("m/1"), views: engine.watch("m/1"),
  };
};
export const outboxes = makeOutboxes({ a: { destination: httpDestination({ url: "https://example.org" }) } });
export const entries = async () => ({ list: await outboxes.list(), counts: await outboxes.counts("a"), entries: await outboxes.entries("a"), collected: await outboxes.collect() });
export const dispatch = dispatchMachines({ kinds: { x: { run: () => 1 } } });
export const tasks = async () => {
  const dispatcher = await openDispatcher(await open(), dispatch);
  const submitted = await dispatcher.submit({ kind: "x" });
  return { dispatcher, submitted, task: await dispatcher.get("1"), list: await dispatcher.list(), report: await dispatcher.cancel("1", { by: "ada", why: "" }), workers: dispatcher.workers.list(), queues: dispatcher.queues.list() };
};
export const schedules = makeSchedules();
export const parts = { makeInboxes, makeObligations, makeOrchestration };
export const others = { ref: outboxRef("a"), statement: postStatement("a", { key: "k", type: "t", payload: 1 }) };
`,
  "effects.ts": `${machine}
import * as Effect from "effect/Effect";
import { durable, Engine, fromEffect, layer, make, makeBroker, makeInboxes, makeObligations, makeOrchestration, makeOutboxes, makeSchedules, MemoryJournal, postEntries, SqliteJournal } from "taskwright/effect";
export const entry = durable(machine, { activities: { work: {} } });
export const logic = fromEffect((n: number) => Effect.succeed(n));
export const live = layer({ machines: [entry] });
export const engine = make({ machines: [entry] });
export const journals = { file: SqliteJournal.layer({ file: "a" }), memory: MemoryJournal.layer() };
export const outboxes = makeOutboxes({ a: { destination: () => Effect.void } });
export const counts = outboxes.counts("a");
export const schedules = makeSchedules();
export const parts = { makeBroker, makeInboxes, makeObligations, makeOrchestration, postEntries };
export const program = Effect.gen(function* () {
  const engine = yield* Engine;
  const actor = yield* engine.actor(entry);
  return { actor, receipt: yield* actor.start("1"), counts: yield* engine.counts, list: yield* engine.list() };
});
`,
  "server.ts": `${machine}
import { openEngine } from "taskwright";
import { makeInspector, statelyEvents } from "taskwright/inspector";
import { layerServer, listen, makeServer, makeTracing, nodeHandler, openApi, remoteWorkers, upgradeHandler } from "taskwright/server";
import { startWorker } from "taskwright/worker";
export const serve = async () => {
  const engine = await openEngine({ machines: [machine] });
  const inspector = makeInspector({ engine });
  const server = makeServer({ engine, inspector });
  return { inspector, server, handlers: [nodeHandler(server), nodeHandler(inspector)], listening: await listen(server, { port: 0 }), stop: statelyEvents(engine, () => {}) };
};
export const parts = { layer: layerServer(), makeTracing, openApi, remote: remoteWorkers(), startWorker, upgradeHandler };
`,
  "replay.ts": `${machine}
import { openEngine } from "taskwright";
import { explore, graphOf, moves, stuck, why } from "taskwright/analysis";
import { compare, fork, historyOf, planMove, readHistories, replay, stateAt } from "taskwright/replay";
export const past = async () => {
  const engine = await openEngine({ machines: [machine] });
  const history = await historyOf(engine, "m/1");
  return {
    history, compared: compare([history], [machine]), replayed: replay(history, [machine]), state: stateAt(history, 1, [machine]), why: await why(engine, "m/1"),
    moves: await moves(engine, "m/1"), stuck: await stuck(engine), graph: graphOf(machine), file: readHistories(""),
  };
};
export const parts = { explore, fork, planMove };
`,
  "testing.ts": `${machine}
import { crashEverywhere, raceEverything, StandIn, testEngine } from "taskwright/testing";
export const bench = async () => ({ engine: await testEngine({ machines: [machine] }), standIn: new StandIn<number, string>() });
export const parts = { crashEverywhere, raceEverything };
`,
};

const compile = (...options: ReadonlyArray<string>): string => {
  try {
    return execFileSync(process.execPath, [tsc, ...options], { cwd: folder, encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    return (error as { stdout?: string }).stdout || String(error);
  }
};

describe("types > a package that exports what it made with this one", () => {
  beforeAll(() => {
    const installed = join(folder, "node_modules/taskwright");
    mkdirSync(installed, { recursive: true });
    cpSync(join(project, "package.json"), join(installed, "package.json"));
    for (const name of ["effect", "xstate", "@effect", "@types"]) symlinkSync(join(project, "node_modules", name), join(folder, "node_modules", name), "junction");
    // What the package says of itself, from its sources as they are.
    expect(compile("-p", join(project, ".tsconfig.build.json"), "--outDir", join(installed, "dist"), "--tsBuildInfoFile", join(folder, "tsbuildinfo"), "--emitDeclarationOnly", "--noCheck")).toBe("");
    for (const [name, text] of Object.entries(programs)) writeFileSync(join(folder, name), text);
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  // Alone where another program would say a name that it needs; in both ways that a compiler finds a package.
  test.each([
    [["promises.ts"], "nodenext"],
    [["effects.ts"], "nodenext"],
    [["server.ts"], "nodenext"],
    [["replay.ts"], "nodenext"],
    [Object.keys(programs), "bundler"],
  ] as const)("%s have declarations, resolved as %s", (names, resolution) => {
    const way = resolution === "bundler" ? ["--module", "esnext", "--moduleResolution", "bundler"] : ["--module", "nodenext"];
    expect(compile(...names, "--declaration", "--outDir", "out", "--strict", "--target", "es2022", "--types", "node", ...way)).toBe("");
  });
});
