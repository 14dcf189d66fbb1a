import { assign, cancel, enqueueActions, raise, sendTo, setup } from "xstate";
import { act } from "./observer.ts";

/** `after` in all its forms: numeric, named, computed, several in one state, guarded, in nested states, re-entered. */
export const lease = setup({
  types: {} as { context: { tries: number; renewals: number }; events: { type: "TAKE" | "RENEW" | "DROP" | "FAIL" | "PEEK" } },
  delays: { grace: 250, backoff: ({ context }) => 100 * 2 ** Math.min(context.tries, 4) },
  guards: { wasRenewed: ({ context }) => context.renewals > 0 },
  actions: {
    tried: assign({ tries: ({ context }) => context.tries + 1 }),
    renewed: assign({ renewals: ({ context }) => context.renewals + 1 }),
    reset: assign({ tries: 0, renewals: 0 }),
    warn: act("warn"),
  },
}).createMachine({
  id: "lease",
  context: { tries: 0, renewals: 0 },
  initial: "free",
  states: {
    free: { on: { TAKE: "held", PEEK: { actions: "warn" } } },
    held: {
      initial: "fresh",
      after: { 1000: { target: "expired", actions: "warn" } },
      on: { RENEW: { target: "held", reenter: true, actions: "renewed" }, DROP: "free", FAIL: "waiting" },
      states: {
        fresh: { after: { 300: [{ guard: "wasRenewed", target: "stale" }, { actions: "warn" }], 600: "stale" } },
        stale: { after: { grace: { actions: { type: "warn", params: { late: true } } } }, on: { PEEK: "fresh" } },
      },
    },
    waiting: {
      entry: "tried",
      after: { backoff: [{ guard: ({ context }) => context.tries > 5, target: "free", actions: "reset" }, { target: "held" }], 0: { actions: "warn" } },
      on: { FAIL: { target: "waiting", reenter: true } },
    },
    expired: { after: { grace: "free" }, on: { TAKE: "held" } },
  },
});

/** Delayed events by hand: raise and sendTo with ids and without, replaced after a cancel, cancelled in vain. */
export const reminder = setup({
  types: {} as {
    context: { rings: number; delay: number; ticks: number };
    events: { type: "SET"; in: number } | { type: "RING"; loud: boolean } | { type: "CANCEL" | "TICK" | "POKE" | "ECHO" | "STOP" | "GO" | "CHAIN" | "LINK" | "END" };
  },
  delays: { chosen: ({ context }) => context.delay, short: 40 },
  actions: {
    choose: assign({ delay: ({ context, event }) => (event.type === "SET" ? event.in : context.delay) }),
    rang: assign({ rings: ({ context }) => context.rings + 1 }),
    ticked: assign({ ticks: ({ context }) => context.ticks + 1 }),
    sound: act("sound"),
    arm: enqueueActions(({ enqueue }) => {
      enqueue(cancel("ring"));
      enqueue(raise({ type: "RING", loud: true } as const, { id: "ring", delay: "chosen" as never }));
    }),
  },
}).createMachine({
  id: "reminder",
  context: { rings: 0, delay: 70, ticks: 0 },
  initial: "on",
  on: { POKE: { actions: raise({ type: "ECHO" }, { delay: 30 }) }, ECHO: { actions: "sound" } },
  states: {
    on: {
      on: {
        SET: { actions: ["choose", "arm"] },
        RING: { actions: ["rang", { type: "sound", params: ({ event }: { event: { loud: boolean } }) => ({ loud: event.loud }) }] },
        CANCEL: { actions: [cancel("ring"), cancel("nothing of that name")] },
        TICK: { actions: ["ticked", cancel("tick"), sendTo(({ self }) => self, { type: "TICK" }, { id: "tick", delay: "short" })] },
        STOP: { target: "off", actions: cancel("tick") },
        CHAIN: { actions: [raise({ type: "LINK" }), raise({ type: "LINK" })] },
        LINK: [{ guard: ({ context }) => context.rings % 3 === 2, target: "chained" }, { actions: "rang" }],
      },
    },
    chained: { entry: [raise({ type: "END" }), "sound"], exit: sendTo(({ self }) => self, { type: "ECHO" }), on: { END: "on", LINK: { actions: "sound" } } },
    off: { entry: raise({ type: "GO" }, { id: "after.off", delay: 500 }), exit: cancel("after.off"), on: { GO: "on", RING: { actions: "sound" } } },
  },
});
