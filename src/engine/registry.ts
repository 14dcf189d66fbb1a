import * as ParseResult from "effect/ParseResult";
import * as Schema from "effect/Schema";
import type { AnyStateMachine } from "xstate";
import { activity, activityActions } from "../../machines/activity.ts";
import { deadLetters } from "../../machines/dead-letters.ts";
import { live, liveActions } from "../../machines/live.ts";
import { supervisor, supervisorActions } from "../../machines/supervisor.ts";
import { type Definition, define, isMachine, MachineRefused, reducerId, reducerMachine, type Source } from "../actor/index.ts";
import type { Early } from "../domain/envelope.ts";
import type { Address } from "../domain/address.ts";
import { isReserved } from "../domain/event.ts";
import type { Limits } from "../domain/limits.ts";
import { type AllNames, checkNames, schemaProblems } from "../domain/names.ts";
import { checkRetention, type Retention } from "../domain/retention.ts";
import { RetryPolicy } from "../domain/retry.ts";
import { checkSupervision, defaultSupervision, type Supervision } from "../domain/supervision.ts";
import { compareVersions } from "../domain/version.ts";
import type { MachineRow } from "../journal/index.ts";
import { type Contract, contractOf, type Schemas, wrongSchemas } from "./contract.ts";
import type { EntryWrite } from "../journal/index.ts";
import type { ActorView } from "./engine.ts";
import { InvalidOptions } from "./errors.ts";
import type { Migrate } from "./versions.ts";

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
  /** The history row that asked for it. */
  readonly seq: number;
  /**
   * Its idempotency key: 43 characters. The same when it is carried out again, after a crash or when its dead letter is
   * requeued; another one for each other action, also of a later actor at the same address. What one transition asks
   * for twice with the same parameters has one key.
   */
  readonly key: string;
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
   * ignored. `refuse`: the sender gets `EventRefused`, also when the actor has ended. `keep`: it waits, in order, until a state takes it.
   */
  readonly early?: Readonly<Record<string, Early>>;
  /** New actors start with this version. Default: the highest version that is registered. */
  readonly current?: boolean;
  /** Moves an actor that another version of this machine wrote to this one. Pure. Nothing: this actor can't be moved. */
  readonly migrate?: Migrate;
  /** How long ended actors and histories are kept; what is left out is as in the engine's own `retention`. */
  readonly retention?: Retention;
  /** The actors because of which an ended one is still needed: it stays while one of them has not ended. Pure. */
  readonly keptBy?: (actor: ActorView) => ReadonlyArray<Address>;
  /** Actions that write entries of outboxes within the turn. */
  readonly within?: Readonly<Record<string, WithinTurn>>;
}

/** What an action that belongs to the turn writes: pure, from its parameters and the moment of the turn. */
export type WithinTurn = (info: { readonly address: Address; readonly at: number; readonly params: unknown }) => ReadonlyArray<EntryWrite>;

/** A machine with its options, as it stands in the engine's list of machines. */
export interface DurableMachine extends MachineOptions {
  readonly machine: AnyStateMachine;
}

const optionNames: AllNames<DurableMachine> = {
  machine: true,
  events: true,
  input: true,
  context: true,
  output: true,
  emitted: true,
  supervision: true,
  activities: true,
  actions: true,
  early: true,
  current: true,
  migrate: true,
  retention: true,
  keptBy: true,
  within: true,
};
const activityNames: AllNames<ActivityOptions> = { retry: true, timeoutMs: true, heartbeatTimeoutMs: true, interruptionsMax: true };

export interface Registered {
  readonly definition: Definition;
  readonly supervision: Supervision;
  readonly activities: Readonly<Record<string, ActivityOptions>>;
  readonly actions: ReadonlyMap<string, (info: ActionInfo) => unknown>;
  readonly within: ReadonlyMap<string, WithinTurn>;
  /** Its schemas made ready, if it has any. */
  readonly contract: Contract | undefined;
  /** Its schemas as they were given. */
  readonly schemas: Schemas;
  readonly current: boolean;
  readonly migrate: Migrate | undefined;
  readonly retention: Retention | undefined;
  readonly keptBy: MachineOptions["keptBy"];
  /** The engine's own machines: the host can't start or address them as its own. */
  readonly internal: boolean;
}

