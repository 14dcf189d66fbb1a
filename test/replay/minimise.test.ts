import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { assign, setup } from "xstate";
import { minimise, replay, tell, testFileOf, WhatIfRefused } from "../../src/replay/index.ts";
import { historyAt, leftBehind } from "./kept.ts";
import { order, orderWith } from "./order.ts";

const counter = setup({
  types: { context: {} as { n: number; open: boolean } },
  guards: { isOpen: ({ context }) => context.open, isThree: ({ context }) => context.n >= 3 },
  actions: {
    add: assign({ n: ({ context }) => context.n + 1 }),
    open: assign({ open: true }),
    explode: assign(({ context }) => {
      if (context.n === 2) throw new Error("two is too much");
      return {};
    }),
  },
}).createMachine({
  id: "counter",
  context: { n: 0, open: false },
  initial: "counting",
  states: { counting: { on: { OPEN: { actions: "open" }, ADD: { guard: "isOpen", actions: "add" }, END: { guard: "isThree", target: "full" }, LOOK: { actions: "explode" }, NOISE: {} } }, full: {} },
});

const noisy = async (...types: ReadonlyArray<string>) =>
  historyAt(
    await leftBehind([counter], async (engine) => {
      await engine.start(counter, "1");
      for (const type of types) await engine.send("counter/1", { type }).catch(() => {});
    }),
    "counter/1",
  );

describe("replay > minimise", () => {
  it("keeps what is needed to come to the same state, and nothing else", async () => {
    const history = await noisy("ADD", "NOISE", "OPEN", "ADD", "NOISE", "ADD", "ADD", "OPEN", "ADD", "NOISE", "END", "NOISE");
    const minimal = minimise(history, [counter]);
    expect(minimal.events.map(({ event }) => event.type)).toEqual(["OPEN", "ADD", "ADD", "ADD", "END"]);
    expect(minimal).toMatchObject({ state: { value: "full" }, failure: undefined, entries: { before: 13, after: 6 } });
    expect(replay(minimal.history, [counter])).toMatchObject({ verified: 6, difference: undefined });
    const opened = minimise(history, [counter], { goal: ({ state }) => (state.context as { n: number }).n >= 1 });
    expect(opened.events.map(({ event }) => event.type)).toEqual(["OPEN", "ADD"]);
  });

  it("keeps what is needed for the same failure", async () => {
    const history = await noisy("OPEN", "LOOK", "ADD", "NOISE", "ADD", "LOOK", "ADD", "END");
    const minimal = minimise(history, [counter], { goal: "failure" });
    expect(minimal.events.map(({ event }) => event.type)).toEqual(["OPEN", "ADD", "ADD", "LOOK"]);
    expect(minimal.failure).toContain("two is too much");
  });

  it("keeps the answers that are needed, with their times", async () => {
    const histories = await leftBehind([order], async (engine) => {
      await engine.start(order, "1");
      for (const amount of [1, 2, 3, 4]) await engine.send("order/1", { type: "PAY", amount });
      await engine.settled();
      await engine.advance(60_000);
    });
    const minimal = minimise(historyAt(histories, "order/1"), [order]);
    expect(minimal.state.value).toBe("overdue");
    expect(minimal.answers).toEqual({ charge: [{ output: "charged 10", afterMs: 0 }] });
    expect(minimal.events).toHaveLength(4);
    const { answers, events, input } = minimal;
    expect(tell(order, { input, events, answers, restMs: 60_000 }).state?.value).toBe("overdue");
    expect(tell(orderWith({ deliveryTime: 90_000 }), { input, events, answers, restMs: 60_000 }).state?.value).toBe("shipping");
  });

  it("writes a test that says the same", async () => {
    const minimal = minimise(await noisy("OPEN", "LOOK", "ADD", "NOISE", "ADD", "LOOK"), [counter]);
    const text = testFileOf(minimal, { from: "./counter.ts", name: "counter", title: "counter > two is too much" });
    expect(text).toMatch(/^import \{ expect, test \} from "vitest";\nimport \{ tell \} from "taskwright\/replay";\nimport \{ counter \} from "\.\/counter\.ts";\n/);
    expect(text).toContain('test("counter > two is too much"');
    // What it does, done here: the same file with other imports.
    const folder = mkdtempSync(join(fileURLToPath(new URL(".", import.meta.url)), ".minimal-"));
    try {
      const file = join(folder, "counter.mjs");
      const body = text
        .replace(/^import .*\n/gm, "")
        .replace(/^test\(.*\n/m, "export const run = (tell, counter, expect) => {\n")
        .replace(/\n}\);\n$/, "\n};\n");
      writeFileSync(file, body);
      ((await import(file)) as { run: (...given: ReadonlyArray<unknown>) => void }).run(tell, counter, expect);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("says where there is nothing to look for", async () => {
    const history = await noisy("OPEN");
    expect(() => minimise(history, [counter], { goal: "failure" })).toThrow(WhatIfRefused);
  });
});
