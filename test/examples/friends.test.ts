import { describe, expect } from "vitest";
import { type ActorRefFrom, assign, setup, stopChild } from "xstate";
import { inThreeModes } from "../../src/testing/index.ts";
import { Journey, Service } from "./journey.ts";

const make = () => {
  const save = new Service<boolean>();
  const friend = setup({
    types: {
      context: {} as { saved: string; name: string },
      input: {} as { name: string },
      events: {} as { type: "EDIT" } | { type: "WRITE"; name: string } | { type: "SAVE" } | { type: "CANCEL" },
      tags: {} as "shown" | "form" | "saving",
    },
    actors: { save: save.logic },
  }).createMachine({
    id: "friend",
    context: ({ input }) => ({ saved: input.name, name: input.name }),
    initial: "shown",
    on: { CANCEL: { target: ".shown", actions: assign({ name: ({ context }) => context.saved }) } },
    states: {
      shown: { tags: "shown", on: { EDIT: "edited" } },
      edited: { tags: "form", on: { WRITE: { actions: assign({ name: ({ event }) => event.name }) }, SAVE: "saving" } },
      saving: { tags: ["form", "saving"], invoke: { src: "save", onDone: { target: "shown", actions: assign({ saved: ({ context }) => context.name }) } } },
    },
  });
  /**
   * After examples/friends-list-react. The original spawns the friend's logic itself under a random id: a stored child
   * is found again by the name of its logic, so that has one here, and the id comes with the event.
   */
  const friends = setup({
    types: {
      context: {} as { draft: string; friends: ReadonlyArray<ActorRefFrom<typeof friend>> },
      events: {} as { type: "DRAFT"; name: string } | { type: "ADD"; id: string } | { type: "REMOVE"; index: number },
    },
    actors: { friend },
  }).createMachine({
    id: "friends",
    context: { draft: "", friends: [] },
    on: {
      DRAFT: { actions: assign({ draft: ({ event }) => event.name }) },
      ADD: {
        guard: ({ context }) => context.draft.trim() !== "",
        actions: assign({ friends: ({ context, event, spawn }) => [...context.friends, spawn("friend", { id: event.id, input: { name: context.draft } })], draft: "" }),
      },
      REMOVE: {
        actions: [
          stopChild(({ context, event }) => context.friends[event.index] as ActorRefFrom<typeof friend>),
          assign({ friends: ({ context, event }) => context.friends.filter((_, index) => index !== event.index) }),
        ],
      },
    },
  });
  return { friends, save };
};

describe("examples > friends", () => {
  inThreeModes("friends are added, renamed with a request under way, and removed", async (bench) => {
    const { friends, save } = make();
    const page = await Journey.begin(bench, friends);
    await page.send({ type: "ADD", id: "nobody" });
    for (const name of ["Ada", "Bob"]) {
      await page.send({ type: "DRAFT", name });
      await page.send({ type: "ADD", id: name });
    }
    await page.tell("Ada", { type: "EDIT" });
    await page.tell("Ada", { type: "WRITE", name: "Adele" });
    await page.tell("Ada", { type: "SAVE" });
    expect(await page.engine.snapshot("friends/1/Ada")).toMatchObject({ value: "saving", tags: ["form", "saving"], context: { saved: "Ada", name: "Adele" } });
    await page.answer(save, true);
    expect(await page.engine.snapshot("friends/1/Ada")).toMatchObject({ value: "shown", tags: ["shown"], context: { saved: "Adele", name: "Adele" } });
    await page.tell("Bob", { type: "EDIT" });
    await page.tell("Bob", { type: "WRITE", name: "Rob" });
    await page.tell("Bob", { type: "CANCEL" });
    expect(await page.engine.snapshot("friends/1/Bob")).toMatchObject({ value: "shown", context: { name: "Bob" } });
    expect(await page.send({ type: "REMOVE", index: 0 })).toMatchObject({ children: { Bob: { src: "friend" } } });
    expect(await page.engine.snapshot("friends/1/Ada")).toMatchObject({ status: "stopped" });
    expect((await page.send({ type: "REMOVE", index: 0 })).context).toEqual({ draft: "", friends: [] });
  });
});
