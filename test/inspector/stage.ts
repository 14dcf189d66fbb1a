import * as Layer from "effect/Layer";
import { dispatchMachines, makeOutboxes, openDispatcher, openEngine, retry, type RunContext } from "../../src/index.ts";
import { listenOnLoopback, makeInspector } from "../../src/inspector/index.ts";
import { Journal } from "../../src/journal/index.ts";
import { memoryStore } from "../../src/testing/index.ts";
import { counter, formerMachine, shopMachines } from "./shop.ts";

/** What the answer to a report's question looks like. */
const reportForm = {
  type: "object",
  properties: { format: { enum: ["pdf", "html"] }, pages: { type: "number", description: "At most so many." }, figures: { type: "boolean" } },
  required: ["format"],
};
const kinds = {
  report: {
    run: (_input: unknown, _signal: AbortSignal, context: RunContext) => {
      if (context.answer === undefined) context.ask("In which form do you want the report?", { schema: reportForm });
      return context.answer;
    },
  },
  // Until somebody cancels it.
  render: { run: (_input: unknown, signal: AbortSignal) => new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("not wanted any more")))) },
};

/** An engine with something in every view, and its inspector on this machine. */
export const openStage = async (role: "viewer" | "operator" = "operator") => {
  const store = memoryStore();
  // An engine before this one knew a machine that is not known any more.
  const former = await openEngine({ machines: [formerMachine], journal: Layer.succeed(Journal, await store.connect()), log: () => {} });
  await former.start("coupon", "spring");
  await former.close();
  const outboxes = makeOutboxes({ mail: { destination: async () => retry("the mail server is down") } });
  const dispatch = dispatchMachines({ kinds });
  const machines = [...shopMachines, counter];
  const engine = await openEngine({ machines, plugins: [outboxes, dispatch], journal: Layer.succeed(Journal, await store.connect()), log: () => {} });
  const dispatcher = await openDispatcher(engine, dispatch, { functionSlots: 4, queues: { nightly: { slotsMax: 2 } } });
  const inspector = makeInspector({ engine, machines: [...machines, ...outboxes.machines, ...dispatch.machines], outboxes, dispatcher, role, name: "Shop", redact: ["card"] });
  const { url, close } = await listenOnLoopback(inspector);
  await engine.startAll(
    Array.from({ length: 40 }, (_, index) => ({ machine: "order", id: String(index + 1), input: { customer: `Customer ${index + 1}`, amount: index % 5 === 4 ? 900 : 40 + index } })),
  );
  await engine.settled();
  return {
    engine,
    dispatcher,
    outboxes,
    inspector,
    url,
    /** Lets the orders go on, so that ways and stays are there to be seen. */
    play: async () => {
      const tell = (id: number, type: string) => engine.send(`order/${id}`, { type }).catch(() => undefined);
      for (let id = 1; id <= 40; id++) {
        if (id % 5 === 0) continue;
        if (id % 2 === 0) await tell(id, "PACKED");
        if (id % 4 === 0) await tell(id, "LABELLED");
        if (id % 8 === 0) await tell(id, "DELIVERED");
        if (id % 7 === 0) await tell(id, "HOLD");
      }
      for (const id of [1, 3, 9]) await tell(id, "BREAK");
      await engine.send("order/2", { type: "NOTE", text: "ring twice" });
      await engine.start("counter", "1");
      for (let tick = 0; tick < 60; tick++) await engine.send("counter/1", { type: "TICK" });
      await outboxes.enqueue(
        "mail",
        [1, 2, 3].map((number) => ({ type: "mail", payload: { number } })),
      );
      await engine.settled();
    },
    /** Tasks in every place: with a worker, with a question, behind others, in a queue that is paused. */
    work: async () => {
      const asked = new Promise<void>((resolve) => {
        const stop = dispatcher.observe(({ id, state }) => {
          if (id !== "report-may" || state !== "parked") return;
          stop();
          resolve();
        });
      });
      await dispatcher.queues.pause("nightly", { by: "ada", why: "the archive is moved" });
      await dispatcher.submit([
        { id: "report-may", kind: "report", input: { month: "May" }, priority: 5, tags: ["finance"] },
        { id: "mail-report", kind: "render", needs: ["report-may"] },
        { id: "render-1", kind: "render", input: { scene: 1 } },
        { id: "render-2", kind: "render", input: { scene: 2 } },
        { id: "rsync", input: { command: { argv: ["true"] }, cwd: "/" }, queue: "copies" },
        ...Array.from({ length: 30 }, (_, index) => ({ id: `archive-${index + 1}`, kind: "render", queue: "nightly", priority: index % 3, retry: { attemptsMax: 3 } })),
      ]);
      await asked;
    },
    close: async () => {
      await close();
      await dispatcher.stop();
      await engine.close();
      await store.dispose();
    },
  };
};
