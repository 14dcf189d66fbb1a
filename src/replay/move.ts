import * as Effect from "effect/Effect";
import type { AnyStateMachine } from "xstate";
import { type Command, encode, nextDue, parseState, type StoredState } from "../actor/index.ts";
import type { Address } from "../domain/address.ts";
import { childAddress } from "../domain/address.ts";
import type { MachineForm } from "../domain/event.ts";
import type { Json } from "../domain/json.ts";
import { defaultLimits } from "../domain/limits.ts";
import { type DurableMachine, hashOf, makeRegistry, type Move, moveTo, readRow, type Registered, type Registry, writerOf } from "../engine/index.ts";
import { type ActorRow, emptyTurn, type Journal, type JournalError, type JournalFenced, type Opened } from "../journal/index.ts";
import { MoveRefused } from "./errors.ts";

/** What a move does to one actor, or why it does not. */
export type Fate = "moves" | "stays" | "parked";

/** Running actors to which the same happens. */
export interface MoveGroup {
  readonly fate: Fate;
  /** The form that wrote them. */
  readonly from: MachineForm;
  /** Where they are, and where they will be. */
  readonly in: StoredState["value"];
  readonly to?: StoredState["value"];
  /** `structure`: as they are. `migrate`: by the machine's own `migrate`. */
  readonly by?: "structure" | "migrate";
  /** Why not, where they don't move. */
  readonly why?: string;
  readonly actors: number;
  /** The first five. */
  readonly addresses: ReadonlyArray<Address>;
  /** Deadlines by id: `kept` with their moment, `set` from the moment of the move, `dropped`. */
  readonly timers: { readonly kept: ReadonlyArray<string>; readonly set: ReadonlyArray<string>; readonly dropped: ReadonlyArray<string> };
  /** Children by id. */
  readonly children: { readonly kept: ReadonlyArray<string>; readonly started: ReadonlyArray<string>; readonly stopped: ReadonlyArray<string> };
  /** Running actors that end with the children that are stopped, by machine: an `assignment` gives its slot back. */
  readonly ending: Readonly<Record<string, number>>;
  /** Only a running engine can do it: children are started or stopped. */
  readonly needsEngine: boolean;
}

export interface MovePlan {
  readonly machine: string;
  /** The form to which they move. */
  readonly to: MachineForm;
  /** Running actors that are there already. */
  readonly current: number;
  /** The largest first. */
  readonly groups: ReadonlyArray<MoveGroup>;
}

/** A machine, and the machines that it is moved among. */
export interface MoveOptions {
  /** The id of the machine whose actors move to its current version. */
  readonly machine: string;
  /** As in the engine's list, with `migrate`. */
  readonly machines: ReadonlyArray<AnyStateMachine | DurableMachine>;
  /** Milliseconds since 1970: from when deadlines are counted that a move sets. */
  readonly at: number;
}

const pageMax = 200;
const shownMax = 5;

interface Mover {
  readonly registry: Registry;
  readonly target: Registered;
}

const moverOf = (journal: Journal, { machine, machines }: MoveOptions): Effect.Effect<Mover, MoveRefused | JournalError> =>
  Effect.gen(function* () {
    const registry = makeRegistry(machines, defaultLimits);
    for (const row of yield* journal.machines) registry.stored.set(row.hash, row);
    const target = registry.byId.get(machine);
    if (target === undefined)
      return yield* new MoveRefused({
        machine,
        detail: `it is none of those that were given (${[...registry.byId.values()]
          .filter(({ internal }) => !internal)
          .map(({ definition }) => definition.id)
          .join(", ")})`,
      });
    return { registry, target };
  });

type Verdict = { readonly fate: "moves"; readonly move: Move } | { readonly fate: "stays" | "parked"; readonly why: string };

const verdictOf = ({ registry, target }: Mover, row: ActorRow, at: number): Verdict => {
  const reading = readRow(registry, row, at);
  if (reading.kind === "parked") return { fate: "parked", why: reading.parked.detail };
  if (reading.kind === "move" && reading.move.registered === target) return { fate: "moves", move: reading.move };
  const move = moveTo(registry, target, row, at);
  if (move === undefined) return { fate: "stays", why: `version "${target.definition.version}" has no \`migrate\` for it, and its own is registered` };
  return "event" in move ? { fate: "moves", move } : { fate: "stays", why: move.detail };
};

