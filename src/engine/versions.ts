import { type ActorState, type Command, type Definition, decode, decodeEnded, encode, misfits, parseState, settle, StateMismatch, type StoredState } from "../actor/index.ts";
import { type Address, machineOf, parentAddress } from "../domain/address.ts";
import type { EngineEvent, MachineForm } from "../domain/event.ts";
import { failureOf, type Json, normalize } from "../domain/json.ts";
import { compareVersions } from "../domain/version.ts";
import type { ActorRow } from "../journal/index.ts";
import type { Registered, Registry } from "./registry.ts";

/** What `migrate` is given: a copy of what is stored, and which form of the machine stored it. */
export interface StoredActor extends Omit<StoredState, "status"> {
  readonly address: Address;
  readonly version: string;
  readonly hash: string;
}

/** What of an actor becomes another. What is left out stays as it is. */
export interface MigratedState extends Partial<Pick<StoredState, "value" | "history" | "children" | "timers">> {
  readonly context?: unknown;
}

export type Migrate = (stored: StoredActor, from: MachineForm) => MigratedState | undefined;

/**
 * Why a stored actor can't be put to work.
 * `unregistered`: no registered machine may read it. `newer`: a newer version than all that are registered wrote it.
 * `misfit`: the chart changed within a version, and its state has no place there any more. `migration`: `migrate`
 * threw, declined, or made something that is no state of the machine. `damaged`: it can't be read at all.
 */
export type ParkedReason = "unregistered" | "newer" | "misfit" | "migration" | "damaged";

export interface Unreadable {
  readonly address: Address;
  readonly reason: ParkedReason;
  readonly detail: string;
}

export type MigrateEvent = Extract<EngineEvent, { type: "taskwright.migrate" }>;

/** An actor's way from the form that wrote it to one that is registered. */
export interface Move {
  readonly registered: Registered;
  readonly state: ActorState;
  readonly event: MigrateEvent;
  readonly commands: ReadonlyArray<Command>;
}

/** A stored actor, and how it is to be put to work. */
export type Reading =
  | { readonly kind: "own"; readonly registered: Registered; readonly state: ActorState }
  | { readonly kind: "move"; readonly move: Move }
  | { readonly kind: "parked"; readonly parked: Unreadable };

type Row = Pick<ActorRow, "address" | "machine" | "hash" | "state">;

const formOf = ({ version, hash }: Definition): MachineForm => ({ version, hash });

/** The form of the machine that wrote a row; nothing if the journal does not know it. */
export const writerOf = (registry: Registry, hash: string): MachineForm | undefined => {
  const registered = registry.byHash.get(hash);
  if (registered !== undefined) return formOf(registered.definition);
  const stored = registry.stored.get(hash);
  return stored === undefined ? undefined : { version: stored.version, hash };
};

/**
 * Finds the machine that may go on with a stored actor: its own form; another chart of the same version, if the state
 * fits there as it is; one with `migrate`. Nothing else is tried: what can't be told is parked.
 */
export const read = (registry: Registry, row: ActorRow, at: number): Reading => {
  const { address, machine, hash } = row;
  const park = (reason: ParkedReason, detail: string): Reading => ({ kind: "parked", parked: { address, reason, detail } });
  const versions = registry.versions.get(machine) ?? [];
  const own = registry.byHash.get(hash);
  if (own === undefined && versions.length === 0) return park("unregistered", `no machine "${machine}" is registered`);
  const wrong = contradictionOf(row);
  if (wrong !== undefined) return park("damaged", wrong);
  if (own !== undefined && own.definition.id !== machine) return park("damaged", `its row says that it is a "${machine}", its form is one of "${own.definition.id}"`);
  try {
    const stored = parseState(row.state);
    if (stored.status !== row.status) return park("damaged", `the stored status is ${stored.status}, its row says ${row.status}`);
    if (own !== undefined) return { kind: "own", registered: own, state: decodeRow(own.definition, row) };
    const current = registry.byId.get(machine) as Registered;
    // Nothing happens to an actor that has ended, so that any machine may show it.
    if (stored.status !== "active") return { kind: "own", registered: current, state: decodeEnded(current.definition, address, parentAddress(address), row.state) };
    const from = writerOf(registry, hash);
    if (from === undefined) return park("unregistered", `nothing is known of the form ${hash} of machine "${machine}" that wrote it`);
    const highest = versions.at(-1) as Registered;
    const same = versions.find(({ definition }) => definition.version === from.version);
    const listed = versions.map(({ definition }) => `"${definition.version}"`).join(", ");
    if (same === undefined && compareVersions(from.version, highest.definition.version) > 0)
      return park("newer", `version "${from.version}" of machine "${machine}" wrote it, which is newer than what is registered (${listed})`);
    const fit = same === undefined ? undefined : fitting(registry, same, row, from);
    if (typeof fit === "object") return { kind: "move", move: fit };
    const target = [same, current, ...versions.toReversed()].find((candidate) => candidate?.migrate !== undefined);
    if (target !== undefined) {
      const made = makeMove(registry, target, row, stored, from, at);
      return "event" in made ? { kind: "move", move: made } : { kind: "parked", parked: made };
    }
    if (fit !== undefined) return park("misfit", `its machine "${machine}" changed within version "${from.version}", and ${fit}`);
    return park("unregistered", `version "${from.version}" of machine "${machine}" wrote it, and none of the registered ones (${listed}) has a \`migrate\``);
  } catch (error) {
    if (!(error instanceof StateMismatch)) throw error;
    return park("damaged", error.message);
  }
};

