import { assign, cancel, type EventObject, enqueueActions, fromCallback, fromPromise, sendParent, sendTo, setup } from "xstate";
import { actorRef } from "../../src/domain/reference.ts";

/*
 * Small machines for what the task machines don't use: money that moves between actors, timers, activities, children,
 * questions, actions of the host, transitions that throw. `op` names what a client asked for.
 */

/** What the world does for these machines. The checker does nothing of it. */
export const outside: {
  carry: (input: unknown, signal: AbortSignal) => Promise<unknown>;
  /** Begins to send ticks; returns how to stop. */
  pulse: (tick: (event: EventObject) => void) => () => void;
} = { carry: () => Promise.reject(new Error("there is no world")), pulse: () => () => {} };

interface AccountContext {
  readonly balance: number;
  readonly news: number;
}
type AccountEvent =
  | { readonly type: "TRANSFER"; readonly op: string; readonly to: string; readonly amount: number }
  | { readonly type: "CREDIT"; readonly op: string; readonly amount: number }
  | { readonly type: "NEWS"; readonly op: string }
  | { readonly type: "ASK"; readonly op: string; readonly replyTo?: unknown };

const opOf = ({ event }: { readonly event: { readonly op: string } }) => ({ op: event.op });

/** Holds money. What leaves one account is under way or arrives at another. */
export const account = setup({
  types: { context: {} as AccountContext, events: {} as AccountEvent },
  actions: {
    record: () => {},
    pay: assign({ balance: ({ context, event }) => context.balance - (event.type === "TRANSFER" ? event.amount : 0) }),
    receive: assign({ balance: ({ context, event }) => context.balance + (event.type === "CREDIT" ? event.amount : 0) }),
    hear: assign({ news: ({ context }) => context.news + 1 }),
    credit: enqueueActions(({ event, enqueue }) => {
      if (event.type === "TRANSFER") enqueue.sendTo(actorRef(event.to), { type: "CREDIT", op: event.op, amount: event.amount });
    }),
    answer: sendTo(
      ({ event }) => (event as { replyTo?: unknown }).replyTo as never,
      ({ context }) => ({ type: "ANSWER", balance: context.balance }) as never,
    ),
  },
}).createMachine({
  id: "account",
  version: "1",
  context: { balance: 100, news: 0 },
  on: {
    TRANSFER: { actions: ["pay", "credit", { type: "record", params: opOf }] },
    CREDIT: { actions: "receive" },
    NEWS: { actions: ["hear", { type: "record", params: opOf }] },
    ASK: { actions: "answer" },
  },
});

/** Tells everybody. */
export const herald = setup({
  types: { input: {} as { readonly accounts: ReadonlyArray<string> }, context: {} as { readonly accounts: ReadonlyArray<string> }, events: {} as { readonly type: "TELL"; readonly op: string } },
  actions: {
    tellAll: enqueueActions(({ context, event, enqueue }) => {
      for (const address of context.accounts) enqueue.sendTo(actorRef(address), { type: "NEWS", op: event.op });
    }),
  },
}).createMachine({ id: "herald", version: "1", context: ({ input }) => input, on: { TELL: { actions: "tellAll" } } });

/** Rings after a while, unless it is stopped; can be set again while it runs. */
export const alarm = setup({
  types: {
    context: {} as { readonly ms: number; readonly rung: number },
    events: {} as { readonly type: "SET"; readonly op: string; readonly ms: number } | { readonly type: "STOP"; readonly op: string },
  },
  actions: { note: assign(({ event }) => (event.type === "SET" ? { ms: event.ms } : {})), ring: assign({ rung: ({ context }) => context.rung + 1 }) },
  delays: { while: ({ context }) => context.ms },
}).createMachine({
  id: "alarm",
  version: "1",
  context: { ms: 0, rung: 0 },
  initial: "idle",
  states: {
    idle: { on: { SET: { target: "set", actions: "note" } } },
    set: { on: { SET: { target: "set", reenter: true, actions: "note" }, STOP: "idle" }, after: { while: { target: "idle", actions: "ring" } } },
  },
});

/** Signed after a while. A loud one calls its parcel back at the very moment at which it ends. */
export const slip = setup({
  types: { input: {} as { readonly loud: boolean }, context: {} as { readonly loud: boolean }, output: {} as { readonly signed: boolean } },
  guards: { isLoud: ({ context }) => context.loud },
}).createMachine({
  id: "slip",
  version: "1",
  context: ({ input }) => ({ loud: input.loud }),
  initial: "open",
  states: { open: { after: { 700: [{ guard: "isLoud", target: "signed", actions: sendParent({ type: "RECALL", op: "slip" }) }, { target: "signed" }] } }, signed: { type: "final" } },
  output: { signed: true },
});

/** Carried by an activity with a budget, signed for by a child, delivered; sent again from the start when it is called back. */
export const parcel = setup({
  types: { context: {} as { readonly carried: unknown; readonly recalls: number }, events: {} as { readonly type: "RECALL" | "GIVE_UP"; readonly op: string } },
  actors: { carry: fromPromise<unknown, unknown>(({ input, signal }) => outside.carry(input, signal)), slip },
  actions: { record: () => {}, keep: assign({ carried: ({ event }) => (event as unknown as { output: unknown }).output }), recall: assign({ recalls: ({ context }) => context.recalls + 1 }) },
  guards: { mayBeRecalled: ({ context }) => context.recalls < 6 },
}).createMachine({
  id: "parcel",
  version: "1",
  context: { carried: null, recalls: 0 },
  initial: "carried",
  on: { RECALL: { guard: "mayBeRecalled", target: ".carried", actions: "recall" } },
  states: {
    carried: { invoke: { id: "carry", src: "carry", onDone: { target: "signing", actions: "keep" }, onError: "lost" }, on: { GIVE_UP: "lost" } },
    signing: { invoke: { id: "slip", src: "slip", input: ({ context }) => ({ loud: context.recalls === 1 }), onDone: "delivered" } },
    delivered: { type: "final", entry: { type: "record", params: { op: "delivered" } } },
    lost: { type: "final" },
  },
});