export interface Registry {
  /** What new actors of a machine start with. */
  readonly byId: ReadonlyMap<string, Registered>;
  readonly byHash: ReadonlyMap<string, Registered>;
  /** All versions of each machine, the lowest first. */
  readonly versions: ReadonlyMap<string, ReadonlyArray<Registered>>;
  /** The registration of a child machine, by what stands in its parent's sources. */
  readonly byLogic: ReadonlyMap<unknown, Registered>;
  /** Which forms of machines ever wrote in the journal, by hash. Filled when it is opened. */
  readonly stored: Map<string, Pick<MachineRow, "id" | "version" | "hash" | "chart">>;
  readonly activity: Registered;
  readonly live: Registered;
  readonly supervisor: Registered;
}

export const isDurable = (entry: AnyStateMachine | DurableMachine): entry is DurableMachine => typeof entry === "object" && entry !== null && "machine" in entry && !("implementations" in entry);

/** Throws `InvalidOptions` with everything that is wrong with all machines. */
export const makeRegistry = (entries: ReadonlyArray<AnyStateMachine | DurableMachine>, limits: Limits): Registry => {
  const problems: Array<string> = [];
  const byHash = new Map<string, Registered>();
  const byLogic = new Map<unknown, Registered>();
  const versions = new Map<string, Array<Registered>>();
  const add = (registered: Registered) => {
    const { id, version, hash, original } = registered.definition;
    const others = versions.get(id) ?? [];
    const same = others.find((other) => compareVersions(other.definition.version, version) === 0);
    if (same?.definition.version === version) problems.push(`two machines have the id "${id}" and the version "${version}", with different charts: give the changed one another \`version\``);
    else if (same !== undefined) problems.push(`machine "${id}": the versions "${same.definition.version}" and "${version}" are of equal rank; number them apart`);
    if (registered.current && others.some((other) => other.current)) problems.push(`machine "${id}": two versions are marked as \`current\``);
    versions.set(id, [...others, registered]);
    byHash.set(hash, registered);
    byLogic.set(original, registered);
    return registered;
  };
  const plain = {
    supervision: defaultSupervision,
    activities: {},
    actions: new Map(),
    within: new Map(),
    contract: undefined,
    schemas: {},
    current: false,
    migrate: undefined,
    retention: undefined,
    keptBy: undefined,
  };
  const internal = (machine: AnyStateMachine, actions: ReadonlyArray<string>, options: Partial<Registered> = {}) =>
    add({ ...plain, ...options, definition: define(machine, { limits, actions }), internal: true });
  const activities = internal(activity, activityActions);
  const lives = internal(live, liveActions);
  const supervisors = internal(supervisor, supervisorActions);
  internal(deadLetters, []);
  /** Child machines: each is looked at once, however many parents it has. */
  const logics = new Set<AnyStateMachine>();
  const visit = (entry: DurableMachine, place?: number) => {
    const actions = new Map(Object.entries(entry.actions ?? {}));
    const id = isMachine(entry.machine) ? entry.machine.id : "?";
    const supervision = { ...defaultSupervision, ...entry.supervision };
    for (const problem of checkNames(entry, optionNames)) problems.push(`machine "${id}": ${problem}`);
    for (const problem of checkSupervision(entry.supervision ?? {})) problems.push(`machine "${id}", supervision: ${problem}`);
    const wrong = wrongSchemas(id, entry);
    problems.push(...wrong);
    try {
      const definition = define(entry.machine, { limits, actions: [...actions.keys()], ...(entry.early === undefined ? {} : { early: entry.early }) });
      if (isReserved(definition.id) || definition.id === "ask") problems.push(`the machine id "${definition.id}" belongs to the engine: nobody could send to its actors; choose another id`);
      const known = byHash.get(definition.hash);
      if (known !== undefined && !known.internal) {
        // The same chart once more: for the engine it is the same machine.
        const hasOptions = Object.keys(entry).length > 1;
        if (hasOptions && known.definition.original !== entry.machine) problems.push(`machine "${definition.id}" stands twice in the list with version "${definition.version}": give its options once`);
        byLogic.set(entry.machine, known);
        return;
      }
      for (const [name, options] of Object.entries(entry.activities ?? {})) problems.push(...checkActivity(definition, name, options));
      for (const problem of checkRetention(entry.retention ?? {})) problems.push(`machine "${definition.id}", retention: ${problem}`);
      if (entry.migrate !== undefined && typeof entry.migrate !== "function") problems.push(`machine "${definition.id}": migrate must be a function`);
      add({
        definition,
        supervision,
        activities: entry.activities ?? {},
        actions,
        within: new Map(Object.entries(entry.within ?? {})),
        contract: wrong.length > 0 ? undefined : contractOf(entry, limits),
        schemas: entry,
        current: entry.current ?? false,
        migrate: entry.migrate,
        retention: entry.retention,
        keptBy: entry.keptBy,
        internal: false,
      });
      for (const source of definition.sources.values()) {
        if (source.kind === "machine") logics.add(source.logic as unknown as AnyStateMachine);
        if (source.kind !== "transition") continue;
        // As in XState, a reducer that throws is over, and its parent is told. It goes along with its machine as it is.
        const reducer = reducerMachine(reducerId(definition.id, source.name), definition.version, source.logic);
        internal(reducer, [], { supervision: { ...defaultSupervision, strategy: "escalate" }, current: entry.current ?? false, migrate: () => ({}) });
      }
    } catch (error) {
      if (!(error instanceof MachineRefused)) throw error;
      problems.push(error.machine === "?" && place !== undefined ? `machines[${place}]: ${error.problems.join()}` : error.message);
    }
  };
  const given = entries.map((entry) => (isDurable(entry) ? entry.machine : entry));
  given.forEach((machine, index) => {
    if (isMachine(machine) && given.indexOf(machine) < index) problems.push(`the machine "${machine.id}" is listed twice; keep the entry with its options`);
  });
  for (const [place, entry] of entries.entries()) visit(isDurable(entry) ? entry : { machine: entry }, place);
  // A child machine is known by being a source of its parent; a registration of its own only adds options, and went before.
  for (const machine of logics) if (!byLogic.has(machine)) visit({ machine });
  if (problems.length > 0) throw new InvalidOptions({ problems });
  const byId = new Map<string, Registered>();
  for (const [id, all] of versions) {
    all.sort((left, right) => compareVersions(left.definition.version, right.definition.version));
    byId.set(id, (all.find(({ current }) => current) ?? all.at(-1)) as Registered);
  }
  return { byId, byHash, versions, byLogic, stored: new Map(), activity: activities, live: lives, supervisor: supervisors };
};