/** What no engine can have written into the columns of a row. */
const contradictionOf = ({ address, parent, machine, seq, token, at, createdAt }: ActorRow): string | undefined => {
  for (const [name, value] of Object.entries({ seq, token, at, createdAt, parent })) {
    if (!Number.isSafeInteger(value) || value < 0) return `its ${name} is no whole number`;
  }
  if (seq === 0) return "its seq is 0, but it was started";
  if (parent === 0 && machineOf(address) !== machine) return `its row says that it is a "${machine}"`;
  if (parent > 0 !== token > 0) return parent > 0 ? "it is a child without a generation" : "it has a generation, but no parent";
  return undefined;
};

/** The move of an actor to a certain version, whatever may run it now. Nothing: that version does not take it. */
export const moveTo = (registry: Registry, target: Registered, row: Row, at: number): Move | Unreadable | undefined => {
  const from = writerOf(registry, row.hash);
  if (from === undefined || target.migrate === undefined || compareVersions(from.version, target.definition.version) > 0) return undefined;
  return makeMove(registry, target, row, parseState(row.state), from, at);
};

const decodeRow = (definition: Definition, { address, state }: Row): ActorState => decode(definition, address, parentAddress(address), state);

/** The move to another chart of the same version, or what of the actor has no place there. */
const fitting = (registry: Registry, target: Registered, row: Row, from: MachineForm): Move | string => {
  let state: ActorState;
  try {
    state = decodeRow(target.definition, row);
  } catch (error) {
    if (error instanceof StateMismatch) return error.message;
    throw error;
  }
  const problems = misfits(target.definition, state, chartOf(registry, from));
  if (problems.length > 0) return problems.join("; ");
  return { registered: target, state, event: eventOf(from, target, "structure", state), commands: [] };
};

/** The chart that wrote it: which of its children a state invoked stands there. */
const chartOf = (registry: Registry, { hash }: MachineForm): string | undefined => registry.byHash.get(hash)?.definition.chart ?? registry.stored.get(hash)?.chart;

const eventOf = (from: MachineForm, target: Registered, by: MigrateEvent["by"], state: ActorState, dropped?: MigrateEvent["dropped"]): MigrateEvent => ({
  type: "taskwright.migrate",
  from,
  to: formOf(target.definition),
  by,
  state: JSON.parse(encode(state)) as Json,
  ...(dropped === undefined ? {} : { dropped }),
});

/** What the machine's own `migrate` makes of a stored actor, if it makes a state of that machine. */
const makeMove = (registry: Registry, target: Registered, row: Row, stored: StoredState, from: MachineForm, at: number): Move | Unreadable => {
  const { definition } = target;
  const refuse = (detail: string): Unreadable => ({
    address: row.address,
    reason: "migration",
    detail: `the migration of machine "${definition.id}" from version "${from.version}" to "${definition.version}" ${detail}`,
  });
  try {
    const { status, ...kept } = stored;
    const made = target.migrate?.({ ...parseKept(row), address: row.address, version: from.version, hash: from.hash }, from);
    if (made === undefined) return refuse("does not take this actor (it returned nothing)");
    if (typeof made !== "object" || made === null || "then" in made) return refuse("must return an object with what becomes another, and not a promise");
    const unknown = Object.keys(made).filter((key) => !migratable.has(key));
    if (unknown.length > 0) return refuse(`returned ${unknown.map((key) => `"${key}"`).join(", ")}; it may return ${[...migratable].join(", ")}`);
    const clean = normalize({ ...kept, ...withoutUndefined(made) }, undefined, { depthMax: definition.limits.payloadDepthMax, copy: true }) as object;
    const json = JSON.stringify({ status, ...clean });
    const settled = settle(definition, decodeRow(definition, { ...row, state: json }), at, chartOf(registry, from));
    target.contract?.step?.(undefined, { state: settled.state, commands: settled.commands, outcome: "handled", microsteps: [] });
    const bytes = Buffer.byteLength(encode(settled.state));
    if (bytes > definition.limits.stateBytesMax) return refuse(`made a state of ${bytes} bytes, at most ${definition.limits.stateBytesMax} are taken (limit stateBytesMax)`);
    const problems = misfits(definition, settled.state, chartOf(registry, from));
    if (problems.length > 0) return refuse(`made a state that does not fit: ${problems.join("; ")}`);
    const dropped = Object.fromEntries(Object.entries(settled.dropped).filter(([, ids]) => ids.length > 0));
    return { registered: target, state: settled.state, event: eventOf(from, target, "migrate", settled.state, Object.keys(dropped).length === 0 ? undefined : dropped), commands: settled.commands };
  } catch (error) {
    return refuse(`failed: ${failureOf(error).message}`);
  }
};

const migratable: ReadonlySet<string> = new Set(["value", "context", "history", "children", "timers"] satisfies ReadonlyArray<keyof MigratedState>);

/** A copy of its own for each call: the host's code may change it. */
const parseKept = ({ state }: Row): Omit<StoredState, "status"> => {
  const { status: _, ...kept } = parseState(state);
  return kept;
};

const withoutUndefined = (made: object): object => Object.fromEntries(Object.entries(made).filter(([, value]) => value !== undefined));
