import * as Effect from "effect/Effect";
import type { Address } from "../domain/address.ts";
import type { ActorRow, Journal, JournalError } from "../journal/index.ts";
import { ActorParked, parkedRemedies, type SendError, UnknownActor, UnknownMachine } from "./errors.ts";
import type { Delivery, Receipt } from "./intake.ts";
import type { Registered, Registry } from "./registry.ts";
import type { Resident } from "./resident.ts";
import type { Turn } from "./turn.ts";
import { moveTo, type ParkedReason, read, type Unreadable, writerOf } from "./versions.ts";

/** An actor that no registered machine may go on with, and why. */
export interface ParkedActor {
  /** The row id: `parked` pages by it. */
  readonly id: number;
  readonly address: Address;
  readonly machine: string;
  /** The version that wrote it; empty where nothing is known of it. */
  readonly version: string;
  readonly hash: string;
  readonly reason: ParkedReason;
  readonly detail: string;
}

export interface MigrateOptions {
  /** Only tells what would happen. */
  readonly dryRun?: boolean;
  /** Actors that are moved with as few turns as possible, before the next ones are read. Default 200. */
  readonly batch?: number;
}

/** What became of the running actors of a machine. */
export interface MigrationReport {
  readonly machine: string;
  /** The version to which they were to move. */
  readonly version: string;
  /** They were there already. */
  readonly current: number;
  readonly moved: number;
  /** They stay on their own version, which is registered too. */
  readonly stayed: number;
  readonly parked: number;
  /** Why actors are parked or stayed although there is a `migrate`: the first 100. */
  readonly causes: ReadonlyArray<{ readonly address: Address; readonly detail: string }>;
}

const causesMax = 100;
const scanPage = 500;

export interface Migration {
  readonly journal: Journal;
  readonly registry: Registry;
  readonly now: () => number;
  readonly post: (delivery: Delivery) => void;
}

/** Moves the running actors of a machine to its current version, a batch at a time. It can be broken off and repeated. */
export const migrateAll = ({ journal, registry, now, post }: Migration, machine: string, { dryRun = false, batch = 200 }: MigrateOptions): Effect.Effect<MigrationReport, SendError | JournalError> =>
  Effect.gen(function* () {
    const target = registry.byId.get(machine);
    if (target === undefined) return yield* new UnknownMachine({ machine, known: [...registry.byId.values()].filter(({ internal }) => !internal).map(({ definition }) => definition.id) });
    const counts = { current: 0, moved: 0, stayed: 0, parked: 0 };
    const causes: Array<{ readonly address: Address; readonly detail: string }> = [];
    const count = ({ fate, cause }: Verdict, address: Address) => {
      counts[fate]++;
      if (cause !== undefined && causes.length < causesMax) causes.push({ address, detail: cause });
    };
    const tell = (row: ActorRow): Effect.Effect<Verdict, SendError> =>
      Effect.async((resume) => {
        const isRegistered = registry.byHash.has(row.hash);
        const event = { type: "taskwright.migrate" };
        const settle = (error: unknown, receipt: Receipt | undefined) => {
          if (error instanceof ActorParked) resume(Effect.succeed({ fate: isRegistered ? "stayed" : "parked", cause: error.detail }));
          // Another one lives at its address by now.
          else if (error instanceof UnknownActor) resume(Effect.succeed({ fate: "stayed" }));
          else if (receipt === undefined) resume(Effect.fail(error as SendError));
          else resume(Effect.succeed({ fate: receipt.outcome === "handled" ? "moved" : "stayed" }));
        };
        post({ to: row.address, event, json: "", from: "", internal: true, only: row.id, settle });
      });
    for (let after = 0; ; ) {
      const rows = yield* journal.list({ machine, status: "active", after, limit: batch });
      const others = rows.filter(({ hash }) => hash !== target.definition.hash);
      counts.current += rows.length - others.length;
      if (dryRun) for (const row of others) count(foresee(registry, target, row, now()), row.address);
      else yield* Effect.forEach(others, (row) => Effect.map(tell(row), (verdict) => count(verdict, row.address)), { concurrency: "unbounded" });
      const last = rows.at(-1);
      if (last === undefined || rows.length < batch) return { machine, version: target.definition.version, ...counts, causes };
      after = last.id;
      yield* Effect.yieldNow();
    }
  });

