import { assign, setup } from "xstate";

const fail = (what: string): never => {
  throw new Error(`${what} failed on purpose`);
};

/** A machine with a fault in every place where user code runs during a transition. */
export const faulty = setup({
  types: { context: {} as { fine: number; big: string }, input: {} as { throws?: string } | undefined },
  guards: { throwing: () => fail("guard") },
  actions: { throwing: assign(() => fail("assign")), count: assign({ fine: ({ context }) => context.fine + 1 }) },
  delays: { throwing: () => fail("delay"), nan: () => Number.NaN },
}).createMachine({
  id: "faulty",
  context: ({ input }) => (input?.throws === "context" ? fail("context") : { fine: 0, big: "" }),
  initial: "fine",
  on: {
    FINE: { actions: "count" },
    THROW_IN_GUARD: { guard: "throwing", actions: "count" },
    THROW_IN_ASSIGN: { actions: ["count", "throwing"] },
    THROW_IN_ENTRY: ".entering",
    THROW_IN_EXIT: ".fine",
    THROW_IN_DELAY: ".delayed",
    THROW_IN_NAN_DELAY: ".delayedNaN",
    LEAVE_A_FUNCTION: { actions: assign({ big: () => (() => {}) as never }) },
    LOOP_FOREVER: ".looping",
    BREAK_ON_TIMER: ".waiting",
    GO_EXITING: ".exiting",
    GROW: { actions: assign({ big: ({ event }) => "x".repeat((event as unknown as { to: number }).to) }) },
  },
  states: {
    fine: {},
    entering: { entry: ["count", "throwing"] },
    exiting: { exit: "throwing" },
    delayed: { after: { throwing: "fine" } },
    delayedNaN: { after: { nan: "fine" } },
    looping: { always: { target: "looping", reenter: true, actions: "count" } },
    waiting: { after: { 1000: { guard: "throwing", target: "fine" } } },
  },
});
