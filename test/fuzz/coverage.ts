import type { Command } from "../../src/actor/index.ts";
import type { Transition } from "../../src/engine/index.ts";
import { actKinds, guardKinds } from "./chart.ts";
import type { Built } from "./build.ts";

/** What the fuzz must generate, and see happen. */
export const features: ReadonlyArray<string> = [
  ...["root compound", "root parallel", "atomic", "compound", "parallel", "final", "history shallow", "history deep", "tags", "final output"],
  ...["on", "on at the root", "on a.*", "on a.y.*", "on i.*", "on *", "always", "after a number", "after short", "after dynamic"],
  ...["onDone of a state", "onDone of a parallel state", "onDone of an actor", "onError", "targetless", "several targets", "to shallow history", "to deep history", "reenter"],
  ...["invoke machine", "invoke promise", "invoke inlineMachine", "invoke inlinePromise"],
  ...guardKinds.map((kind) => `guard ${kind}`),
  ...actKinds,
];
/** Shapes of states: there is nothing to be taken in them. */
const shapes: ReadonlyArray<string> = [
  "root compound",
  "root parallel",
  "atomic",
  "compound",
  "parallel",
  "final",
  "history shallow",
  "history deep",
  "tags",
  "final output",
  "invoke machine",
  "invoke promise",
  "invoke inlineMachine",
  "invoke inlinePromise",
];

export const mustBeTaken: ReadonlyArray<string> = [
  ...features.filter((feature) => !shapes.includes(feature)),
  ...["told the root", "told a child", "a promise resolved", "a promise rejected", "waited", "was away"],
  ...["timer.cancel", "child.start machine", "child.start promise", "child.stop", "emit", "act", "log"],
  ...["send to self", "send to parent", "send to child", "send to address", "a timer for self", "a timer for parent", "a timer for child", "a timer for address"],
  ...["ended done", "ended error", "ended stopped", "history remembered", "output", "stale"],
  ...["regions in document order", "delayed id again", "stale completion", "second child with the id of a living one", "reference to a later child", "child that the first state starts and stops"],
];

/** What comes so seldom that only a long run can be held to it. */
export const rare: ReadonlyArray<string> = [
  "send to address",
  "a timer for address",
  "reference to a later child",
  "stale completion",
  "second child with the id of a living one",
  "child that the first state starts and stops",
];

interface Node {
  readonly entry: ReadonlyArray<unknown>;
  readonly exit: ReadonlyArray<unknown>;
}

/** Counts what the steps did. */
export const countTaken = (built: Built, transitions: ReadonlyArray<Transition>, count: (what: string) => void): void => {
  const marked = (thing: unknown) => {
    if (typeof thing === "object" || typeof thing === "function") for (const feature of built.marks.get(thing as object) ?? []) count(feature);
  };
  for (const { step, outcome, status, state, event } of transitions) {
    if (outcome === "stale") count("stale");
    if (step === undefined) continue;
    if (status !== "active" && outcome === "handled") count(`ended ${status}`);
    if (status === "done" && state.snapshot.output !== undefined) count("output");
    if (Object.keys(state.snapshot.historyValue as object).length > 0) count("history remembered");
    if (event.type === "taskwright.start") for (const node of nodesOf(state.snapshot)) node.entry.forEach(marked);
    let active = new Set<Node>();
    for (const { snapshot, _transitions } of step.microsteps) {
      for (const transition of _transitions as ReadonlyArray<{ meta?: object; actions?: ReadonlyArray<unknown> }>) {
        marked(transition.meta);
        transition.actions?.forEach(marked);
      }
      const nodes = new Set(nodesOf(snapshot));
      for (const node of nodes) if (!active.has(node)) node.entry.forEach(marked);
      for (const node of active) if (!nodes.has(node)) node.exit.forEach(marked);
      active = nodes;
    }
    for (const command of step.commands) count(nameOf(command, state.timers, built));
  }
};

const nodesOf = (snapshot: unknown): ReadonlyArray<Node> => (snapshot as { readonly _nodes: ReadonlyArray<Node> })._nodes;

const nameOf = (command: Command, timers: Transition["state"]["timers"], built: Built): string => {
  switch (command.type) {
    case "send":
      return `send to ${command.to.kind}`;
    case "child.start":
      return `child.start ${built.machines.some(({ id }) => id === command.src) || command.src.startsWith("xstate.") ? "machine" : "promise"}`;
    case "timer.set":
      return `a timer for ${timers[command.id]?.to?.kind ?? "self"}`;
    default:
      return command.type;
  }
};
