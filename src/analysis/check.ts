import type { AnyStateMachine } from "xstate";
import { define, isMachine, MachineRefused, type Source, sourcesOf } from "../actor/index.ts";
import { type ActivityOptions, type DurableMachine, isDurable } from "../engine/index.ts";
import { checkChart, type LimitOf } from "./check-chart.ts";
import { type Declared, declaredBy } from "./declared.ts";
import type { Finding } from "./finding.ts";
import { type Flow, flowOf, matches } from "./flow.ts";
import type { Graph } from "./graph.ts";
import { graphOf } from "./graph-of.ts";
import { type Sends, sendsOf } from "./sends.ts";

export interface CheckReport {
  readonly findings: ReadonlyArray<Finding>;
  /** What was looked at. */
  readonly machines: ReadonlyArray<CheckedMachine>;
}

export interface CheckedMachine {
  readonly machine: string;
  readonly version: string;
  readonly states: number;
  readonly edges: number;
  /** Combinations of active states that were walked through, whatever the guards say. */
  readonly configurations: number;
  /** All that there are: what was not found is proved not to be there. False: there were more than the walk takes. */
  readonly complete: boolean;
}

interface Looked {
  readonly machine: AnyStateMachine;
  readonly graph: Graph;
  readonly flow: Flow;
  readonly declared: Declared;
  readonly sends: Sends;
  readonly options: Partial<DurableMachine>;
}

/**
 * Looks at charts for what can be seen without running them. It walks through everything that a chart allows, whatever
 * its guards say: what it calls unreachable is proved to be so, and a leak comes with the way that leads to it. Child
 * machines of those that are given are looked at, too; which events come from whom is judged over all of them together.
 */
export const checkCharts = (entries: ReadonlyArray<AnyStateMachine | DurableMachine>): CheckReport => {
  const looked = everyMachine(entries).map(lookAt);
  const findings = looked.flatMap((one) => [...refused(one), ...checkChart(one.graph, one.flow, one.declared.resources, limitsOf(one), delayedIn(one)), ...checkEvents(one, looked)]);
  return {
    findings,
    machines: looked.map(({ graph, flow }) => ({
      machine: graph.machine,
      version: graph.version,
      states: graph.nodes.length - 1,
      edges: graph.edges.length,
      configurations: flow.configurations,
      complete: flow.complete,
    })),
  };
};

const lookAt = (options: DurableMachine): Looked => {
  const { machine } = options;
  const graph = graphOf(machine);
  const declared = declaredBy(machine);
  return { machine, graph, declared, flow: flowOf(graph, declared.resources), sends: sendsOf(machine), options };
};

/** The machines and their child machines, each once, with their options. */
const everyMachine = (entries: ReadonlyArray<AnyStateMachine | DurableMachine>): ReadonlyArray<DurableMachine> => {
  const found = new Map<AnyStateMachine, DurableMachine>();
  for (const entry of entries) {
    const durable = isDurable(entry) ? entry : { machine: entry };
    if (!found.has(durable.machine) || isDurable(entry)) found.set(durable.machine, durable);
  }
  for (const { machine } of found.values()) for (const { logic } of sourcesOf(machine).values()) if (isMachine(logic) && !found.has(logic)) found.set(logic, { machine: logic });
  return [...found.values()];
};

/** What would keep the engine from taking it: names that nothing implements, side effects without a name, and the like. */
const refused = ({ machine, graph, options, declared }: Looked): ReadonlyArray<Finding> => {
  const findings = declared.problems.map((what): Finding => ({ rule: "declaration", machine: graph.machine, at: graph.root, what, remedy: "correct it" }));
  try {
    define(machine, { actions: [...Object.keys(options.actions ?? {}), ...Object.keys(options.within ?? {})], ...(options.early === undefined ? {} : { early: options.early }) });
  } catch (error) {
    if (!(error instanceof MachineRefused)) throw error;
    for (const problem of error.problems) {
      const [, what = problem, remedy = "correct it"] = /^(.*?); (.*)$/s.exec(problem) ?? [];
      findings.push({ rule: "refused", machine: graph.machine, at: graph.root, what, remedy });
    }
  }
  return findings;
};

