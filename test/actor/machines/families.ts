import { type AnyActorRef, assign, cancel, emit, enqueueActions, forwardTo, fromPromise, sendParent, sendTo, setup, spawnChild, stopChild } from "xstate";
import { act } from "./observer.ts";

const pending = () => new Promise<never>(() => {});

/** A child machine: tells its parent, answers through a reference that it was given, has timers, ends with an output. */
const parcel = setup({
  types: {} as {
    context: { weight: number; boss: AnyActorRef; labels: number };
    input: { weight: number; boss: AnyActorRef };
    events: { type: "HURRY" | "LABEL" | "BYE" | "LOSE" };
    output: { weight: number };
    emitted: { type: "moving" };
  },
  actions: { label: assign({ labels: ({ context }) => context.labels + 1 }), wave: act("wave") },
}).createMachine({
  id: "parcel",
  context: ({ input }) => ({ weight: input.weight, boss: input.boss, labels: 0 }),
  initial: "packed",
  output: ({ context }) => ({ weight: context.weight }),
  on: { LABEL: { actions: "label" }, BYE: { actions: "wave" } },
  states: {
    packed: { after: { 200: "moving" }, on: { HURRY: "moving" } },
    moving: {
      entry: [sendParent({ type: "MOVED", km: 3 }), emit({ type: "moving" })],
      after: { 500: { target: "there" } },
      on: {
        HURRY: {
          target: "there",
          actions: sendTo(
            ({ context }) => context.boss,
            ({ context }) => ({ type: "MOVED", km: context.weight }),
          ),
        },
        LOSE: { actions: [cancel("lost"), sendParent({ type: "CANCEL" }, { delay: 20, id: "lost" })] },
      },
    },
    there: { type: "final" },
  },
});

/** Invokes a machine, sends to it at entry, later and at exit, hears from it, takes its output. */
export const order = setup({
  types: {} as { context: { km: number; weight: number }; events: { type: "SHIP" | "HURRY" | "CANCEL" | "AGAIN" | "LABEL" } | { type: "MOVED"; km: number } },
  actors: { parcel },
  actions: { move: assign({ km: ({ context, event }) => context.km + (event.type === "MOVED" ? event.km : 0) }), note: act("note") },
}).createMachine({
  id: "order",
  context: { km: 0, weight: 2 },
  initial: "open",
  on: { MOVED: { actions: "move" } },
  states: {
    open: { on: { SHIP: "shipping" } },
    shipping: {
      entry: sendTo("parcel", { type: "LABEL" }),
      exit: sendTo("parcel", { type: "BYE" }),
      invoke: {
        id: "parcel",
        src: "parcel",
        input: ({ context, self }) => ({ weight: context.weight, boss: self }),
        onDone: { target: "delivered", actions: { type: "note", params: ({ event }: { event: { output: unknown } }) => event.output } },
      },
      on: {
        HURRY: { actions: sendTo("parcel", { type: "HURRY" }) },
        LABEL: { actions: [cancel("label"), sendTo("parcel", { type: "LABEL" }, { delay: 30, id: "label" })] },
        CANCEL: "open",
        AGAIN: { target: "shipping", reenter: true, actions: assign({ weight: ({ context }) => (context.weight % 5) + 1 }) },
      },
    },
    delivered: { on: { AGAIN: "open", SHIP: "shipping" } },
  },
});

/** A worker that is spawned: greets its parent when it starts, reports on demand, leaves by itself. */
const worker = setup({
  types: {} as { context: { name: string; done: number }; input: { name: string }; events: { type: "WORK"; amount: number } | { type: "REST" | "LEAVE" }; output: { done: number } },
  actions: { work: assign({ done: ({ context, event }) => context.done + (event.type === "WORK" ? event.amount : 0) }) },
}).createMachine({
  id: "worker",
  context: ({ input }) => ({ name: input.name, done: 0 }),
  initial: "ready",
  entry: sendParent(({ context }) => ({ type: "HELLO", name: context.name })),
  output: ({ context }) => ({ done: context.done }),
  states: {
    ready: {
      on: {
        WORK: [
          { guard: ({ context }) => context.done > 20, target: "gone" },
          { target: "tired", actions: "work" },
        ],
        LEAVE: "gone",
      },
    },
    tired: { after: { 100: "ready" }, on: { LEAVE: "gone", WORK: { actions: sendParent({ type: "REFUSED" }) } } },
    gone: { type: "final" },
  },
});

