import { createHash } from "node:crypto";
import {
  type AnyActorLogic,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type AnyStateNode,
  fromCallback,
  fromEventObservable,
  fromObservable,
  fromPromise,
  fromTransition,
  StateMachine,
  type StateValue,
} from "xstate";
import { childAddress } from "../domain/address.ts";
import type { Early } from "../domain/envelope.ts";
import { defaultLimits, type Limits } from "../domain/limits.ts";
import { said } from "../domain/names.ts";
import { checkEarly, checkMachine } from "./check.ts";
import { orderedValue, putInDocumentOrder } from "./order.ts";
import { ActorReference } from "./reference.ts";
import { makeStepSystem, type StepSystem } from "./scope.ts";
import { StateMismatch } from "./state.ts";

export type SourceKind = "machine" | "promise" | "callback" | "observable" | "eventObservable" | "transition" | "unknown";

/** Something that a machine can invoke or spawn, by its name in `setup({ actors })`, or by XState's name for inline invoked logic: `xstate.invoke.<index>.<state id>`. */
export interface Source {
  readonly name: string;
  readonly kind: SourceKind;
  readonly logic: AnyActorLogic;
}

/** A machine made ready for stepping: checked, hashed, its actor sources replaced by stubs. */
export interface Definition {
  readonly id: string;
  readonly version: string;
  /** Changes whenever the chart changes (not when the body of a function does). */
  readonly hash: string;
  /** The chart as JSON; functions appear by name. */
  readonly chart: string;
  /** What `step` runs. */
  readonly machine: AnyStateMachine;
  /** The machine as the user wrote it. */
  readonly original: AnyStateMachine;
  readonly sources: ReadonlyMap<string, Source>;
  readonly limits: Limits;
  /** Undefined where every early event is dropped. */
  readonly early: ReadonlyMap<string, Early> | undefined;
  readonly system: StepSystem;
  readonly template: (value: StateValue) => AnyMachineSnapshot;
  /** The states that a history state remembers, by their ids. */
  readonly historyOf: (id: string, remembered: ReadonlyArray<string>) => ReadonlyArray<AnyStateNode>;
  readonly childReference: (self: ActorReference, id: string, src: string | undefined) => ActorReference;
}

/** Everything that is wrong with a machine, at once. */
export class MachineRefused extends Error {
  readonly machine: string;
  readonly problems: ReadonlyArray<string>;
  constructor(machine: string, problems: ReadonlyArray<string>) {
    super(`machine "${machine}" can't be made durable:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`);
    this.name = "MachineRefused";
    this.machine = machine;
    this.problems = problems;
  }
}

export interface DefineOptions {
  readonly limits?: Limits;
  /** Names of custom actions that a host implements outside the machine. `any`: whatever they are called. */
  readonly actions?: ReadonlyArray<string> | "any";
  /** What happens to events that come before the state that takes them, by event type. Default: drop. */
  readonly early?: Readonly<Record<string, Early>>;
}

/**
 * Throws `MachineRefused` with all problems of the machine. What it finds out is kept with the machine: a process that
 * opens many engines, as tests do, looks at each machine once.
 */
export const define = (machine: AnyStateMachine, options: DefineOptions = {}): Definition => {
  if (!(machine instanceof StateMachine)) throw new MachineRefused(foreignId(machine), [foreign(machine)]);
  const limits = options.limits ?? defaultLimits;
  const actions = options.actions === "any" ? "any" : [...(options.actions ?? [])].sort();
  const key = JSON.stringify([limits.microstepsMax, actions, options.early]);
  const made = prepared.get(machine) ?? new Map<string, Prepared>();
  const known = made.get(key) ?? prepare(machine, limits.microstepsMax, options);
  made.set(key, known);
  prepared.set(machine, made);
  return { ...known, limits };
};

const isForeign = (machine: unknown): machine is { readonly id: unknown } => typeof machine === "object" && machine !== null && "implementations" in machine && "root" in machine;
const foreignId = (machine: unknown): string => (isForeign(machine) ? String(machine.id) : "?");
/** Why something is no machine here. A second copy of XState is a frequent reason, and the least visible one. */
const foreign = (machine: unknown): string =>
  isForeign(machine)
    ? 'another copy of xstate made this machine; "npm ls xstate" must list one copy: install the version that taskwright asks for'
    : `this is not an XState machine, but ${said(machine)}: pass what createMachine() or setup().createMachine() returned`;