/** Goes through the running actors that are not there yet, a page at a time. Answers how many are. */
const eachMovable = (
  journal: Journal,
  { target }: Mover,
  use: (rows: ReadonlyArray<ActorRow>) => Effect.Effect<void, JournalError | JournalFenced>,
): Effect.Effect<number, JournalError | JournalFenced> =>
  Effect.gen(function* () {
    const { id, hash } = target.definition;
    let current = 0;
    for (let after = 0; ; ) {
      const page = yield* journal.list({ machine: id, status: "active", after, limit: pageMax });
      const others = page.filter((row) => row.hash !== hash);
      current += page.length - others.length;
      if (others.length > 0) yield* use(others);
      const last = page.at(-1);
      if (last === undefined || page.length < pageMax) return current;
      after = last.id;
      yield* Effect.yieldNow();
    }
  });

/** What would become of the running actors of a machine. Reads only. */
export const planMove = (journal: Journal, options: MoveOptions): Effect.Effect<MovePlan, MoveRefused | JournalError> =>
  Effect.gen(function* () {
    const mover = yield* moverOf(journal, options);
    const groups = new Map<string, { group: Omit<MoveGroup, "actors" | "addresses" | "ending">; addresses: Array<Address>; actors: number; stopped: Array<Address> }>();
    const current = yield* eachMovable(journal, mover, (rows) =>
      Effect.sync(() => {
        for (const row of rows) {
          const group = groupOf(mover, row, verdictOf(mover, row, options.at));
          const key = JSON.stringify(group);
          const known = groups.get(key) ?? { group, addresses: [], actors: 0, stopped: [] };
          groups.set(key, known);
          known.actors++;
          if (known.addresses.length < shownMax) known.addresses.push(row.address);
          known.stopped.push(...group.children.stopped.map((id) => childAddress(row.address, id)));
        }
      }),
    ).pipe(Effect.catchTag("JournalFenced", (error) => Effect.die(error)));
    const told: Array<MoveGroup> = [];
    for (const { group, addresses, actors, stopped } of groups.values()) told.push({ ...group, actors, addresses, ending: yield* endingBelow(journal, stopped) });
    const { version, hash } = mover.target.definition;
    return { machine: options.machine, to: { version, hash }, current, groups: told.sort((left, right) => right.actors - left.actors) };
  });

const groupOf = ({ registry }: Mover, row: ActorRow, verdict: Verdict): Omit<MoveGroup, "actors" | "addresses" | "ending"> => {
  const from = writerOf(registry, row.hash) ?? { version: "", hash: row.hash };
  const stored = storedOrNothing(row.state);
  const within = stored?.value ?? "";
  const none = { kept: [], set: [], dropped: [] };
  if (verdict.fate !== "moves") return { fate: verdict.fate, from, in: within, why: verdict.why, timers: none, children: { kept: [], started: [], stopped: [] }, needsEngine: false };
  const { state, event, commands } = verdict.move;
  const ids = (type: Command["type"]) => commands.flatMap((command) => (command.type === type && "id" in command ? [command.id] : []));
  const set = ids("timer.set");
  const started = ids("child.start");
  return {
    fate: "moves",
    from,
    in: within,
    to: state.snapshot.value as StoredState["value"],
    by: event.by,
    timers: { kept: Object.keys(state.timers).filter((id) => !set.includes(id)), set, dropped: event.dropped?.timers ?? [] },
    children: { kept: Object.keys(state.children).filter((id) => !started.includes(id)), started, stopped: event.dropped?.children ?? [] },
    needsEngine: started.length + (event.dropped?.children?.length ?? 0) > 0 || commands.some(({ type }) => type === "child.stop"),
  };
};

const storedOrNothing = (json: string): StoredState | undefined => {
  try {
    return parseState(json);
  } catch {
    return undefined;
  }
};

/** Running actors at these addresses and below, by machine. */
const endingBelow = (journal: Journal, addresses: ReadonlyArray<Address>): Effect.Effect<Readonly<Record<string, number>>, JournalError> =>
  Effect.gen(function* () {
    if (addresses.length === 0) return {};
    const rows = yield* journal.actors(addresses);
    const below = yield* journal.descendants(
      rows.map(({ id }) => id),
      100_000,
    );
    const counts: Record<string, number> = {};
    for (const { machine, status } of [...rows, ...below]) if (status === "active") counts[machine] = (counts[machine] ?? 0) + 1;
    return counts;
  });

/** An actor as it was before it was moved: enough to put it back. */
export interface MovedBack {
  readonly address: Address;
  readonly id: number;
  /** The entry of its move. */
  readonly seq: number;
  readonly from: MachineForm;
  readonly to: MachineForm;
  readonly state: StoredState;
}

export interface Applied {
  readonly moved: number;
  /** Actors that only a running engine can move, because children are started or stopped: it does so when they are next told something, or by `engine.migrate`. */
  readonly left: number;
  /** Actors that stay as they are, or are parked. */
  readonly unmoved: number;
}