/** How long the children of a machine may take. A child machine has bounds of its own, which are looked at where it is. */
const limitsOf = ({ machine, options }: Looked): LimitOf => {
  const sources: ReadonlyMap<string, Source> = sourcesOf(machine);
  const activities: Readonly<Record<string, ActivityOptions>> = options.activities ?? {};
  return (src) => {
    const kind = sources.get(src)?.kind;
    if (kind === "machine") return "limited";
    if (kind !== "promise") return "endless";
    const { timeoutMs, heartbeatTimeoutMs } = activities[src] ?? {};
    return timeoutMs !== undefined || heartbeatTimeoutMs !== undefined ? "limited" : "unlimited";
  };
};

/** Types of the events that the machine sends to itself after a delay. */
const delayedIn = ({ sends }: Looked): ReadonlySet<string> => new Set(sends.certain.flatMap(({ delayed, to, type }) => (delayed && to === "self" ? [type] : [])));

const checkEvents = (one: Looked, all: ReadonlyArray<Looked>): ReadonlyArray<Finding> => {
  const { graph, declared, sends, machine } = one;
  const findings: Array<Finding> = [];
  const takes = (other: Graph, type: string) => other.events.some((event) => matches(type, event));
  const { senders } = declared;
  for (const type of senders === undefined ? [] : graph.events) {
    if (type.endsWith("*")) continue;
    const who = senders?.[type];
    const named = who === undefined ? undefined : all.find((other) => other.graph.machine === who);
    const edge = graph.edges.find(({ event }) => event === type);
    if (who === undefined && !all.some((other) => other.sends.possible.has(type)))
      findings.push({
        rule: "nobody-sends",
        machine: graph.machine,
        at: edge?.id ?? graph.root,
        what: `nobody sends "${type}": no machine here does, and its meta.senders names nobody`,
        remedy: `say in meta.senders who does, or remove it`,
      });
    if (named !== undefined && !named.sends.possible.has(type))
      findings.push({
        rule: "nobody-sends",
        machine: graph.machine,
        at: edge?.id ?? graph.root,
        what: `its meta.senders says that the machine "${who}" sends "${type}", but that does not`,
        remedy: "name who does, or send it there",
      });
  }
  for (const type of Object.keys(senders ?? {}))
    if (!graph.events.includes(type))
      findings.push({ rule: "declaration", machine: graph.machine, at: graph.root, what: `its meta.senders names "${type}", which no state takes`, remedy: "correct the name, or remove it" });

  const parents = all.filter((other) => [...sourcesOf(other.machine).values()].some(({ logic }) => logic === (machine as unknown)));
  for (const { type, to, child, by } of sends.certain) {
    const nobody = (who: string): Finding => ({
      rule: "nobody-takes",
      machine: graph.machine,
      at: by,
      what: `it sends "${type}" to ${who}, in which no state takes it`,
      remedy: "correct the type, or take it there",
    });
    if (to === "self" && !takes(graph, type)) findings.push(nobody("itself"));
    if (to === "parent" && parents.length > 0 && !parents.some((other) => takes(other.graph, type))) findings.push(nobody(parents.map((other) => `its parent "${other.graph.machine}"`).join(" or ")));
    if (to === "child") {
      const src = graph.nodes.flatMap(({ invokes = [] }) => invokes).find(({ id }) => id === child)?.src;
      const logic = src === undefined ? undefined : sourcesOf(machine).get(src)?.logic;
      if (isMachine(logic) && !takes(graphOf(logic), type)) findings.push(nobody(`its child "${child}"`));
    }
  }
  return findings;
};