/** A definition but for the limits that matter only when something is stepped. */
type Prepared = Omit<Definition, "limits">;
const prepared = new WeakMap<AnyStateMachine, Map<string, Prepared>>();

const prepare = (machine: AnyStateMachine, microstepsMax: number, options: DefineOptions): Prepared => {
  const sources = sourcesOf(machine);
  const problems = [...checkMachine(machine, { sources, actions: options.actions === "any" ? "any" : new Set(options.actions ?? []) }), ...checkEarly(machine, options.early ?? {})];
  if (problems.length > 0) throw new MachineRefused(machine.id, problems);
  const system = makeStepSystem();
  const stubbed = new StateMachine(withStubs(machine.config, system.stub), {
    ...machine.implementations,
    actors: Object.fromEntries([...sources.keys()].map((name) => [name, system.stub])),
  } as never) as unknown as AnyStateMachine;
  const declared = stubbed.options.maxIterations ?? Number.POSITIVE_INFINITY;
  stubbed.options = { ...stubbed.options, maxIterations: Math.min(declared, microstepsMax) };
  const { version, chart, hash } = formOf(machine);
  const templates = new Map<string, AnyMachineSnapshot>();
  const idMap = (stubbed.root.machine as unknown as { idMap: Map<string, AnyStateNode> }).idMap;
  return {
    id: machine.id,
    version,
    hash,
    chart,
    machine: stubbed,
    original: machine,
    sources,
    early: options.early === undefined ? undefined : new Map(Object.entries(options.early)),
    system,
    template: (value) => {
      const key = typeof value === "string" ? value : JSON.stringify(value);
      let template = templates.get(key);
      if (template !== undefined) return template;
      let wanted: string;
      try {
        wanted = JSON.stringify(orderedValue(stubbed.root, value));
        template = stubbed.resolveState({ value, context: {} } as never) as AnyMachineSnapshot;
      } catch (cause) {
        throw new StateMismatch(`machine "${machine.id}" has no state ${key} (${cause instanceof Error ? cause.message : "unreadable"})`);
      }
      putInDocumentOrder(template);
      if (JSON.stringify(template.value) !== wanted) throw new StateMismatch(`machine "${machine.id}" would read the state ${key} as ${JSON.stringify(template.value)}`);
      // Many regions have more combinations than memory has room for.
      if (templates.size >= templatesMax) templates.clear();
      templates.set(key, template);
      return template;
    },
    historyOf: (id, remembered) => {
      const nodeOf = (named: string): AnyStateNode => {
        const node = idMap.get(named);
        if (node === undefined) throw new StateMismatch(`machine "${machine.id}" has no state node "${named}" that the stored history names`);
        return node;
      };
      const history = nodeOf(id);
      if (history.type !== "history") throw new StateMismatch(`machine "${machine.id}": "${id}" is no history state, but the stored history has it`);
      return remembered.map((named) => {
        const node = nodeOf(named);
        if (!isWithin(node, history.parent)) throw new StateMismatch(`machine "${machine.id}": the stored history of "${id}" names "${named}", which lies elsewhere`);
        return node;
      });
    },
    childReference: (self, id, src) => new ActorReference(childAddress(self.address, id), { parent: self, src, id, system: system.system }),
  };
};

/** Everything that a machine can invoke or spawn, by its name. */
export const sourcesOf = (machine: AnyStateMachine): ReadonlyMap<string, Source> => {
  const sources = new Map<string, Source>();
  for (const [name, logic] of Object.entries(machine.implementations.actors as Record<string, unknown>)) {
    const actual = (typeof logic === "object" && logic !== null && "src" in logic ? logic.src : logic) as AnyActorLogic;
    sources.set(name, { name, kind: kindOf(actual), logic: actual });
  }
  for (const { name, logic } of inlineInvokes(machine.root)) sources.set(name, { name, kind: kindOf(logic), logic });
  return sources;
};

/** What tells one form of a machine from another: a machine without a version has the version "1". */
export const formOf = (machine: AnyStateMachine): Pick<Definition, "version" | "chart" | "hash"> => {
  const version = machine.version ?? "1";
  const chart = chartOf(machine);
  return { version, chart, hash: createHash("sha256").update(`${version}\n${chart}`).digest("hex").slice(0, 16) };
};