/** What an actor's machine invoked: the form of the machine, and the name there. */
export interface Invoked {
  readonly machine: string;
  /** Absent in what was stored before forms were. */
  readonly hash?: string | undefined;
  readonly src: string;
}

/**
 * The code of an activity or a live actor: by the form that began it while that is registered, else by the one that its
 * actor may have moved to. Where there is none, the actor is parked (or it would have moved, and given its child up): then
 * the child is left as it is, too, and begins again when the machine is back.
 */
export const invokedSource = (registry: Registry, { machine, hash, src }: Invoked): Source | undefined =>
  [registry.byHash.get(hash ?? ""), registry.byId.get(machine), ...(registry.versions.get(machine) ?? [])].find((version) => version?.definition.sources.has(src))?.definition.sources.get(src);

const readRetry = Schema.decodeUnknownEither(RetryPolicy, { onExcessProperty: "error", errors: "all" });

const checkActivity = (definition: Definition, name: string, options: ActivityOptions): ReadonlyArray<string> => {
  const where = `machine "${definition.id}", activity "${name}"`;
  const problems = checkNames(options, activityNames).map((problem) => `${where}: ${problem}`);
  if (typeof options !== "object" || options === null) return problems;
  const source = definition.sources.get(name);
  if (source === undefined) problems.push(`${where}: the machine has no such actor (it has: ${[...definition.sources.keys()].join(", ") || "none"})`);
  const retry = options.retry === undefined ? undefined : readRetry(options.retry);
  for (const problem of retry?._tag === "Left" ? schemaProblems(ParseResult.ArrayFormatter.formatErrorSync(retry.left)) : []) {
    problems.push(`${where}: the retry policy is not valid: ${problem} (attemptsMax and backoff { kind, baseMs } are needed)`);
  }
  for (const key of ["timeoutMs", "heartbeatTimeoutMs", "interruptionsMax"] as const) {
    const value = options[key];
    if (value !== undefined && !(Number.isFinite(value) && value > 0)) problems.push(`${where}: ${key} must be a positive number`);
  }
  return problems;
};