/** Spawned children: by spawnChild, by spawn in assign (with id and without), of promises; references in context; stopped by id and by reference. */
export const crew = setup({
  types: {} as {
    context: { hired: number; members: ReadonlyArray<AnyActorRef>; last: AnyActorRef | null; greeted: ReadonlyArray<string>; results: ReadonlyArray<string> };
    events: { type: "HIRE" | "HIRE_UNNAMED" | "CHIEF" | "FIRE" | "FIRE_CHIEF" | "ERRAND" | "REFUSED" | "CLOSE" } | { type: "WORK"; amount: number } | { type: "HELLO"; name: string };
  },
  actors: { worker, errand: fromPromise<string, { to: string }>(pending) },
  guards: { hasRoom: ({ context }) => context.members.length < 4 },
  actions: {
    hire: assign(({ context, spawn }) => {
      const ref = spawn("worker", { id: `w${context.hired}`, input: { name: `W${context.hired}` } });
      return { hired: context.hired + 1, members: [...context.members, ref], last: ref };
    }),
    hireUnnamed: assign({
      hired: ({ context }) => context.hired + 1,
      members: ({ context, spawn }) => [...context.members, spawn("worker", { input: ({ context }: { context: { hired: number } }) => ({ name: `unnamed ${context.hired}` }) } as never)],
    }),
    greet: assign({ greeted: ({ context, event }) => (event.type === "HELLO" ? [...context.greeted, event.name].slice(-4) : context.greeted) }),
    forgetFirst: assign({ members: ({ context }) => context.members.slice(1), last: null }),
    result: assign({ results: ({ context }, params: { text: string }) => [...context.results, params.text].slice(-3) }),
    complain: act("complain"),
  },
}).createMachine({
  id: "crew",
  context: ({ spawn }) => ({ hired: 0, members: [], last: spawn("worker", { id: "founder", input: { name: "the founder" } }), greeted: [], results: [] }),
  initial: "open",
  on: {
    HELLO: { actions: "greet" },
    REFUSED: { actions: "complain" },
    "xstate.done.actor.*": { actions: { type: "result", params: ({ event }: { event: object }) => ({ text: `done ${JSON.stringify((event as { output?: unknown }).output ?? null)}` }) } },
    "xstate.error.actor.*": { actions: { type: "result", params: ({ event }: { event: object }) => ({ text: `failed ${(event as { error: Error }).error.message}` }) } },
  } as object,
  states: {
    open: {
      on: {
        HIRE: { guard: "hasRoom", actions: "hire" },
        HIRE_UNNAMED: { guard: "hasRoom", actions: ["hireUnnamed", sendTo(({ context }) => context.members.at(-1) as AnyActorRef, { type: "WORK", amount: 1 })] },
        CHIEF: { target: "led", actions: spawnChild("worker", { id: "chief", input: ({ context }) => ({ name: `chief after ${context.hired}` }) }) },
        WORK: {
          guard: ({ context }) => context.last !== null,
          actions: sendTo(
            ({ context }) => context.last as AnyActorRef,
            ({ event }) => event,
          ),
        },
        FIRE: { guard: ({ context }) => context.members.length > 0, actions: [stopChild(({ context }) => context.members[0] as AnyActorRef), "forgetFirst"] },
        ERRAND: { actions: [stopChild("errand"), spawnChild("errand", { id: "errand", input: { to: "town" } })] },
        CLOSE: "closed",
      },
    },
    led: {
      on: {
        FIRE_CHIEF: { target: "open", actions: stopChild("chief") },
        WORK: { actions: forwardTo("chief") },
        CHIEF: { target: "open", actions: [sendTo("chief", { type: "REST" }), stopChild("chief")] },
      },
    },
    closed: { type: "final" },
  },
});

/** enqueueActions: conditions with check(), every kind of action that it can queue, also a child that lives for a moment only. */
export const clerk = setup({
  types: {} as {
    context: { papers: number; stamps: number };
    events: { type: "PAPER"; pages: number } | { type: "STAMP" | "CLEAR" | "DELEGATE" | "BRIEFLY" | "LATER" | "NOW" | "REFUSED" } | { type: "HELLO"; name: string };
    emitted: { type: "stamped"; stamps: number };
  },
  actors: { worker },
  guards: { isPiledUp: ({ context }) => context.papers > 6, hasMoreThan: ({ context }, params: { stamps: number }) => context.stamps > params.stamps },
  actions: {
    take: enqueueActions(({ context, event, enqueue, check }) => {
      if (event.type !== "PAPER") return;
      enqueue.assign({ papers: context.papers + event.pages });
      if (check("isPiledUp" as never)) enqueue({ type: "sigh", params: { papers: context.papers } } as never);
      if (check({ type: "hasMoreThan", params: { stamps: 2 } } as never)) enqueue.raise({ type: "CLEAR" });
      else enqueue.cancel("later");
      enqueue("sigh" as never);
    }),
    clear: assign({ papers: 0, stamps: 0 }),
    forgetLater: cancel("later"),
    sigh: act("sigh"),
  },
}).createMachine({
  id: "clerk",
  context: { papers: 0, stamps: 0 },
  initial: "at work",
  on: { HELLO: { actions: "sigh" }, REFUSED: { actions: "sigh" } },
  states: {
    "at work": {
      on: {
        PAPER: { actions: "take" },
        STAMP: {
          actions: enqueueActions(({ context, enqueue }) => {
            enqueue.assign({ stamps: context.stamps + 1 });
            enqueue.emit({ type: "stamped", stamps: context.stamps + 1 });
            enqueue.emit(({ context: now }: { context: { stamps: number } }) => ({ type: "stamped", stamps: now.stamps }) as never);
          }),
        },
        CLEAR: { target: "pause", actions: "clear" },
        LATER: { actions: ["forgetLater", enqueueActions(({ enqueue }) => enqueue.raise({ type: "NOW" }, { id: "later", delay: 60 }))] },
        NOW: { actions: enqueueActions(({ enqueue, self }) => enqueue.sendTo(self, { type: "STAMP" } as never)) },
        DELEGATE: {
          actions: enqueueActions(({ enqueue }) => {
            enqueue.stopChild("helper");
            enqueue.spawnChild("worker", { id: "helper", input: { name: "helper" } });
            enqueue.sendTo("helper", { type: "WORK", amount: 2 });
          }),
        },
        BRIEFLY: {
          actions: enqueueActions(({ enqueue }) => {
            enqueue.spawnChild("worker", { id: "brief", input: { name: "brief" } });
            enqueue.sendTo("brief", { type: "WORK", amount: 1 });
            enqueue.stopChild("brief");
          }),
        },
      },
    },
    pause: { after: { 90: "at work" }, on: { PAPER: "at work" } },
  },
});
