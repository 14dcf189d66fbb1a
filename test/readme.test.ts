import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { AnyStateMachine } from "xstate";
import { openEngine } from "../src/index.ts";
import { VirtualTime } from "../src/testing/index.ts";
import { readPage } from "./docs/page.ts";
import { snippetsOf, workFolder, writeModule } from "./docs/snippet.ts";

const day = 24 * 60 * 60 * 1000;
const [sample] = snippetsOf(readPage("README.md"));

describe("readme > sample", () => {
  const home = process.cwd();
  let work: ReturnType<typeof workFolder>;
  beforeEach(() => {
    work = workFolder();
    process.chdir(work.folder);
  });
  afterEach(() => {
    process.chdir(home);
    work.remove();
  });

  /** Runs exactly the code of the page, as a process of its own would, and returns its machine and what it printed. */
  const run = async (name: string) => {
    const printed = vi.spyOn(console, "log").mockImplementation(() => {});
    try {
      const file = writeModule(join(work.folder, `${name}.ts`), `${sample?.text}\nexport { order };\n`);
      const { order } = (await import(pathToFileURL(file).href)) as { order: AnyStateMachine };
      return { order, printed: printed.mock.calls };
    } finally {
      printed.mockRestore();
    }
  };

  test("survives a restart: the second run finds the state, the receipt and the deadline of the first", async () => {
    const first = await run("first");
    const timers = { "after.deliveryTime.order.shipping": { due: expect.any(Number), token: 2 } };
    expect(first.printed).toEqual([["started:", "shipping", { amount: 10, receipt: "charged 10 euros" }, timers]]);

    const second = await run("second");
    expect(second.printed).toEqual([["found:", ...(first.printed[0] ?? []).slice(1)]]);

    const [, , , deadlines] = first.printed[0] as [string, string, unknown, Record<string, { due: number }>];
    const { due } = deadlines["after.deliveryTime.order.shipping"] as { due: number };
    const time = new VirtualTime(due - day);
    const engine = await openEngine({ database: "orders.db", machines: [second.order], time });
    try {
      const history = await engine.history("order/42");
      expect(history.map(({ event }) => event.type)).toEqual(["taskwright.start", "taskwright.done"]);
      expect((await engine.list({ machine: "activity" })).map(({ status }) => status)).toEqual(["done"]);
      expect(due - (history[1]?.at ?? 0)).toBe(3 * day);
      expect((await engine.snapshot("order/42")).value).toBe("shipping");
      time.advance(day);
      expect((await engine.waitFor("order/42", ({ value }) => value === "overdue")).at).toBe(due);
    } finally {
      await engine.close();
    }
  });
});
