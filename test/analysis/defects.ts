import { type AnyStateMachine, assign, createMachine, fromPromise, sendParent, sendTo, setup } from "xstate";
import type { DurableMachine } from "../../src/engine/index.ts";
import type { Finding, Rule } from "../../src/analysis/index.ts";

/** A machine with one thing wrong, and where the check must find it. */
export interface Planted {
  readonly name: string;
  readonly entries: ReadonlyArray<AnyStateMachine | DurableMachine>;
  readonly finds: ReadonlyArray<Pick<Finding, "rule" | "at">>;
}

const patient = "No limit: it waits for its host.";
const at = (rule: Rule, place: string) => ({ rule, at: place });

const slot = { slot: { takenBy: "takeSlot", givenBackBy: "freeSlot", whenStopped: "its worker notices" } };
const slots = setup({ actions: { takeSlot: () => {}, freeSlot: () => {} }, delays: { limit: 1_000 } });

const clerk = setup({ delays: { limit: 1_000 } }).createMachine({
  id: "clerk",
  initial: "working",
  states: { working: { on: { HURRY: "done" }, after: { limit: "done" } }, done: { type: "final", entry: sendParent({ type: "FINISHED" }) } },
});

export const planted: ReadonlyArray<Planted> = [
  {
    name: "a state that nothing ends",
    entries: [createMachine({ id: "m", initial: "a", states: { a: { on: { GO: "b" } }, b: { type: "final" } } })],
    finds: [at("unbounded", "m.a")],
  },
  {
    name: "a deadline that leads on only where a guard holds",
    entries: [
      setup({ guards: { isLate: () => true }, delays: { limit: 10 } }).createMachine({
        id: "m",
        initial: "a",
        states: { a: { after: { limit: { guard: "isLate", target: "b" } } }, b: { type: "final" } },
      }),
    ],
    finds: [at("unbounded", "m.a")],
  },
  {
    name: "an activity without a time limit",
    entries: [
      setup({ actors: { fetch: fromPromise(async () => 1) } }).createMachine({
        id: "m",
        initial: "a",
        states: { a: { invoke: { id: "f", src: "fetch", onDone: "b", onError: "b" } }, b: { type: "final" } },
      }),
    ],
    finds: [at("unlimited-activity", "m.a")],
  },
  {
    name: "a state that is not final, and from which nothing leads on",
    entries: [createMachine({ id: "m", initial: "a", states: { a: { after: { 5: "b" } }, b: {} } })],
    finds: [at("dead-end", "m.b")],
  },
  {
    name: "a way out that does not give a resource back",
    entries: [
      slots.createMachine({
        id: "m",
        meta: { resources: slot },
        initial: "a",
        states: {
          a: { entry: "takeSlot", on: { DONE: { target: "b", actions: "freeSlot" }, CANCEL: "b" }, after: { limit: { target: "b", actions: "freeSlot" } } },
          b: { type: "final" },
        },
      }),
    ],
    finds: [at("leak", "m.b")],
  },
  {
    name: "a resource that is taken again where it is held",
    entries: [
      slots.createMachine({
        id: "m",
        meta: { resources: slot },
        initial: "a",
        states: { a: { entry: "takeSlot", on: { AGAIN: { target: "a", reenter: true } }, after: { limit: "b" } }, b: { type: "final", entry: "freeSlot" } },
      }),
    ],
    finds: [at("leak", "m.a")],
  },
  {
    name: "a resource of which nobody says who gives it back when its holder is stopped",
    entries: [
      slots.createMachine({
        id: "m",
        meta: { resources: { slot: { takenBy: ["takeSlot"], givenBackBy: ["freeSlot"] } } },
        initial: "a",
        states: { a: { entry: "takeSlot", exit: "freeSlot", after: { limit: "b" } }, b: { type: "final" } },
      }),
    ],
    finds: [at("leak", "m.a")],
  },
  {
    name: "a state to which nothing leads",
    entries: [createMachine({ id: "m", initial: "a", states: { a: { after: { 5: "c" } }, b: { after: { 5: "c" } }, c: { type: "final" } } })],
    finds: [at("unreachable-state", "m.b")],
  },
  {
    name: "an alternative behind one without a guard",
    entries: [
      setup({ guards: { isBig: () => true } }).createMachine({
        id: "m",
        initial: "a",
        states: { a: { description: patient, on: { GO: [{ target: "b" }, { guard: "isBig", target: "a" }] } }, b: { type: "final" } },
      }),
    ],
    finds: [at("unreachable-edge", "m.a:event GO:1")],
  },
  {
    name: "a transition that those within always go before",
    entries: [
      createMachine({
        id: "m",
        initial: "a",
        states: { a: { description: patient, initial: "x", on: { GO: "b" }, states: { x: { on: { GO: "y" } }, y: { on: { GO: "x" } } } }, b: { type: "final" } },
        on: { STOP: ".b" },
      }),
    ],
    finds: [at("unreachable-edge", "m.a:event GO:0")],
  },
  {
    name: "an onDone of regions of which one never ends",
    entries: [
      createMachine({
        id: "m",
        initial: "p",
        states: {
          p: {
            type: "parallel",
            onDone: "b",
            after: { 9: "b" },
            states: { left: { initial: "x", states: { x: { after: { 5: "y" } }, y: { type: "final" } } }, right: { initial: "x", states: { x: { on: { GO: {} } } } } },
          },
          b: { type: "final" },
        },
      }),
    ],
    finds: [at("unreachable-edge", "m.p:stateDone m.p:0")],
  },
  {
    name: "an always behind one without a guard",
    entries: [
      setup({ guards: { isBig: () => true } }).createMachine({
        id: "m",
        initial: "a",
        states: { a: { always: ["b", { guard: "isBig", target: "c" }] }, b: { after: { 5: "c" } }, c: { type: "final" } },
      }),
    ],
    finds: [at("dead-always", "m.a:always:1")],
  },
  {
    name: "an event of a state that is left at once",
    entries: [createMachine({ id: "m", initial: "a", states: { a: { always: "b", on: { GO: "b" } }, b: { type: "final" } } })],
    finds: [at("unreachable-edge", "m.a:event GO:0")],
  },
  {
    name: "always that go round for ever",
    entries: [createMachine({ id: "m", initial: "a", states: { a: { after: { 5: "b" } }, b: { always: "c" }, c: { always: "b" } } })],
    finds: [at("endless-always", "m.c")],
  },
  {
    name: "an event that nobody sends",
    entries: [createMachine({ id: "m", meta: { senders: { GO: "the host" } }, initial: "a", states: { a: { description: patient, on: { GO: "b", GONE: "b" } }, b: { type: "final" } } })],
    finds: [at("nobody-sends", "m.a:event GONE:0")],
  },
  {
    name: "a machine that is said to send what it does not",
    entries: [
      createMachine({ id: "m", meta: { senders: { GO: "clerk" } }, initial: "a", states: { a: { description: patient, on: { GO: "b" } }, b: { type: "final" } } }),
      createMachine({ id: "clerk", initial: "a", states: { a: { type: "final" } } }),
    ],
    finds: [at("nobody-sends", "m.a:event GO:0")],
  },
  {
    name: "messages that neither child nor parent nor the machine itself takes",
    entries: [
      setup({ actors: { clerk }, actions: { hurry: sendTo("clerk", { type: "HURYR" }) } }).createMachine({
        id: "m",
        initial: "a",
        states: { a: { entry: "hurry", invoke: { id: "clerk", src: "clerk", onDone: "b", onError: "b" } }, b: { type: "final" } },
      }),
    ],
    finds: [at("nobody-takes", 'action "hurry"'), at("nobody-takes", 'state "done"')],
  },
  {
    name: "a guard that is not there",
    entries: [createMachine({ id: "m", initial: "a", states: { a: { description: patient, on: { GO: { guard: "isOpen", target: "b" } } }, b: { type: "final" } } } as never)],
    finds: [at("refused", "m")],
  },
  {
    name: "an action that is not there",
    entries: [createMachine({ id: "m", initial: "a", states: { a: { description: patient, entry: "greet", on: { GO: "b" } }, b: { type: "final" } } } as never)],
    finds: [at("refused", "m")],
  },
  {
    name: "a delay that is not there",
    entries: [createMachine({ id: "m", initial: "a", states: { a: { after: { patience: "b" } }, b: { type: "final" } } } as never)],
    finds: [at("refused", "m")],
  },
  {
    name: "a child whose failure nobody hears",
    entries: [
      {
        machine: setup({ actors: { fetch: fromPromise(async () => 1) }, actions: { keep: assign({}) } }).createMachine({
          id: "m",
          initial: "a",
          states: { a: { invoke: { id: "f", src: "fetch", onDone: { target: "b", actions: "keep" } } }, b: { type: "final" } },
        }),
        activities: { fetch: { timeoutMs: 1_000 } },
      },
    ],
    finds: [at("no-on-error", "m.a")],
  },
  {
    name: "a declaration that names an action that nothing does",
    entries: [
      slots.createMachine({
        id: "m",
        meta: { resources: { slot: { takenBy: "takeSlot", givenBackBy: "fireSlot", whenStopped: "its worker" } } },
        initial: "a",
        states: { a: { after: { limit: { target: "b", actions: "freeSlot" } } }, b: { type: "final" } },
      } as never) as unknown as AnyStateMachine,
    ],
    finds: [at("declaration", "m"), at("declaration", "m")],
  },
];

