import { assign, type AnyStateMachine, fromPromise, raise, sendTo, setup } from "xstate";
import { dispatchMachines, openDispatcher } from "../../../src/dispatch/index.ts";
import type { DurableMachine, Plugin, SentEvent } from "../../../src/engine/index.ts";
import type { TestEngine } from "../../../src/testing/index.ts";
import { FakeWorkers } from "../../dispatch/fake-workers.ts";
import { counter } from "../machines.ts";

const hour = 60 * 60 * 1000;

/** A child with a deadline. */
const kid = setup({ types: { context: {} as { words: ReadonlyArray<string> }, events: {} as { type: "SAY"; word: string } | { type: "PING" } } }).createMachine({
  id: "kid",
  context: { words: [] },
  initial: "awake",
  states: { awake: { on: { SAY: { actions: assign({ words: ({ context, event }) => [...context.words, event.word] }) } }, after: { [hour]: "asleep" } }, asleep: {} },
});

/** Everything that a state can hold: regions, deep history, deadlines of all kinds, a child machine, and a promise that never ends. */
const castle = setup({
  types: { context: {} as { days: number; guests: ReadonlyArray<string> }, events: {} as SentEvent },
  actors: { kid, work: fromPromise(() => new Promise<void>(() => {})) },
  actions: { count: assign({ days: ({ context }) => context.days + 1 }) },
}).createMachine({
  id: "castle",
  context: { days: 0, guests: ["Ada"] },
  type: "parallel",
  invoke: [
    { src: "kid", id: "kid", systemId: "theKid" },
    { src: "work", id: "work" },
  ],
  entry: [raise({ type: "LATER", hall: 1 }, { id: "later", delay: 2 * hour }), sendTo("kid", { type: "SAY", word: "late" }, { id: "toKid", delay: 2 * hour })],
  on: { PING: { actions: "count" }, LATER: { actions: "count" } },
  states: {
    gate: {
      initial: "open",
      states: { open: { tags: "open", after: { [3 * hour]: "shut" }, on: { SHUT: "shut" } }, shut: { on: { OPEN: "before" } }, before: { type: "history" } },
    },
    hall: {
      initial: "lit",
      on: { DARK: ".dark" },
      states: {
        lit: { initial: "few", states: { few: { on: { MORE: "many" } }, many: {} } },
        dark: { on: { BACK: "memory" } },
        memory: { type: "history", history: "deep" },
      },
    },
  },
});

/** Ends well, or with an unhandled error, as it is told. */
const ender = setup({
  types: { events: {} as { type: "END" } | { type: "FAIL" } | { type: "PING" } },
  actors: { fail: fromPromise(() => Promise.reject(new Error("on purpose"))) },
}).createMachine({
  id: "ender",
  initial: "open",
  states: { open: { on: { END: "ended", FAIL: "failing", PING: {} } }, failing: { invoke: { src: "fail" } }, ended: { type: "final" } },
  output: { said: "goodbye", times: 3 },
});

/** Its supervisor remembers that it threw. */
const clumsy = setup({
  types: { context: {} as { falls: number }, events: {} as { type: "FALL" } | { type: "PING" } },
  guards: {
    throws: () => {
      throw new Error("it fell");
    },
  },
}).createMachine({ id: "clumsy", context: { falls: 0 }, on: { FALL: { guard: "throws" }, PING: {} } });

/** A deadline that comes back each minute: it shows that time goes on for the others. */
const clock = setup({ types: { context: {} as { minutes: number } } }).createMachine({
  id: "clock",
  context: { minutes: 0 },
  initial: "ticking",
  states: { ticking: { after: { 60000: { target: "ticking", reenter: true, actions: assign({ minutes: ({ context }) => context.minutes + 1 }) } } } },
});

/** One kind of row: who makes it, where it stands, and what may be sent to it. */
export interface Subject {
  readonly name: string;
  readonly machines: ReadonlyArray<AnyStateMachine | DurableMachine>;
  readonly plugins?: ReadonlyArray<Plugin>;
  /** Brings as many of it about as there are ids. */
  readonly bring: (engine: TestEngine, ids: ReadonlyArray<string>) => Promise<void>;
  readonly address: (id: string) => string;
  /** What a host does with it after a restart. */
  readonly resume?: (engine: TestEngine) => Promise<unknown>;
  /** Nothing where the actor is the engine's own. */
  readonly event?: SentEvent;
}

const starting =
  (machine: string, ...events: ReadonlyArray<readonly [string, string]>): Subject["bring"] =>
  async (engine, ids) => {
    await Promise.all(ids.map((id) => engine.taskwright.start(machine, id)));
    for (const [below, type] of events) await Promise.allSettled(ids.map((id) => engine.taskwright.send(`${machine}/${id}${below}`, { type, word: "hello" })));
    await engine.settled();
  };

const witnesses = [clock, counter];
const castleEvents = [
  ["", "SHUT"],
  ["", "MORE"],
  ["", "DARK"],
  ["/kid", "SAY"],
] as const;

/** Tasks that are under way on workers which a test plays. */
const dispatched: Subject["bring"] = async (engine, ids) => {
  const dispatcher = await openDispatcher(engine.taskwright, dispatch, { slots: ids.length });
  await dispatcher.submit(ids.map((id) => ({ id, input: { command: { argv: ["true"] }, cwd: "/" } })));
  await engine.settled();
};
const workers = new FakeWorkers();
const dispatch = dispatchMachines({ transports: { command: workers } });
const resume: Subject["resume"] = (engine) => openDispatcher(engine.taskwright, dispatch, { slots: 1 });

export const subjects: ReadonlyArray<Subject> = [
  { name: "a plain actor", machines: witnesses, bring: starting("counter", ["", "ADD"]), address: (id) => `counter/${id}`, event: { type: "ADD" } },
  { name: "regions, history, deadlines and children", machines: [...witnesses, castle], bring: starting("castle", ...castleEvents), address: (id) => `castle/${id}`, event: { type: "BACK" } },
  { name: "a child machine", machines: [...witnesses, castle], bring: starting("castle", ...castleEvents), address: (id) => `castle/${id}/kid`, event: { type: "SAY", word: "x" } },
  { name: "an activity", machines: [...witnesses, castle], bring: starting("castle"), address: (id) => `castle/${id}/work` },
  { name: "an actor that is done", machines: [...witnesses, ender], bring: starting("ender", ["", "END"]), address: (id) => `ender/${id}`, event: { type: "PING" } },
  { name: "an actor that ended in error", machines: [...witnesses, ender], bring: starting("ender", ["", "FAIL"]), address: (id) => `ender/${id}`, event: { type: "PING" } },
  {
    name: "a supervisor",
    machines: [...witnesses, { machine: clumsy, supervision: { strategy: "restart", restartsMax: 9 } }],
    bring: starting("clumsy", ["", "FALL"]),
    address: (id) => `supervisor/clumsy:${id}`,
  },
  { name: "a task", machines: witnesses, plugins: [dispatch], bring: dispatched, resume, address: (id) => `task/${id}`, event: { type: "CANCEL" } },
  { name: "an assignment", machines: witnesses, plugins: [dispatch], bring: dispatched, resume, address: (id) => `task/${id}/assignment`, event: { type: "ACCEPTED", attempt: 1 } },
  {
    name: "a worker",
    machines: witnesses,
    plugins: [dispatch],
    bring: dispatched,
    resume,
    address: (id) => `worker/${Number(id.slice(1)) + 1}`,
    event: { type: "READY", incarnation: 1 },
  },
];
