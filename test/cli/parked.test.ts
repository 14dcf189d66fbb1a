import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as Effect from "effect/Effect";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { setup } from "xstate";
import { invoke } from "../../src/cli/invoke.ts";
import { dispatchMachines, openDispatcher, openEngine } from "../../src/index.ts";
import { listen, makeServer, newToken } from "../../src/server/index.ts";
import { workFolder } from "../docs/snippet.ts";
import { heldSignals, recordedStreams } from "./recorded.ts";

const order = setup({}).createMachine({ id: "order", version: "1", initial: "open", states: { open: { on: { PAY: "paid" } }, paid: {} } });
const lamp = setup({}).createMachine({ id: "lamp", version: "1", initial: "on", states: { on: {} } });

let folder: string;
let database: string;
let modules: ReturnType<typeof workFolder>;

const taskwright = async (...words: ReadonlyArray<string>) => {
  const { streams, written } = recordedStreams();
  const code = await Effect.runPromise(invoke(["node", "taskwright", ...words], streams, heldSignals().source));
  return { code, ...written };
};

/** A module that exports an order whose states are called like this, and perhaps the lamp. */
const moduleOf = (name: string, states: ReadonlyArray<string>, version = "1", withLamp = true): string => {
  const file = join(modules.folder, `${name}.ts`);
  const config = `{ id: "order", version: "${version}", initial: "${states[0]}", states: { ${states.map((state) => `${state}: {}`).join(", ")} } }`;
  writeFileSync(
    file,
    `import { setup } from "xstate";\nexport const order = setup({}).createMachine(${config});\n${withLamp ? 'export const lamp = setup({}).createMachine({ id: "lamp", version: "1", initial: "on", states: { on: {} } });\n' : ""}`,
  );
  return file;
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "taskwright-parked-"));
  database = join(folder, "work.db");
  modules = workFolder();
  const dispatch = dispatchMachines({ kinds: { wait: {} } });
  const engine = await openEngine({ database, machines: [order, lamp], plugins: [dispatch], log: () => {} });
  const dispatcher = await openDispatcher(engine, dispatch);
  await dispatcher.submit({ id: "waiting", kind: "wait" });
  await engine.start("order", "1");
  await engine.start("order", "2");
  await engine.send("order/2", { type: "PAY" });
  await engine.start("lamp", "1");
  await dispatcher.stop();
  await engine.close();
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  modules.remove();
});

describe("cli > parked", () => {
  it("says of a changed machine before its release which actors would not go on, why, and what to do", async () => {
    const { code, out } = await taskwright("parked", "--database", database, "--machines", moduleOf("changed", ["new", "paid"]));
    expect(out).toMatch(/^ADDRESS +VERSION +REASON +BECAUSE\norder\/1 +1 +misfit +its machine "order" changed within version "1", and .*\n\nmisfit: undo that part of the change/);
    expect(code).toBe(1);
  });

  it("lists those that a newer version wrote, and those whose machine is gone", async () => {
    const { code, out } = await taskwright("parked", "--database", database, "--machines", moduleOf("older", ["open", "paid"], "0.9", false), "--json");
    const found = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown);
    expect(found).toMatchObject([
      { address: "order/1", version: "1", reason: "newer", remedy: expect.stringContaining("or newer ones") },
      { address: "order/2", reason: "newer" },
      { address: "lamp/1", reason: "unregistered" },
    ]);
    expect(code).toBe(1);
  });

  it("finds nobody where the machines fit; tasks are left to their own engine", async () => {
    expect(await taskwright("parked", "--database", database, "--machines", moduleOf("same", ["open", "paid"]))).toMatchObject({ code: 0, out: "no actor is parked\n" });
  });

  it("needs the machines, or a server whose engine has them", async () => {
    expect(await taskwright("parked", "--database", database)).toMatchObject({ code: 2, error: expect.stringContaining("--machines ./machines.ts; or ask the engine itself: --server") });
  });

  it("asks the engine behind a server", async () => {
    const copy = join(folder, "copy.db");
    await taskwright("backup", copy, "--database", database);
    const changed = (await import(pathToFileURL(moduleOf("served", ["new", "paid"])).href)) as { readonly order: typeof order };
    const engine = await openEngine({ database: copy, machines: [changed.order], plugins: [dispatchMachines()], log: () => {} });
    const { stored, token } = newToken("olaf", ["read"]);
    const listening = await listen(makeServer({ engine, tokens: [stored], log: () => {} }), { port: 0 });
    process.env.TASKWRIGHT_TOKEN = token;
    try {
      const { code, out } = await taskwright("parked", "--server", listening.url);
      expect(out).toMatch(/order\/1 +1 +misfit/);
      expect(out).toMatch(/lamp\/1 +1 +unregistered/);
      expect(out).not.toContain("order/2");
      expect(code).toBe(1);
    } finally {
      delete process.env.TASKWRIGHT_TOKEN;
      await listening.close();
      await engine.close({ grace: 0 });
    }
  });
});
