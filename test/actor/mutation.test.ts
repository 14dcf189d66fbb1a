import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { ActorState, Command, Step } from "../../src/actor/index.ts";
import { fixtures } from "./machines.ts";
import { Difference } from "./plain.ts";
import { walk } from "./walk.ts";
import { type Subject, taskwright } from "./world.ts";

/** A step that is right but for what `change` does to its results. */
const withStep = (change: (taken: Step, before: ActorState) => Step): Subject => ({
  ...taskwright,
  start: (definition, address, parent, input, at, tokens) => {
    const taken = taskwright.start(definition, address, parent, input, at, tokens);
    return change(taken, { ...taken.state, timers: {}, children: {} });
  },
  step: (definition, state, event, at) => change(taskwright.step(definition, state, event, at), state),
});
const withCommands = (change: (commands: ReadonlyArray<Command>, taken: Step) => ReadonlyArray<Command>): Subject => withStep((taken) => ({ ...taken, commands: change(taken.commands, taken) }));
const withoutFirst = (type: Command["type"]): Subject =>
  withCommands((commands) => commands.filter((command, index) => command.type !== type || commands.findIndex((it) => it.type === type) !== index));
const withSnapshot = (change: (snapshot: Record<string, unknown>) => Record<string, unknown>): Subject =>
  withStep((taken) => ({ ...taken, state: { ...taken.state, snapshot: { ...taken.state.snapshot, ...change(taken.state.snapshot as unknown as Record<string, unknown>) } as never } }));
const withText = (change: (stored: Record<string, unknown>) => Record<string, unknown>): Subject => ({
  ...taskwright,
  encode: (state) => JSON.stringify(change(JSON.parse(taskwright.encode(state)) as Record<string, unknown>)),
});

const swapped = (commands: ReadonlyArray<Command>): ReadonlyArray<Command> => {
  const at = commands.findIndex((command, index) => index > 0 && JSON.stringify(command) !== JSON.stringify(commands[index - 1]));
  return at < 1 ? commands : commands.with(at - 1, commands[at] as Command).with(at, commands[at - 1] as Command);
};

/** Planted bugs, and a machine in which walks must find them. */
const planted: ReadonlyArray<readonly [bug: string, found: string, subject: Subject]> = [
  ["drops the command that cancels a timer", "lease", withoutFirst("timer.cancel")],
  [
    "keeps a cancelled timer in the state",
    "reminder",
    withStep((taken, before) => ({ ...taken, state: { ...taken.state, timers: taken.state.snapshot.status === "active" ? { ...before.timers, ...taken.state.timers } : taken.state.timers } })),
  ],
  ["fires a timer one millisecond late", "lease", withCommands((commands) => commands.map((command) => (command.type === "timer.set" ? { ...command, due: command.due + 1 } : command)))],
  ["swaps two commands", "bell", withCommands(swapped)],
  ["swaps the stop and the new start of an invoked promise", "payment", withCommands(swapped)],
  ["loses shallow history", "player", withSnapshot(() => ({ historyValue: {} }))],
  ["loses deep history in the store only", "editor", withText(({ history: _, ...stored }) => stored)],
  ["loses tags", "desk", withSnapshot(() => ({ tags: new Set() }))],
  ["loses the output", "wizard", withSnapshot(() => ({ output: undefined }))],
  ["loses the error of a failed child", "checkout", withSnapshot(() => ({ error: undefined }))],
  ["emits an event twice", "bell", withCommands((commands) => commands.flatMap((command): ReadonlyArray<Command> => (command.type === "emit" ? [command, command] : [command])))],
  ["drops the parameters of an action", "looper", withCommands((commands) => commands.map((command) => (command.type === "act" ? { ...command, params: undefined } : command)))],
  ["drops a custom action", "light", withoutFirst("act")],
  ["drops a log line", "bell", withoutFirst("log")],
  ["drops a message", "order", withoutFirst("send")],
  [
    "sends to the parent what was for a child",
    "order",
    withCommands((commands) => commands.map((command) => (command.type === "send" && command.to.kind === "child" ? { ...command, to: { kind: "parent" } } : command))),
  ],
  ["never starts a child that was spawned in an assign", "crew", withoutFirst("child.start")],
  ["never stops a child", "crew", withoutFirst("child.stop")],
  [
    "stops a child that has ended",
    "payment",
    withStep((taken) => ({ ...taken, state: { ...taken.state, children: Object.fromEntries(Object.entries(taken.state.children).map(([id, { ended: _, ...child }]) => [id, child])) } })),
  ],
  ["passes the wrong input to a child", "payment", withCommands((commands) => commands.map((command) => (command.type === "child.start" ? { ...command, input: null } : command)))],
  ["reports what was handled as ignored", "switchboard", withStep((taken) => ({ ...taken, outcome: taken.outcome === "handled" ? "ignored" : taken.outcome }))],
  ["leaves regions in the order of their last entry", "quartet", withSnapshot(({ _nodes }) => ({ _nodes: [...(_nodes as ReadonlyArray<unknown>)].reverse() }))],
  [
    "forgets the event of a delayed message in the store",
    "reminder",
    withText((stored) => ({ ...stored, ...("timers" in stored ? { timers: Object.fromEntries(Object.entries(stored.timers as object).map(([id, { event: _, ...timer }]) => [id, timer])) } : {}) })),
  ],
  ["forgets a reference in context in the store", "crew", withText((stored) => JSON.parse(JSON.stringify(stored).replaceAll('"xstate$$type"', '"other"')) as Record<string, unknown>)],
  ["moves an actor that has ended", "survey", withStep((taken) => (taken.outcome === "ended" ? { ...taken, outcome: "handled" } : taken))],
];

const choices = fc.array(fc.nat({ max: 0xffff }), { minLength: 1, maxLength: 300, size: "max" });
const search = (machine: string, subject: Subject, numRuns = 60) => {
  const fixture = fixtures.find((it) => it.machine.id === machine);
  if (fixture === undefined) throw new Error(`no machine ${machine}`);
  const counts = { steps: 0, states: new Set<string>(), transitions: new Set<unknown>() };
  return fc.check(
    fc.property(choices, fc.boolean(), (chosen, throughJson) => walk(fixture, chosen, { counts, throughJson, subject })),
    { numRuns, endOnFailure: true },
  );
};

describe("step > conformance with XState > planted bugs", () => {
  beforeAll(() => void vi.spyOn(console, "warn").mockImplementation(() => {}));
  afterEach(() => setImmediate()); // lets the test runner report

  for (const [bug, machine, subject] of planted) {
    test(`walks over "${machine}" find a step that ${bug}`, () => {
      const { failed, errorInstance } = search(machine, subject);
      expect(failed).toBe(true);
      expect(errorInstance).toBeInstanceOf(Difference);
    });
  }
  for (const machine of new Set(planted.map(([, machine]) => machine))) {
    test(`the same search over "${machine}" finds nothing in the step as it is`, () => expect(search(machine, taskwright, 10).failed).toBe(false));
  }
});