/** Within a turn: this actor is to go on by the current version of its machine. The outcome says whether it is there now. */
export const migrateNow = (turn: Turn, registry: Registry, actor: Resident, delivery: Delivery): void => {
  const { definition } = actor.registered;
  const target = registry.byId.get(definition.id);
  if (target !== undefined && target !== actor.registered && actor.status === "active") {
    const { address, hash, json: state } = actor;
    const move = moveTo(registry, target, { address, machine: definition.id, hash, state }, turn.at);
    if (move !== undefined && !("event" in move)) {
      turn.settlements.push({ delivery, error: new ActorParked({ ...move }), receipt: undefined });
      return;
    }
    if (move !== undefined) {
      actor.adopt(move);
      turn.move(actor);
    }
  }
  const outcome = actor.registered === target ? "handled" : "ignored";
  turn.settlements.push({ delivery, error: undefined, receipt: { address: actor.address, seq: actor.seq, at: turn.at, outcome, duplicate: false } });
};

interface Verdict {
  readonly fate: "moved" | "stayed" | "parked";
  readonly cause?: string;
}

const foresee = (registry: Registry, target: Registered, row: ActorRow, at: number): Verdict => {
  const reading = read(registry, row, at);
  if (reading.kind === "parked") return { fate: "parked", cause: reading.parked.detail };
  if (reading.kind === "move") return { fate: reading.move.registered === target ? "moved" : "stayed" };
  const move = moveTo(registry, target, row, at);
  if (move === undefined) return { fate: "stayed" };
  return "event" in move ? { fate: "moved" } : { fate: "stayed", cause: move.detail };
};

/** Looks at all actors with a row id above `after`, until `limit` parked ones are found. */
export const findParked = ({ journal, registry, now }: Omit<Migration, "post">, after: number, limit: number): Effect.Effect<ReadonlyArray<ParkedActor>, JournalError> =>
  Effect.gen(function* () {
    const found: Array<ParkedActor> = [];
    for (let from = after; ; ) {
      const rows = yield* journal.list({ after: from, limit: scanPage });
      for (const row of rows) {
        from = row.id;
        const reading = read(registry, row, now());
        if (reading.kind !== "parked") continue;
        const { id, address, machine, hash } = row;
        found.push({ id, machine, hash, version: writerOf(registry, hash)?.version ?? "", ...reading.parked, address });
        if (found.length >= limit) return found;
      }
      if (rows.length < scanPage) return found;
      yield* breath;
    }
  });

/** Running actors that an opening looks at: it must not grow with how many there are. */
const openingLooksMax = 2_000;
const openingNames = 3;

/**
 * What an opening says of running actors that no registered machine may go on with; nothing where all is well, as far as it
 * has looked: at the oldest ones of machines of which a form is stored that is not registered.
 */
export const parkedAtOpening = ({ journal, registry, now }: Omit<Migration, "post">): Effect.Effect<string | undefined, JournalError> =>
  Effect.gen(function* () {
    const changed = new Set([...registry.stored.values()].flatMap(({ id, hash }) => (registry.byHash.has(hash) ? [] : [id])));
    const found: Array<Unreadable> = [];
    let left = openingLooksMax;
    for (const machine of changed) {
      for (let after = 0; left > 0; ) {
        const rows = yield* journal.list({ machine, status: "active", after, limit: Math.min(scanPage, left) });
        for (const row of rows) {
          after = row.id;
          const reading = registry.byHash.has(row.hash) ? undefined : read(registry, row, now());
          if (reading?.kind === "parked") found.push(reading.parked);
        }
        left -= rows.length;
        if (rows.length < scanPage) break;
      }
    }
    if (found.length === 0) return undefined;
    const one = found.length === 1;
    // Mostly one thing is wrong with all of them: it is said once.
    const named = new Map<string, Array<Address>>();
    for (const { address, detail } of found.slice(0, openingNames)) named.set(detail, [...(named.get(detail) ?? []), address]);
    const more = found.length > openingNames ? " and others" : "";
    const first = [...named].map(([detail, addresses]) => `${addresses.join(", ")} (${detail})`).join(", ");
    const remedies = [...new Set(found.map(({ reason }) => parkedRemedies[reason]))].join("; ");
    return `${left > 0 ? "" : "at least "}${found.length} ${one ? "actor is" : "actors are"} parked and ${one ? "does" : "do"} nothing until that is mended: ${first}${more}; ${remedies}. engine.parked() and "taskwright parked" list all`;
  });

/** Rows come so fast that a scan would keep turns and timers waiting to its end: everything else has its turn between two pages. */
const breath = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void));
});
