import * as Effect from "effect/Effect";
import { parseState } from "../actor/index.ts";
import { type Address, childId, livedAt, machineOf, parentAddress, supervisorAddress } from "../domain/address.ts";
import type { Limits } from "../domain/limits.ts";
import type { Retention } from "../domain/retention.ts";
import type { AgeRow, Journal, JournalError, JournalFenced, Pruning } from "../journal/index.ts";
import type { Registry } from "./registry.ts";
import type { Residents } from "./resident.ts";
import { writerOf } from "./versions.ts";
import { viewOfStored } from "./view.ts";

/** Actors that are looked at together. Measured: 4 µs each where the pages are in memory, 15 µs where they are not. */
const pageMax = 250;
/** Pages in which nothing was found that may be looked at in a row; the rest waits for the next renewal of the lease. */
const idlePagesMax = 5;
/** Ended actors that are looked into together, with all that is below them. */
const candidatesMax = 50;
/** Actors below one candidate, and history rows, that one transaction removes. */
const familyMax = 1_000;
const entriesMax = 5_000;
/** Stored messages and owed actions that are looked through; where there are more, nothing is removed for now. */
const owedMax = 1_000;

export interface Pruned {
  /** Since the engine was opened. */
  readonly actors: number;
  readonly entries: number;
}

export interface SweepOptions {
  readonly journal: Journal;
  readonly registry: Registry;
  readonly residents: Residents;
  readonly limits: Limits;
  /** For machines that say nothing of their own. */
  readonly retention: Retention;
}

/** What one look found to be done. */
class Plan {
  readonly actors: Array<number> = [];
  readonly addresses: Array<Address> = [];
  readonly checkpoints: Array<number> = [];
  cuts: Array<{ readonly actor: number; readonly seq: number }> = [];
  readonly entries: Array<{ readonly actor: number; readonly upTo: number; readonly limit: number }> = [];
  /** History rows that it removes. */
  size = 0;
  get isEmpty(): boolean {
    return this.actors.length + this.checkpoints.length + this.cuts.length + this.entries.length === 0;
  }
  get isFull(): boolean {
    return this.size >= entriesMax;
  }
}

/**
 * Goes round all actors of a journal, a page between two turns, and removes what is not kept any more, a small
 * transaction at a time. What somebody still refers to stays.
 */
export class Sweep {
  readonly #options: SweepOptions;
  readonly #policies = new Map<string, Retention>();
  /** Nothing is ever removed: no journal is read. */
  readonly isIdle: boolean;
  #after = 0;
  #pagesLeft = 0;
  /** Ended actors of this round, and those beyond `finishedMax` that the last round found, by machine. */
  #counted = new Map<string, number>();
  #excess = new Map<string, number>();
  #actors = 0;
  #entries = 0;

  constructor(options: SweepOptions) {
    this.#options = options;
    const policies = [options.retention, ...[...options.registry.byId.values()].map(({ retention }) => retention ?? {})];
    this.isIdle = policies.every((policy) => Object.values(policy).every((value) => value === undefined));
  }