/** The same machines as they should be: nothing is to be found. */
export const sound = [
  createMachine({ id: "m1", meta: { senders: { GO: "the host" } }, initial: "a", states: { a: { description: patient, on: { GO: "b" } }, b: { after: { 5: "c" } }, c: { type: "final" } } }),
  setup({ guards: { isLate: () => true }, delays: { limit: 10 } }).createMachine({
    id: "m2",
    initial: "a",
    states: { a: { after: { limit: [{ guard: "isLate", target: "b" }, { target: "c" }] } }, b: { always: [{ guard: "isLate", target: "a" }, "c"] }, c: { type: "final" } },
  }),
  {
    machine: setup({ actors: { fetch: fromPromise(async () => 1), clerk }, actions: { hurry: sendTo("clerk", { type: "HURRY" }) } }).createMachine({
      id: "m3",
      initial: "a",
      states: {
        a: { invoke: { id: "f", src: "fetch", onDone: "b", onError: "c" } },
        b: { entry: "hurry", invoke: { id: "clerk", src: "clerk", onDone: "c", onError: "c" }, on: { FINISHED: "c" } },
        c: { type: "final" },
      },
    }),
    activities: { fetch: { timeoutMs: 1_000 } },
  },
  slots.createMachine({
    id: "m4",
    meta: { resources: slot },
    initial: "a",
    states: { a: { entry: "takeSlot", exit: "freeSlot", on: { AGAIN: { target: "a", reenter: true }, CANCEL: "b" }, after: { limit: "b" } }, b: { type: "final" } },
  }),
] as unknown as ReadonlyArray<AnyStateMachine | DurableMachine>;
