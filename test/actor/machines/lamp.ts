import { assign, setup } from "xstate";
import { define } from "../../../src/actor/index.ts";

/** Off, and on for a second at most; what it takes while on has no target. */
export const lamp = define(
  setup({
    types: {} as { events: { type: "ON" | "OFF" | "KEEP" | "PEEK" | "NOTHING" }; context: { peeks: number } },
    actions: { peek: assign({ peeks: ({ context }) => context.peeks + 1 }), blink: () => {} },
  }).createMachine({
    id: "lamp",
    context: { peeks: 0 },
    initial: "off",
    states: { off: { on: { ON: "on" } }, on: { after: { 1000: "off" }, on: { OFF: "off", ON: { target: "on", reenter: true }, PEEK: { actions: "blink" }, KEEP: { actions: "peek" }, NOTHING: {} } } },
  }),
);
