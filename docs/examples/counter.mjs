// The machine that the example hosts serve.
import { assign, setup } from "xstate";

export const counter = setup({ actions: { add: assign({ count: ({ context }) => context.count + 1 }) } }).createMachine({
  id: "counter",
  version: "1",
  context: { count: 0 },
  initial: "on",
  states: { on: { description: "It counts.", on: { ADD: { actions: "add" } } } },
});
