import { createHash } from "node:crypto";
import { type AnyActorLogic, type AnyMachineSnapshot, type AnyStateMachine, fromCallback, fromEventObservable, fromObservable, fromPromise, fromTransition, StateMachine, type StateValue } from "xstate";
import { childAddress } from "../domain/address.ts";
import { defaultLimits, type Limits } from "../domain/limits.ts";
import { checkMachine } from "./check.ts";
import { ActorReference } from "./reference.ts";
import { makeStepSystem, type StepSystem } from "./scope.ts";
import { StateMismatch } from "./state.ts";

export type SourceKind = "machine" | "promise" | "callback" | "observable" | "eventObservable" | "transition" | "unknown";

/** Something that a machine can invoke or spawn, by its name in `setup({ actors })`. */
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
  readonly system: StepSystem;
  readonly template: (value: StateValue) => AnyMachineSnapshot;
  readonly stateNode: (id: string) => unknown;
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
  /** Names of custom actions that a host implements outside the machine. */
  readonly actions?: ReadonlyArray<string>;
}

/** Throws `MachineRefused` with all problems of the machine. */
export const define = (machine: AnyStateMachine, options: DefineOptions = {}): Definition => {
  if (!(machine instanceof StateMachine)) throw new MachineRefused("?", ["this is not an XState machine: pass what createMachine() or setup().createMachine() returned"]);
  const limits = options.limits ?? defaultLimits;
  const sources = new Map<string, Source>();
  for (const [name, logic] of Object.entries(machine.implementations.actors as Record<string, unknown>)) {
    const actual = (typeof logic === "object" && logic !== null && "src" in logic ? logic.src : logic) as AnyActorLogic;
    sources.set(name, { name, kind: kindOf(actual), logic: actual });
  }
  const problems = checkMachine(machine, { sources, actions: new Set(options.actions ?? []) });
  if (problems.length > 0) throw new MachineRefused(machine.id, problems);
  const system = makeStepSystem();
  const stubbed = machine.provide({ actors: Object.fromEntries([...sources.keys()].map((name) => [name, system.stub])) }) as AnyStateMachine;
  const declared = stubbed.options.maxIterations ?? Number.POSITIVE_INFINITY;
  stubbed.options = { ...stubbed.options, maxIterations: Math.min(declared, limits.microstepsMax) };
  const version = machine.version ?? "1";
  const chart = chartOf(machine);
  const templates = new Map<string, AnyMachineSnapshot>();
  return {
    id: machine.id,
    version,
    hash: createHash("sha256").update(`${version}\n${chart}`).digest("hex").slice(0, 16),
    chart,
    machine: stubbed,
    original: machine,
    sources,
    limits,
    system,
    template: (value) => {
      const key = typeof value === "string" ? value : JSON.stringify(value);
      let template = templates.get(key);
      if (template === undefined) {
        try {
          template = stubbed.resolveState({ value, context: {} } as never) as AnyMachineSnapshot;
        } catch (cause) {
          throw new StateMismatch(`machine "${machine.id}" has no state ${key} (${cause instanceof Error ? cause.message : "unreadable"})`);
        }
        if (JSON.stringify(template.value) !== JSON.stringify(value)) throw new StateMismatch(`machine "${machine.id}" would read the state ${key} as ${JSON.stringify(template.value)}`);
        templates.set(key, template);
      }
      return template;
    },
    stateNode: (id) => {
      const node: unknown = (stubbed.root.machine as unknown as { idMap: Map<string, unknown> }).idMap.get(id);
      if (node === undefined) throw new StateMismatch(`machine "${machine.id}" has no state node "${id}" that the stored history names`);
      return node;
    },
    childReference: (self, id, src) => new ActorReference(childAddress(self.address, id), { parent: self, src, id, system: system.system }),
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

/** The machine's config as canonical JSON: keys sorted, functions by name, actor logic by kind. */
export const chartOf = (machine: AnyStateMachine): string => {
  const seen = new Set<object>();
  const plain = (value: unknown): unknown => {
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
      ? value.map(plain)
      : Object.fromEntries(
          Object.keys(value)
            .sort()
            .map((key) => [key, plain((value as Record<string, unknown>)[key])]),
        );
    seen.delete(value);
    return result;
  };
  return JSON.stringify(plain(machine.config));
};
