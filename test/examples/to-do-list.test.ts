import { describe, expect } from "vitest";
import { assign, setup } from "xstate";
import { inThreeModes } from "../../src/testing/index.ts";
import { Journey } from "./journey.ts";

interface Item {
  readonly id: string;
  readonly title: string;
  readonly done: boolean;
}

/**
 * After examples/todomvc-react. The original draws ids at random within the transition; then nobody could reach the
 * stored state from the stored events again, so the id comes with the event.
 */
const list = setup({
  types: {
    context: {} as { draft: string; items: ReadonlyArray<Item>; shown: "all" | "open" | "done" },
    events: {} as
      | { type: "draft.write"; title: string }
      | { type: "draft.add"; id: string; title: string }
      | { type: "item.save"; item: Item }
      | { type: "item.drop"; id: string }
      | { type: "item.mark"; id: string; done: boolean }
      | { type: "items.mark"; done: boolean }
      | { type: "items.tidy" }
      | { type: "show"; which: "all" | "open" | "done" },
  },
}).createMachine({
  id: "list",
  context: { draft: "", items: [{ id: "1", title: "Read about statecharts", done: false }], shown: "all" },
  on: {
    "draft.write": { actions: assign({ draft: ({ event }) => event.title }) },
    "draft.add": {
      guard: ({ event }) => event.title.trim().length > 0,
      actions: assign({ draft: "", items: ({ context, event }) => [...context.items, { id: event.id, title: event.title, done: false }] }),
    },
    "item.save": {
      actions: assign({
        items: ({ context, event: { item } }) => (item.title.trim() === "" ? context.items.filter(({ id }) => id !== item.id) : context.items.map((known) => (known.id === item.id ? item : known))),
      }),
    },
    "item.drop": { actions: assign({ items: ({ context, event }) => context.items.filter(({ id }) => id !== event.id) }) },
    "item.mark": { actions: assign({ items: ({ context, event }) => context.items.map((item) => (item.id === event.id ? { ...item, done: event.done } : item)) }) },
    "items.mark": { actions: assign({ items: ({ context, event }) => context.items.map((item) => ({ ...item, done: event.done })) }) },
    "items.tidy": { actions: assign({ items: ({ context }) => context.items.filter(({ done }) => !done) }) },
    show: { actions: assign({ shown: ({ event }) => event.which }) },
  },
});

describe("examples > to-do list", () => {
  inThreeModes("a list is written, marked, filtered and tidied up until nothing is left", async (bench) => {
    const page = await Journey.begin(bench, list);
    const titles = async () => ((await page.engine.snapshot("list/1")).context as { items: ReadonlyArray<Item> }).items.map(({ title }) => title);
    await page.send({ type: "draft.write", title: "Bu" });
    await page.send({ type: "draft.add", id: "2", title: "Buy milk" });
    await page.send({ type: "draft.add", id: "3", title: "   " });
    await page.send({ type: "draft.add", id: "4", title: "Sleep" });
    expect(await titles()).toEqual(["Read about statecharts", "Buy milk", "Sleep"]);
    await page.send({ type: "item.save", item: { id: "2", title: "Buy oat milk", done: false } });
    await page.send({ type: "item.save", item: { id: "4", title: " ", done: false } });
    await page.send({ type: "item.mark", id: "2", done: true });
    await page.send({ type: "show", which: "open" });
    await page.send({ type: "items.tidy" });
    expect(await titles()).toEqual(["Read about statecharts"]);
    await page.send({ type: "items.mark", done: true });
    await page.send({ type: "item.drop", id: "none" });
    expect(await page.send({ type: "items.tidy" })).toMatchObject({ context: { items: [], draft: "", shown: "open" } });
  });
});