const breakable = setup({
  types: { context: {} as { readonly work: number }, events: {} as { readonly type: "WORK" | "BREAK"; readonly op: string } },
  actions: {
    work: assign({ work: ({ context }) => context.work + 1 }),
    break: assign(() => {
      throw Object.assign(new Error("it broke"), { stack: "it broke" });
    }),
  },
});
/** Breaks when it is told to. Its supervisor lets it begin again... */
export const fragile = breakable.createMachine({
  id: "fragile",
  version: "1",
  context: { work: 0 },
  initial: "up",
  states: { up: { on: { WORK: { actions: "work" }, BREAK: { actions: "break" } }, after: { 5000: { actions: "work" } } } },
});
/** ...or go on... */
export const sturdy = breakable.createMachine({ id: "sturdy", version: "1", context: { work: 0 }, on: { WORK: { actions: "work" }, BREAK: { actions: "break" } } });
/** ...or gives it up. */
export const brittle = breakable.createMachine({ id: "brittle", version: "1", context: { work: 0 }, on: { WORK: { actions: "work" }, BREAK: { actions: "break" } } });

/** Two of them send a ball to and fro until it was hit `left` times. */
export const player = setup({
  types: { context: {} as { readonly hits: number }, events: {} as { readonly type: "BALL"; readonly op: string; readonly left: number; readonly other: string; readonly me: string } },
  actions: {
    hit: assign({ hits: ({ context }) => context.hits + 1 }),
    pass: enqueueActions(({ event, enqueue }) => {
      if (event.left > 0) enqueue.sendTo(actorRef(event.other), { type: "BALL", op: event.op, left: event.left - 1, other: event.me, me: event.other });
    }),
  },
}).createMachine({ id: "player", version: "1", context: { hits: 0 }, on: { BALL: { actions: ["hit", "pass"] } } });

/** A child that breaks when it is told to; its supervisor lets it begin again together with its sibling, twice. */
export const limb = breakable.createMachine({
  id: "limb",
  version: "1",
  context: { work: 0 },
  initial: "fresh",
  states: { fresh: { after: { 3000: "tired" } }, tired: {} },
  on: { WORK: { actions: "work" }, BREAK: { actions: "break" } },
});

type FamilyEvent =
  | { readonly type: "POKE"; readonly op: string; readonly limb: "left" | "right"; readonly what: "WORK" | "BREAK" }
  | { readonly type: "POKE_LATER"; readonly op: string; readonly limb: "left" | "right" }
  | { readonly type: "LEAVE_ALONE" | "TAKE_APART" | "REPAIR"; readonly op: string };

/** Has two children that share their fate; falls apart when one of them is given up, and can be repaired. */
export const family = setup({
  types: { events: {} as FamilyEvent },
  actors: { limb },
  actions: {
    poke: sendTo(
      ({ event }) => (event.type === "POKE" ? event.limb : "left"),
      ({ event }) => ({ type: event.type === "POKE" ? event.what : "WORK", op: event.op }),
    ),
    pokeLater: sendTo(
      ({ event }) => (event.type === "POKE_LATER" ? event.limb : "left"),
      ({ event }) => ({ type: "WORK", op: event.op }),
      { id: "poke", delay: 900 },
    ),
    leaveAlone: cancel("poke"),
  },
}).createMachine({
  id: "family",
  version: "1",
  initial: "whole",
  states: {
    whole: {
      invoke: [
        { id: "left", src: "limb", onError: "apart" },
        { id: "right", src: "limb", onError: "apart" },
      ],
      on: { POKE: { actions: "poke" }, POKE_LATER: { actions: "pokeLater" }, LEAVE_ALONE: { actions: "leaveAlone" }, TAKE_APART: "apart" },
    },
    apart: { on: { REPAIR: "whole" } },
  },
});

/** Takes payments while it is open; those that come too early are kept. */
export const till = setup({
  types: { context: {} as { readonly paid: number }, events: {} as { readonly type: "OPEN" | "PAY" | "SHIP"; readonly op: string } },
  actions: { take: assign({ paid: ({ context }) => context.paid + 1 }) },
}).createMachine({
  id: "till",
  version: "1",
  context: { paid: 0 },
  initial: "closed",
  states: { closed: { on: { OPEN: "open" } }, open: { on: { PAY: { target: "busy", actions: "take" } } }, busy: { on: { SHIP: "open", OPEN: "closed" } } },
});

/** Counts the ticks of a callback while it is lit. */
export const beacon = setup({
  types: { context: {} as { readonly ticks: number }, events: {} as { readonly type: "LIGHT" | "QUENCH"; readonly op: string } | { readonly type: "TICK" } },
  actors: { pulse: fromCallback<EventObject>(({ sendBack }) => outside.pulse(sendBack)) },
  actions: { count: assign({ ticks: ({ context }) => context.ticks + 1 }) },
}).createMachine({
  id: "beacon",
  version: "1",
  context: { ticks: 0 },
  initial: "dark",
  states: {
    dark: { on: { LIGHT: "lit" } },
    lit: { invoke: { id: "pulse", src: "pulse", onError: "dark" }, on: { TICK: { actions: "count" }, QUENCH: "dark", LIGHT: { target: "lit", reenter: true } } },
  },
});
