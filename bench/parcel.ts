import { assign, setup } from "xstate";

/** Its way round, event by event: after the last it is where it was. */
export const parcelRound = ["PICK", "TAKE", "BOXED", "LABELLED", "LOAD", "STOP", "DRIVE", "HAND_OVER", "RETURN"] as const;

/** A parcel that goes round for ever: something of each kind that a chart draws, so that a page that watches it has work. */
export const parcel = setup({
  types: { context: {} as { readonly rounds: number }, events: {} as { readonly type: (typeof parcelRound)[number] | "LOSE" | "FIND" } },
  actions: { count: assign({ rounds: ({ context }) => context.rounds + 1 }) },
  guards: { wasSeen: ({ context }) => context.rounds >= 0 },
  delays: { patience: 24 * 60 * 60 * 1000 },
}).createMachine({
  id: "parcel",
  version: "1",
  description: "Goes round for ever.",
  context: { rounds: 0 },
  initial: "ordered",
  states: {
    ordered: { description: "Somebody wants it.", on: { PICK: { guard: "wasSeen", target: "picking" } } },
    picking: {
      description: "Somebody fetches it.",
      initial: "walking",
      on: { LOSE: "lost" },
      states: { walking: { description: "On the way to the shelf.", on: { TAKE: "#parcel.packing" } } },
    },
    packing: {
      description: "It is packed and labelled at once.",
      type: "parallel",
      on: { LOSE: "lost" },
      states: {
        box: { description: "The box.", initial: "open", states: { open: { description: "Not closed yet.", on: { BOXED: "closed" } }, closed: { description: "Closed.", type: "final" } } },
        label: {
          description: "The label.",
          initial: "missing",
          states: { missing: { description: "Not printed.", on: { LABELLED: "printed" } }, printed: { description: "Printed.", type: "final" } },
        },
      },
      onDone: "ready",
    },
    ready: { description: "It waits for a van.", on: { LOAD: "driving", LOSE: "lost" }, after: { patience: "lost" } },
    driving: {
      description: "It is on the road.",
      initial: "moving",
      states: {
        moving: { description: "Between two stops.", on: { STOP: "standing" } },
        standing: { description: "At a light.", on: { DRIVE: "near" } },
        near: { description: "Before the door.", on: { HAND_OVER: "#parcel.delivered" } },
      },
    },
    delivered: { description: "At the door.", on: { RETURN: { target: "ordered", actions: "count" } }, after: { patience: "lost" } },
    lost: { description: "Nobody knows where it is.", on: { FIND: "ordered" } },
  },
});