/**
 * Moves the running actors of a machine in a journal that was opened for writing, in batches of one transaction each. Before each
 * batch `keep` is given what puts it back: it must have stored that when it succeeds.
 */
export const applyMove = <E>(
  journal: Journal,
  opened: Pick<Opened, "counters">,
  options: MoveOptions,
  keep: (batch: ReadonlyArray<MovedBack>) => Effect.Effect<void, E>,
): Effect.Effect<Applied, MoveRefused | JournalError | JournalFenced | E> =>
  Effect.gen(function* () {
    const mover = yield* moverOf(journal, options);
    const { at } = options;
    let entry = opened.counters.history;
    const counts = { moved: 0, left: 0, unmoved: 0 };
    const batches: Array<ReadonlyArray<ActorRow>> = [];
    yield* eachMovable(journal, mover, (rows) => Effect.sync(() => void batches.push(rows)));
    for (const rows of batches) {
      const moves = rows.flatMap((row): ReadonlyArray<readonly [ActorRow, Move]> => {
        const verdict = verdictOf(mover, row, Math.max(at, row.at));
        if (verdict.fate !== "moves") counts.unmoved++;
        else if (groupOf(mover, row, verdict).needsEngine) counts.left++;
        else return [[row, verdict.move]];
        return [];
      });
      if (moves.length === 0) continue;
      yield* keep(moves.map(([row, { event }]) => ({ address: row.address, id: row.id, seq: row.seq + 1, from: event.from, to: event.to, state: parseState(row.state) })));
      const { id, version, hash, chart } = mover.target.definition;
      yield* journal.commit(
        turnOf(
          moves.map(([row, { event, state }]) => ({ row, event, json: encode(state), due: nextDue(state) })),
          at,
          () => ++entry,
          [{ id, version, hash, chart, at }],
        ),
      );
      counts.moved += moves.length;
    }
    return counts;
  });

interface Moved {
  readonly row: ActorRow;
  readonly event: { readonly type: string; readonly to: MachineForm };
  readonly json: string;
  readonly due: number | undefined;
}

const turnOf = (moves: ReadonlyArray<Moved>, at: number, nextId: () => number, machines: Parameters<Journal["commit"]>[0]["machines"]): Parameters<Journal["commit"]>[0] => ({
  ...emptyTurn,
  moved: moves.map(({ row, event, json }) => ({ id: row.id, seq: row.seq + 1, at: Math.max(at, row.at), state: json, changed: { status: row.status, hash: event.to.hash, token: row.token } })),
  history: moves.map(({ row, event, json }) => ({
    id: nextId(),
    actor: row.id,
    seq: row.seq + 1,
    at: Math.max(at, row.at),
    type: event.type,
    event: JSON.stringify(event),
    outcome: "handled",
    from: "",
    stateHash: hashOf(json),
  })),
  wakes: moves.flatMap(({ row, due }) => (due === row.wake ? [] : [{ actor: row.id, due }])),
  machines,
});

export interface PutBack {
  readonly back: number;
  /** Actors that have gone on since their move, or are gone: they stay as they are. */
  readonly left: ReadonlyArray<Address>;
}

/** The way back: puts actors back to where they were before `applyMove`, each that nothing has happened to since. */
export const putBack = (journal: Journal, opened: Pick<Opened, "counters">, moved: ReadonlyArray<MovedBack>, at: number): Effect.Effect<PutBack, JournalError | JournalFenced> =>
  Effect.gen(function* () {
    let entry = opened.counters.history;
    let back = 0;
    const left: Array<Address> = [];
    for (let first = 0; first < moved.length; first += pageMax) {
      const batch = moved.slice(first, first + pageMax);
      const rows = new Map((yield* journal.actorsById(batch.map(({ id }) => id))).map((row) => [row.id, row]));
      const moves = batch.flatMap(({ address, id, seq, from, to, state }): ReadonlyArray<Moved> => {
        const row = rows.get(id);
        if (row === undefined || row.address !== address || row.seq !== seq || row.hash !== to.hash) {
          left.push(address);
          return [];
        }
        const dues = Object.values(state.timers ?? {}).flatMap(({ due, held }) => (held === true ? [] : [due]));
        const event = { type: "taskwright.migrate", from: to, to: from, by: "migrate", state: state as unknown as Json };
        return [{ row, event, json: JSON.stringify(state), due: dues.length === 0 ? undefined : Math.min(...dues) }];
      });
      if (moves.length > 0) yield* journal.commit(turnOf(moves, at, () => ++entry, []));
      back += moves.length;
    }
    return { back, left };
  });