const isWithin = (node: AnyStateNode, ancestor: AnyStateNode | undefined): boolean => {
  for (let above = node.parent; above !== undefined; above = above.parent) if (above === ancestor) return true;
  return false;
};

/** How many configurations of a machine are kept ready. */
const templatesMax = 10_000;

type Invoke = { readonly src: unknown };
const listOf = <A>(value: A | ReadonlyArray<A> | undefined): ReadonlyArray<A> => (value === undefined ? [] : Array.isArray(value) ? value : [value as A]);

/** Logic that stands in an `invoke` itself: the state's id and its place there are its name. */
const inlineInvokes = (node: AnyStateNode): ReadonlyArray<{ readonly name: string; readonly logic: AnyActorLogic }> => [
  ...listOf<Invoke>(node.config.invoke).flatMap(({ src }, index) => (typeof src === "string" ? [] : [{ name: `xstate.invoke.${index}.${node.id}`, logic: src as AnyActorLogic }])),
  ...Object.values(node.states as Record<string, AnyStateNode>).flatMap(inlineInvokes),
];

// XState takes inline logic from the config and from nowhere else, so the stub has to stand there.
const withStubs = <Config extends { readonly invoke?: unknown; readonly states?: unknown }>(config: Config, stub: AnyActorLogic): Config => {
  const invokes = listOf<Invoke>(config.invoke as Invoke | ReadonlyArray<Invoke> | undefined);
  const states = config.states as Record<string, Config> | undefined;
  return {
    ...config,
    ...(invokes.some(({ src }) => typeof src !== "string") ? { invoke: invokes.map((invoke) => (typeof invoke.src === "string" ? invoke : { ...invoke, src: stub })) } : {}),
    ...(states === undefined ? {} : { states: Object.fromEntries(Object.entries(states).map(([key, state]) => [key, withStubs(state, stub)])) }),
  };
};

// Every fromX() makes the same functions anew, so the text of `transition` tells the kind without running user code.
const noop = () => {};
const kinds = new Map<string, SourceKind>([
  [text(fromPromise(async () => {})), "promise"],
  [text(fromCallback(noop)), "callback"],
  [text(fromObservable(() => ({ subscribe: () => ({ unsubscribe: noop }) }))), "observable"],
  [text(fromEventObservable(() => ({ subscribe: () => ({ unsubscribe: noop }) }))), "eventObservable"],
  [text(fromTransition((state) => state, undefined)), "transition"],
]);
function text(logic: AnyActorLogic): string {
  return String(logic.transition);
}
const kindOf = (logic: AnyActorLogic): SourceKind => {
  if (logic instanceof StateMachine) return "machine";
  if (typeof logic !== "object" || logic === null || typeof logic.transition !== "function") return "unknown";
  return kinds.get(text(logic)) ?? "unknown";
};

// Maps whose order is part of what they mean: regions, timers that are set together, wildcards of equal length.
const ordered: ReadonlySet<string> = new Set(["states", "on", "after"]);

/** The machine's config as canonical JSON: keys sorted (but not states, events and delays), functions by name, actor logic by kind. */
export const chartOf = (machine: AnyStateMachine): string => {
  const seen = new Set<object>();
  const plain = (value: unknown, under = ""): unknown => {
    if (typeof value === "function") {
      const type = "type" in value && typeof value.type === "string" ? value.type : value.name;
      return { function: type === "" ? "anonymous" : type };
    }
    if (typeof value === "bigint" || typeof value === "symbol") return String(value);
    if (typeof value !== "object" || value === null) return value;
    if (value instanceof StateMachine) return { machine: value.id };
    if ("transition" in value && typeof value.transition === "function") return { logic: kindOf(value as unknown as AnyActorLogic) };
    if (seen.has(value)) return { repeated: true };
    seen.add(value);
    const result = Array.isArray(value)
      ? value.map((item) => plain(item))
      : Object.fromEntries((ordered.has(under) ? Object.keys(value) : Object.keys(value).sort()).map((key) => [key, plain((value as Record<string, unknown>)[key], key)]));
    seen.delete(value);
    return result;
  };
  return JSON.stringify(plain(machine.config));
};
