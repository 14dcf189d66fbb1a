import { assign, enqueueActions, fromPromise, setup } from "xstate";
import { actorRef } from "../../src/domain/reference.ts";

/*
 * Small machines that use what the task machines don't: keyed events, custom actions of the host, activities,
 * messages to many (more than one turn may step), children with timers, a transition that throws.
 */

/** What the host does for these machines. The checker leaves it as it is: nothing of it runs in a fold. */
export const host = {
  carry: (_parcel: string): Promise<unknown> => Promise.reject(new Error("no host was given")),
};

interface AccountContext {
  readonly total: number;
  readonly news: number;
}
type AccountEvent = { readonly type: "ADD"; readonly id: string } | { readonly type: "NEWS"; readonly id: string };

const idOf = ({ event }: { readonly event: { readonly id: string } }) => ({ id: event.id });

/** Counts what it was told; each time something is done outside. */
export const account = setup({
  types: { context: {} as AccountContext, events: {} as AccountEvent },
  actions: {
    record: () => {},
    add: assign({ total: ({ context }) => context.total + 1 }),
    hear: assign({ news: ({ context }) => context.news + 1 }),
  },
}).createMachine({
  id: "account",
  version: "1",
  context: { total: 0, news: 0 },
  on: { ADD: { actions: ["add", { type: "record", params: idOf }] }, NEWS: { actions: ["hear", { type: "record", params: idOf }] } },
});

/** Tells everybody. */
export const herald = setup({
  types: { input: {} as { readonly accounts: ReadonlyArray<string> }, context: {} as { readonly accounts: ReadonlyArray<string> }, events: {} as { readonly type: "TELL"; readonly id: string } },
  actions: {
    tellAll: enqueueActions(({ context, event, enqueue }) => {
      for (const address of context.accounts) enqueue.sendTo(actorRef(address), { type: "NEWS", id: event.id });
    }),
  },
}).createMachine({ id: "herald", version: "1", context: ({ input }) => input, on: { TELL: { actions: "tellAll" } } });

/** Signed after a while. */
export const slip = setup({ types: { output: {} as { readonly signed: boolean } } }).createMachine({
  id: "slip",
  version: "1",
  context: {},
  initial: "open",
  states: { open: { after: { 20: "signed" } }, signed: { type: "final" } },
  output: { signed: true },
});

/** Carried by an activity, waits, is signed for by a child, and is delivered. */
export const parcel = setup({
  types: { input: {} as { readonly id: string }, context: {} as { readonly id: string; readonly carried: unknown } },
  actors: { carry: fromPromise<unknown, string>(({ input }) => host.carry(input)), slip },
  actions: { record: () => {} },
}).createMachine({
  id: "parcel",
  version: "1",
  context: ({ input }) => ({ id: input.id, carried: null }),
  initial: "carried",
  states: {
    carried: { invoke: { id: "carry", src: "carry", input: ({ context }) => context.id, onDone: { target: "waiting", actions: assign({ carried: ({ event }) => event.output }) }, onError: "lost" } },
    waiting: { after: { 30: "signing" } },
    signing: { invoke: { id: "slip", src: "slip", onDone: "delivered" } },
    delivered: { type: "final", entry: { type: "record", params: ({ context }: { readonly context: { readonly id: string } }) => ({ id: context.id }) } },
    lost: { type: "final" },
  },
});

/** Breaks when it is told to, and is begun again by its supervisor. */
export const fragile = setup({
  types: { context: {} as { readonly work: number }, events: {} as { readonly type: "WORK" | "BREAK"; readonly id: string } },
  actions: {
    work: assign({ work: ({ context }) => context.work + 1 }),
    break: assign(() => {
      throw new Error("it broke");
    }),
  },
}).createMachine({ id: "fragile", version: "1", context: { work: 0 }, on: { WORK: { actions: "work" }, BREAK: { actions: "break" } } });

/** Rings once, so many milliseconds after it was set. */
export const alarm = setup({
  types: { input: {} as { readonly ms: number }, context: {} as { readonly ms: number } },
  delays: { wait: ({ context }) => context.ms },
}).createMachine({ id: "alarm", version: "1", context: ({ input }) => input, initial: "set", states: { set: { after: { wait: "rung" } }, rung: {} } });