  get pruned(): Pruned {
    return { actors: this.#actors, entries: this.#entries };
  }

  /** Some time has gone by: looks may be had again. */
  begin(): void {
    this.#pagesLeft = idlePagesMax;
  }

  /** Looks at one page of actors and removes what is due there. Returns whether to look again at once. */
  readonly step = Effect.fnUntraced(function* (this: Sweep, at: number): Effect.fn.Return<boolean, JournalFenced | JournalError> {
    if (this.isIdle) return false;
    const { journal, residents } = this.#options;
    const rows = yield* journal.ages(this.#after, pageMax);
    const plan = new Plan();
    const candidates: Array<AgeRow> = [];
    let reached = this.#after;
    for (const row of rows) {
      if (candidates.length >= candidatesMax || plan.isFull) break;
      reached = row.id;
      const policy = this.#policyOf(row.address);
      if (isFinished(row) && this.#isExpired(row, at)) candidates.push(row);
      else if (!planHistory(plan, row, policy, at)) {
        // There is more of it than one transaction takes: it is looked at again.
        reached = row.id - 1;
        break;
      }
    }
    if (candidates.length > 0) reached = yield* this.#planActors(plan, candidates, at, reached);
    const gone = new Set(plan.actors);
    for (const { id, machine, parent, status } of rows) if (id <= reached && parent === 0 && status !== "active" && !gone.has(id)) this.#counted.set(machine, (this.#counted.get(machine) ?? 0) + 1);
    yield* this.#spareOwed(plan);
    const isEnd = rows.length < pageMax && reached === (rows.at(-1)?.id ?? this.#after);
    this.#after = reached;
    if (isEnd) this.#endRound();
    if (plan.isEmpty) return --this.#pagesLeft > 0 && !isEnd;
    const pruning: Pruning = { at, actors: plan.actors, checkpoints: plan.checkpoints, cuts: plan.cuts, entries: plan.entries };
    this.#entries += yield* journal.prune(pruning);
    this.#actors += plan.actors.length;
    for (const address of plan.addresses) residents.delete(address);
    return !isEnd;
  });

  #endRound(): void {
    this.#after = 0;
    this.#excess = new Map();
    for (const [machine, count] of this.#counted) {
      const { finishedMax } = this.#policyOf(`${machine}/`);
      if (finishedMax !== undefined && count > finishedMax) this.#excess.set(machine, count - finishedMax);
    }
    this.#counted = new Map();
  }

  /** What holds for a root holds for all that is below it. */
  #policyOf(address: Address): Retention {
    const machine = machineOf(address);
    let policy = this.#policies.get(machine);
    if (policy === undefined) {
      policy = { ...this.#options.retention, ...this.#options.registry.byId.get(machine)?.retention };
      this.#policies.set(machine, policy);
    }
    return policy;
  }

  #isExpired(row: AgeRow, at: number): boolean {
    const { finishedForMs } = this.#policyOf(row.address);
    return (finishedForMs !== undefined && row.at + finishedForMs <= at) || (row.parent === 0 && (this.#excess.get(row.machine) ?? 0) > 0);
  }

  /** Which of the candidates nobody refers to. Returns how far the page was used up. */
  readonly #planActors = Effect.fnUntraced(function* (this: Sweep, plan: Plan, candidates: ReadonlyArray<AgeRow>, at: number, reached: number): Effect.fn.Return<number, JournalError> {
    const { journal, limits } = this.#options;
    const mail = yield* journal.mail(0, owedMax);
    const owed = yield* journal.effects(0, owedMax);
    if (mail.length === owedMax || owed.length === owedMax) return reached;
    const told = new Set(mail.map(({ envelope }) => (JSON.parse(envelope) as { to: Address }).to));
    const owing = new Set(owed.map(({ actor }) => actor));
    const many = candidatesMax * familyMax;
    let below = yield* journal.descendants(
      candidates.map(({ id }) => id),
      many,
    );
    const [first] = candidates;
    if (below.length === many && first !== undefined && candidates.length > 1) {
      // More than can be looked at together: one by one, then.
      candidates = [first];
      reached = first.id;
      below = yield* journal.descendants([first.id], many);
    }
    const families = new Map(candidates.map((row) => [row.id, [row]]));
    for (const row of below) families.get(row.root)?.push(row);
    const held = new Set(
      yield* journal.held(
        [...families.values()].flatMap((family) => family.map(({ address, id }) => livedAt(address, id))),
        at - limits.keyRetentionMs,
      ),
    );
    const gone = new Set<number>();
    for (const row of candidates) {
      if (gone.has(row.id) || !this.#isExpired(row, at)) continue; // gone with one above it, or enough others are
      const family = families.get(row.id) ?? [];
      if (family.length > familyMax) continue; // those below it go first, by themselves
      if (!family.every(isFinished) || family.some(({ id }) => owing.has(id))) continue;
      if (family.some(({ address, id }) => held.has(livedAt(address, id)) || told.has(address))) continue;
      if ([...told].some((to) => to.startsWith(`${row.address}/`))) continue;
      if (yield* this.#isWanted(row, family)) continue;
      const size = family.reduce((sum, { seq, first }) => sum + seq - first + 1, 0);
      if (plan.size > 0 && plan.size + size > entriesMax) return row.id - 1;
      if (size > entriesMax) {
        // Its history goes first, in parts; its state stays, so that nobody ever sees half a life.
        const longest = family.reduce((left, right) => (right.seq - right.first > left.seq - left.first ? right : left));
        planCut(plan, longest);
        plan.size = entriesMax;
        return row.id - 1;
      }
      plan.size += size;
      for (const { id, address } of family) {
        gone.add(id);
        plan.actors.push(id);
        plan.addresses.push(address);
      }
      if (row.parent === 0) this.#excess.set(row.machine, (this.#excess.get(row.machine) ?? 0) - 1);
      // Whoever decided on the failures in this family has nothing to decide on any more.
      for (const { id, address } of yield* journal.actors(family.map(({ address }) => supervisorAddress(address)))) {
        plan.actors.push(id);
        plan.addresses.push(address);
      }
    }
    return reached;
  });

  /** Whether its parent waits for it, or its machine says that somebody does. */
  readonly #isWanted = Effect.fnUntraced(function* (this: Sweep, row: AgeRow, family: ReadonlyArray<AgeRow>): Effect.fn.Return<boolean, JournalError> {
    const { journal, registry } = this.#options;
    const parent = parentAddress(row.address);
    if (row.parent > 0 && parent !== undefined && !isArchived(row)) {
      const [above] = yield* journal.actorsById([row.parent]);
      if (above !== undefined && above.status === "active") {
        try {
          const child = parseState(above.state).children?.[childId(row.address)];
          if (child !== undefined && child.ended !== true) return true;
        } catch {
          return true; // nobody knows what it waits for
        }
      }
    }
    for (const member of family) {
      const keptBy = registry.byId.get(member.machine)?.keptBy;
      if (keptBy === undefined) continue;
      const [stored] = yield* journal.actorsById([member.id]);
      if (stored === undefined) continue;
      const keepers = yield* Effect.try(() => keptBy(viewOfStored(stored, writerOf(registry, stored.hash)?.version ?? ""))).pipe(Effect.orElseSucceed(() => undefined));
      // What can't be told is kept.
      if (keepers === undefined) return true;
      if (keepers.length > 0 && (yield* journal.actors(keepers)).some(({ status }) => status === "active")) return true;
    }
    return false;
  });

  /** An action that is owed needs the entry that asked for it. */
  readonly #spareOwed = Effect.fnUntraced(function* (this: Sweep, plan: Plan): Effect.fn.Return<void, JournalError> {
    if (plan.cuts.length === 0) return;
    const owed = yield* this.#options.journal.effects(0, owedMax);
    const owing = new Set(owed.map(({ actor }) => actor));
    plan.cuts = plan.cuts.filter(({ actor }) => owed.length < owedMax && !owing.has(actor));
  });
}

