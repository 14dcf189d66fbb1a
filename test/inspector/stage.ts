import { makeOutboxes, openEngine, retry } from "../../src/index.ts";
import { listenOnLoopback, makeInspector } from "../../src/inspector/index.ts";
import { task } from "../../machines/index.ts";
import { counter, shopMachines } from "./shop.ts";

/** An engine with something in every view, and its inspector on this machine. */
export const openStage = async (role: "viewer" | "operator" = "operator") => {
  const outboxes = makeOutboxes({ mail: { destination: async () => retry("the mail server is down") } });
  const machines = [...shopMachines, counter, task];
  const engine = await openEngine({ machines, plugins: [outboxes], log: () => {} });
  const inspector = makeInspector({ engine, machines: [...machines, ...outboxes.machines], outboxes, role, name: "Shop", redact: ["card"] });
  const { url, close } = await listenOnLoopback(inspector);
  await engine.startAll(
    Array.from({ length: 40 }, (_, index) => ({ machine: "order", id: String(index + 1), input: { customer: `Customer ${index + 1}`, amount: index % 5 === 4 ? 900 : 40 + index } })),
  );
  await engine.settled();
  return {
    engine,
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
    close: async () => {
      await close();
      await engine.close();
    },
  };
};
