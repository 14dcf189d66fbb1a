import * as Schema from "effect/Schema";
import type { AnyStateMachine } from "xstate";
import { activity, activityActions } from "../../machines/activity.ts";
import { live, liveActions } from "../../machines/live.ts";
import { supervisor, supervisorActions } from "../../machines/supervisor.ts";
import { type Definition, define, isMachine, MachineRefused, reducerId, reducerMachine } from "../actor/index.ts";
import type { Early } from "../domain/envelope.ts";
import { isReserved } from "../domain/event.ts";
import type { Limits } from "../domain/limits.ts";
import { RetryPolicy } from "../domain/retry.ts";
import { checkSupervision, defaultSupervision, type Supervision } from "../domain/supervision.ts";
import { type Contract, contractOf, type Schemas, wrongSchemas } from "./contract.ts";
import { InvalidOptions } from "./errors.ts";

/** How one invoked promise is carried out; of a callback or observable, `retry` and `interruptionsMax` are heeded. Times in milliseconds. */
export interface ActivityOptions {
  readonly retry?: RetryPolicy;
  readonly timeoutMs?: number;
  readonly heartbeatTimeoutMs?: number;
  readonly interruptionsMax?: number;
}

/** What a host's implementation of a custom action is given. It runs after the transition is stored, at least once. */
export interface ActionInfo {
  readonly address: string;
  /** The history row that asked for it: with the address and the action's name an idempotency key. */
  readonly seq: number;
  readonly event: { readonly type: string; readonly [key: string]: unknown };
  /** The actor's context when the action runs. */
  readonly context: unknown;
  readonly params: unknown;
}

export interface MachineOptions extends Schemas {
  /** What happens to an actor whose transition throws. Default: resume. */
  readonly supervision?: Partial<Supervision>;
  /** By the name in `setup({ actors })`. */
  readonly activities?: Readonly<Record<string, ActivityOptions>>;
  /** Implementations of custom actions outside the machine; they go before the machine's own. */
  readonly actions?: Readonly<Record<string, (info: ActionInfo) => unknown>>;
  /**
   * What happens to an event that comes before the state that takes it, by event type. `drop` (the default): it is
   * ignored. `refuse`: the sender gets `EventRefused`. `keep`: it waits, in order, until a state takes it.
   */
  readonly early?: Readonly<Record<string, Early>>;
}

/** A machine with its options, as it stands in the engine's list of machines. */
export interface DurableMachine extends MachineOptions {
  readonly machine: AnyStateMachine;
}

export interface Registered {
  readonly definition: Definition;
  readonly supervision: Supervision;
  readonly activities: Readonly<Record<string, ActivityOptions>>;
  readonly actions: ReadonlyMap<string, (info: ActionInfo) => unknown>;
  /** Its schemas, if it has any. */
  readonly contract: Contract | undefined;
  /** The engine's own machines: the host can't start or address them as its own. */
  readonly internal: boolean;
}

export interface Registry {
  readonly byId: ReadonlyMap<string, Registered>;
  readonly byHash: ReadonlyMap<string, Registered>;
  readonly activity: Registered;
  readonly live: Registered;
  readonly supervisor: Registered;
}

export const isDurable = (entry: AnyStateMachine | DurableMachine): entry is DurableMachine => typeof entry === "object" && entry !== null && "machine" in entry && !("implementations" in entry);

/** Throws `InvalidOptions` with everything that is wrong with all machines. */
export const makeRegistry = (entries: ReadonlyArray<AnyStateMachine | DurableMachine>, limits: Limits): Registry => {
  const problems: Array<string> = [];
  const byId = new Map<string, Registered>();
  const byHash = new Map<string, Registered>();
  const add = (registered: Registered) => {
    const { id, hash } = registered.definition;
    if (byId.has(id)) problems.push(`two machines have the id "${id}"`);
    byId.set(id, registered);
    byHash.set(hash, registered);
    return registered;
  };
  const internal = (machine: AnyStateMachine, actions: ReadonlyArray<string>, supervision = defaultSupervision) =>
    add({
      definition: define(machine, { limits, actions }),
      supervision,
      activities: {},
      actions: new Map(),
      contract: undefined,
      internal: true,
    });
  const activities = internal(activity, activityActions);
  const lives = internal(live, liveActions);
  const supervisors = internal(supervisor, supervisorActions);
  const visit = (entry: DurableMachine) => {
    const actions = new Map(Object.entries(entry.actions ?? {}));
    const id = isMachine(entry.machine) ? entry.machine.id : "?";
    const supervision = { ...defaultSupervision, ...entry.supervision };
    for (const problem of checkSupervision(supervision)) problems.push(`machine "${id}", supervision: ${problem}`);
    const wrong = wrongSchemas(id, entry);
    problems.push(...wrong);
    try {
      const definition = define(entry.machine, { limits, actions: [...actions.keys()], ...(entry.early === undefined ? {} : { early: entry.early }) });
      if (isReserved(definition.id) || definition.id === "ask") problems.push(`the machine id "${definition.id}" belongs to the engine: nobody could send to its actors; choose another id`);
      if (byHash.get(definition.hash)?.definition.original === entry.machine) return;
      for (const [name, options] of Object.entries(entry.activities ?? {})) problems.push(...checkActivity(definition, name, options));
      add({
        definition,
        supervision,
        activities: entry.activities ?? {},
        actions,
        contract: wrong.length > 0 ? undefined : contractOf(entry, limits),
        internal: false,
      });
      for (const source of definition.sources.values()) {
        // As in XState, a reducer that throws is over, and its parent is told.
        if (source.kind === "transition") internal(reducerMachine(reducerId(definition.id, source.name), definition.version, source.logic), [], { ...defaultSupervision, strategy: "escalate" });
        // A child machine is known by being a source of its parent; a registration of its own only adds options.
        if (source.kind === "machine" && !entries.some((other) => (isDurable(other) ? other.machine : other) === (source.logic as unknown))) visit({ machine: source.logic as AnyStateMachine });
      }
    } catch (error) {
      if (!(error instanceof MachineRefused)) throw error;
      problems.push(error.message);
    }
  };
  const given = entries.map((entry) => (isDurable(entry) ? entry.machine : entry));
  given.forEach((machine, index) => {
    if (isMachine(machine) && given.indexOf(machine) < index) problems.push(`the machine "${machine.id}" is listed twice; keep the entry with its options`);
  });
  for (const entry of entries) visit(isDurable(entry) ? entry : { machine: entry });
  if (problems.length > 0) throw new InvalidOptions({ problems });
  return { byId, byHash, activity: activities, live: lives, supervisor: supervisors };
};

const checkActivity = (definition: Definition, name: string, options: ActivityOptions): ReadonlyArray<string> => {
  const where = `machine "${definition.id}", activity "${name}"`;
  const problems: Array<string> = [];
  const source = definition.sources.get(name);
  if (source === undefined) problems.push(`${where}: the machine has no such actor (it has: ${[...definition.sources.keys()].join(", ") || "none"})`);
  if (options.retry !== undefined && !Schema.is(RetryPolicy)(options.retry)) problems.push(`${where}: the retry policy is not valid (attemptsMax and backoff { kind, baseMs } are needed)`);
  for (const key of ["timeoutMs", "heartbeatTimeoutMs", "interruptionsMax"] as const) {
    const value = options[key];
    if (value !== undefined && !(Number.isFinite(value) && value > 0)) problems.push(`${where}: ${key} must be a positive number`);
  }
  return problems;
};