const isArchived = ({ address, id }: AgeRow): boolean => livedAt(address, id) !== address;

/** Nothing happens to it any more. Nobody can reach an earlier incarnation, however it ended. */
const isFinished = (row: AgeRow): boolean => row.status !== "active" || isArchived(row);

/** Everything up to the present state of an actor goes; its last row stays. */
const planCut = (plan: Plan, { id, seq, cut }: AgeRow): void => {
  if (cut < seq) {
    plan.checkpoints.push(id);
    plan.cuts.push({ actor: id, seq });
  }
  plan.entries.push({ actor: id, upTo: seq - 1, limit: entriesMax });
};

/**
 * History is cut in two steps: first the present state is kept as a checkpoint, later, when enough has followed or
 * enough time has gone by, all that is before the checkpoint goes. Returns whether that is all that there is to do.
 */
const planHistory = (plan: Plan, row: AgeRow, { historyForMs, historyMax }: Retention, at: number): boolean => {
  const { id, seq, first, firstAt, cut, pending, pendingAt } = row;
  const isEnough = (entries: number, since: number) => (historyMax !== undefined && entries >= Math.max(1, historyMax)) || (historyForMs !== undefined && at - since >= historyForMs);
  const isCut = pending > 0 && isEnough(seq - pending, pendingAt);
  if (isCut) plan.cuts.push({ actor: id, seq: pending });
  const begin = isCut ? pending : cut;
  const isUnmarked = pending === 0 || isCut;
  if (isUnmarked && seq > Math.max(begin, 1) && isEnough(seq - begin, isCut ? pendingAt : firstAt)) plan.checkpoints.push(id);
  const last = Math.min(cut, seq - 1);
  if (first > last) return true;
  const limit = Math.max(1, entriesMax - plan.size);
  plan.entries.push({ actor: id, upTo: last, limit });
  plan.size += Math.min(limit, last - first + 1);
  return last - first + 1 <= limit;
};
