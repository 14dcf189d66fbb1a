import type { Address } from "../domain/address.ts";
import type {
  ActorFilter,
  ActorRow,
  AttemptKey,
  AttemptRow,
  AgeRow,
  BuildRow,
  ChangeRow,
  CheckpointRow,
  Counters,
  CountRow,
  DeadLetterFilter,
  EffectRow,
  HistoryRow,
  KeyRow,
  KeyWanted,
  MachineRow,
  MailRow,
  NameRow,
  NameWanted,
  OwnerInfo,
  OwnerRow,
  StoredDeadLetter,
  Pruning,
  Turn,
  WakeRow,
} from "./journal.ts";

import { MemoryEntries } from "./memory-entries.ts";

type StoredHistory = HistoryRow & { readonly id: number };

type StoredCheckpoint = CheckpointRow & { readonly madeAt: number; readonly cut: boolean };

/** The tables of a `MemoryJournal`. It outlives the journals over it, as a file outlives processes. */
export class MemoryStore {
  owner: OwnerRow | undefined;
  /** By id. Map keeps the order of insertion, and ids only grow: so each of these is in order of ids. */
  readonly #actors = new Map<number, Omit<ActorRow, "wake">>();
  readonly mail = new Map<number, MailRow>();
  readonly effects = new Map<number, EffectRow>();
  readonly keys = new Map<string, KeyRow>();
  readonly entries = new MemoryEntries();
  readonly names = new Map<string, NameRow>();
  readonly machines = new Map<string, MachineRow>();
  readonly deadLetters = new Map<number, StoredDeadLetter>();
  readonly attempts = new Map<string, AttemptRow>();
  readonly #builds: Array<BuildRow> = [{ build: "", epoch: 0, at: 0, history: 0 }];
  latestAt = 0;
  readonly #ids = new Map<Address, number>();
  readonly #history = new Map<number, Array<StoredHistory>>();
  readonly #wakes = new Map<number, number>();
  readonly #checkpoints = new Map<number, Array<StoredCheckpoint>>();
  #lastHistory = 0;
  #lastLetter = 0;
  #lastActor = 0;

  actorAt(address: Address): ActorRow | undefined {
    const id = this.#ids.get(address);
    return id === undefined ? undefined : this.actor(id);
  }

  actor(id: number): ActorRow | undefined {
    const row = this.#actors.get(id);
    return row === undefined ? undefined : { ...row, wake: this.#wakes.get(id) };
  }

  // Escaped by JSON, so that no address and key can look like another pair.
  keyOf(row: KeyWanted): string {
    return JSON.stringify([row.address, row.key]);
  }

  nameOf(row: NameWanted): string {
    return JSON.stringify([row.tree, row.systemId]);
  }

  counters(): Counters {
    return { actor: this.#lastActor, history: this.#lastHistory, mail: last(this.mail), effect: last(this.effects) };
  }

  due(until: number, limit: number): ReadonlyArray<WakeRow> {
    const rows: Array<WakeRow> = [];
    for (const [actor, due] of this.#wakes) if (due <= until) rows.push({ actor, address: this.#actors.get(actor)?.address ?? "", due });
    return rows.sort((a, b) => a.due - b.due || a.actor - b.actor).slice(0, limit);
  }

  nextWakeAfter(after: number): number | undefined {
    let next: number | undefined;
    for (const due of this.#wakes.values()) if (due > after && (next === undefined || due < next)) next = due;
    return next;
  }

  list({ machine, status, parent, after = 0, descending = false, limit }: ActorFilter): ReadonlyArray<ActorRow> {
    const found: Array<ActorRow> = [];
    const isBeyond = (id: number) => (descending ? after === 0 || id < after : id > after);
    for (const row of descending ? [...this.#actors.values()].reverse() : this.#actors.values()) {
      if (found.length >= limit) break;
      const fits = (machine === undefined || row.machine === machine) && (status === undefined || row.status === status) && (parent === undefined || row.parent === parent);
      if (fits && isBeyond(row.id)) found.push({ ...row, wake: this.#wakes.get(row.id) });
    }
    return found;
  }

  counts(): ReadonlyArray<CountRow> {
    const found = new Map<string, CountRow>();
    for (const { machine, status } of this.#actors.values()) {
      const key = JSON.stringify([machine, status]);
      found.set(key, { machine, status, count: (found.get(key)?.count ?? 0) + 1 });
    }
    const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
    return [...found.values()].sort((a, b) => order(a.machine, b.machine) || order(a.status, b.status));
  }

  historyOf(address: Address, after: number, limit: number): ReadonlyArray<StoredHistory> {
    const id = this.#ids.get(address);
    const rows = id === undefined ? undefined : this.#history.get(id);
    return id === undefined || rows === undefined ? [] : rows.filter((row) => row.seq > Math.max(after, this.#cutOf(id))).slice(0, limit);
  }

  changes(after: number, limit: number): ReadonlyArray<ChangeRow> {
    const found: Array<ChangeRow> = [];
    for (const { id, address, machine } of this.#actors.values()) for (const row of this.#history.get(id) ?? []) if (row.id > after) found.push({ ...row, address, machine });
    return found.sort((a, b) => a.id - b.id).slice(0, limit);
  }

  openedBy(epoch: number, { build = "", now }: OwnerInfo): void {
    if (this.#builds.at(-1)?.build !== build) this.#builds.push({ build, epoch, at: now, history: this.#lastHistory });
  }

  buildOf(address: Address): BuildRow | undefined {
    const id = this.#ids.get(address);
    const last = id === undefined ? undefined : this.#history.get(id)?.at(-1)?.id;
    return last === undefined ? undefined : this.#builds.findLast((row) => row.history < last);
  }

  #cutOf(id: number): number {
    return this.#checkpoints.get(id)?.find(({ cut }) => cut)?.seq ?? 0;
  }

  #age({ id, address, parent, machine, status, seq, at }: Omit<ActorRow, "wake">): AgeRow {
    const oldest = this.#history.get(id)?.[0];
    const pending = this.#checkpoints.get(id)?.find(({ cut }) => !cut);
    return { id, address, parent, machine, status, seq, at, first: oldest?.seq ?? seq, firstAt: oldest?.at ?? at, cut: this.#cutOf(id), pending: pending?.seq ?? 0, pendingAt: pending?.madeAt ?? 0 };
  }

  ages(after: number, limit: number): ReadonlyArray<AgeRow> {
    const found: Array<AgeRow> = [];
    for (const row of this.#actors.values()) {
      if (found.length >= limit) break;
      if (row.id > after) found.push(this.#age(row));
    }
    return found;
  }

  descendants(ids: ReadonlyArray<number>, limit: number): ReadonlyArray<AgeRow & { readonly root: number }> {
    const children = new Map<number, Array<Omit<ActorRow, "wake">>>();
    for (const row of this.#actors.values()) if (row.parent > 0) children.set(row.parent, [...(children.get(row.parent) ?? []), row]);
    const found: Array<AgeRow & { readonly root: number }> = [];
    const visit = (root: number, id: number): void => {
      for (const row of children.get(id) ?? []) {
        if (found.length >= limit) return;
        found.push({ root, ...this.#age(row) });
        visit(root, row.id);
      }
    };
    for (const id of ids) visit(id, id);
    return found;
  }

  held(addresses: ReadonlyArray<Address>, since: number): ReadonlyArray<Address> {
    const held = new Set([...this.deadLetters.values()].map((row) => row.address));
    for (const { address, at } of this.keys.values()) if (at >= since) held.add(address);
    return addresses.filter((address) => held.has(address));
  }

  checkpoint(address: Address): CheckpointRow | undefined {
    const found = this.#checkpoints.get(this.#ids.get(address) ?? 0)?.find(({ cut }) => cut);
    if (found === undefined) return undefined;
    const { seq, at, hash, state, start } = found;
    return { seq, at, hash, state, start };
  }

  prune({ at: madeAt, actors, checkpoints, cuts, entries }: Pruning): number {
    let removed = 0;
    for (const id of checkpoints) {
      const row = this.#actors.get(id);
      if (row === undefined) continue;
      const { seq, at, hash, state } = row;
      const others = (this.#checkpoints.get(id) ?? []).filter((other) => other.seq !== seq);
      const start = this.#history.get(id)?.find((entry) => entry.seq === 1)?.event ?? others.find(({ cut }) => cut)?.start ?? "";
      this.#checkpoints.set(id, [...others, { seq, at, hash, state, start, madeAt, cut: false }]);
    }
    for (const { actor, seq } of cuts) {
      const kept = (this.#checkpoints.get(actor) ?? []).filter((row) => row.seq >= seq);
      this.#checkpoints.set(
        actor,
        kept.map((row) => (row.seq === seq ? { ...row, cut: true } : row)),
      );
    }
    for (const { actor, upTo, limit } of entries) {
      const rows = this.#history.get(actor) ?? [];
      const last = Math.min(upTo, (this.#actors.get(actor)?.seq ?? 0) - 1);
      const count = Math.min(limit, rows.filter(({ seq }) => seq <= last).length);
      removed += rows.splice(0, count).length;
    }
    for (const id of actors) {
      const row = this.#actors.get(id);
      if (row === undefined) continue;
      for (const [key, { address }] of this.keys) if (address === row.address) this.keys.delete(key);
      for (const [key, { tree }] of this.names) if (tree === row.address) this.names.delete(key);
      for (const [effect, { actor }] of this.effects) if (actor === id) this.effects.delete(effect);
      removed += this.#history.get(id)?.length ?? 0;
      for (const table of [this.#history, this.#wakes, this.#checkpoints, this.#actors]) table.delete(id);
      this.#ids.delete(row.address);
    }
    return removed;
  }

  lettersBy({ ids, address, prefix, type, kind, since, before, after = 0, limit }: DeadLetterFilter): ReadonlyArray<StoredDeadLetter> {
    const wanted = ids === undefined ? undefined : new Set(ids);
    const found: Array<StoredDeadLetter> = [];
    for (const row of this.deadLetters.values()) {
      if (found.length >= limit) break;
      if (row.id <= after || wanted?.has(row.id) === false || (address !== undefined && row.address !== address) || (prefix !== undefined && !row.address.startsWith(prefix))) continue;
      if ((since !== undefined && row.at < since) || (before !== undefined && row.at >= before)) continue;
      if (type !== undefined || kind !== undefined) {
        const { event, action } = JSON.parse(row.envelope) as { readonly event?: { readonly type?: string }; readonly action?: string };
        if (type !== undefined && event?.type !== type) continue;
        if (kind !== undefined && (action === undefined) !== (kind === "event")) continue;
      }
      found.push(row);
    }
    return found;
  }

  pruneKeys(before: number, limit: number): number {
    const old = [...this.keys]
      .filter(([, row]) => row.at < before)
      .sort(([, a], [, b]) => a.at - b.at)
      .slice(0, limit);
    for (const [key] of old) this.keys.delete(key);
    return old.length;
  }

  /** Says why a turn can't be stored, in words, before anything of it is. */
  refuses(turn: Turn): string | undefined {
    const addresses = new Set<Address>();
    const moved = new Set<Address>();
    for (const row of turn.created) {
      const earlier = row.replaces ? this.actorAt(row.address) : undefined;
      if (earlier !== undefined && this.#ids.has(incarnation(earlier))) return `there is an actor ${incarnation(earlier)} already`;
      if (earlier !== undefined) moved.add(row.address);
    }
    for (const row of turn.created) {
      if (this.#actors.has(row.id)) return `there is an actor ${row.id} already`;
      if ((this.#ids.has(row.address) && !moved.has(row.address)) || addresses.has(row.address)) return `there is an actor ${row.address} already`;
      addresses.add(row.address);
    }
    const seqs = new Map<number, number>();
    let previous = this.#lastHistory;
    for (const row of turn.history) {
      const seq = seqs.get(row.actor) ?? this.#history.get(row.actor)?.at(-1)?.seq ?? 0;
      if (row.id <= previous || row.seq <= seq) return `there is a history row ${row.id}, or seq ${row.seq} of actor ${row.actor}, already`;
      previous = row.id;
      seqs.set(row.actor, row.seq);
    }
    if (turn.mail.some((row) => this.mail.has(row.id))) return "there is a message with this id already";
    if (turn.effects.some((row) => this.effects.has(row.id))) return "there is an effect with this id already";
    return undefined;
  }

  /** Stores a turn that `refuses` has nothing against. */
  apply(turn: Turn): void {
    for (const row of turn.machines) {
      if (!this.machines.has(row.hash)) this.machines.set(row.hash, { ...row });
      this.#saw(row.at);
    }
    for (const { address, replaces } of turn.created) {
      const earlier = replaces ? this.actorAt(address) : undefined;
      if (earlier === undefined) continue;
      this.#ids.delete(address);
      this.#ids.set(incarnation(earlier), earlier.id);
      this.#actors.set(earlier.id, { ...this.#actors.get(earlier.id)!, address: incarnation(earlier) });
    }
    for (const { replaces: _, ...row } of turn.created) {
      this.#actors.set(row.id, row);
      if (row.id > this.#lastActor) this.#lastActor = row.id;
      this.#ids.set(row.address, row.id);
      this.#saw(row.at);
      this.#saw(row.createdAt);
    }
    for (const row of turn.history) {
      const rows = this.#history.get(row.actor);
      if (rows === undefined) this.#history.set(row.actor, [{ ...row }]);
      else rows.push({ ...row });
      this.#lastHistory = row.id;
      this.#saw(row.at);
    }
    for (const { id, seq, at, state, changed } of turn.moved) {
      const row = this.#actors.get(id);
      if (row !== undefined) this.#actors.set(id, { ...row, ...changed, seq, at, state });
      this.#saw(at);
    }
    for (const { actor, due } of turn.wakes) {
      if (due === undefined) this.#wakes.delete(actor);
      else this.#wakes.set(actor, due);
    }
    for (const row of turn.keys) {
      this.keys.set(this.keyOf(row), { ...row });
      this.#saw(row.at);
    }
    for (const row of turn.mail) this.mail.set(row.id, { ...row });
    for (const id of turn.mailTaken) this.mail.delete(id);
    for (const row of turn.effects) this.effects.set(row.id, { ...row });
    for (const id of turn.effectsDone) this.effects.delete(id);
    for (const write of turn.entries) this.entries.apply(write);
    for (const row of turn.names) this.names.set(this.nameOf(row), { ...row });
    for (const id of turn.deadLettersTaken ?? []) this.deadLetters.delete(id);
    for (const row of turn.deadLetters) {
      const id = ++this.#lastLetter;
      this.deadLetters.set(id, { ...row, id });
      this.#saw(row.at);
    }
    for (const row of turn.attempts ?? []) this.attempts.set(attemptOf(row), { ...row });
    for (const row of turn.attemptsDone ?? []) this.attempts.delete(attemptOf(row));
  }

  #saw(at: number): void {
    if (at > this.latestAt) this.latestAt = at;
  }
}

/** Where an actor is found after another one took its address. */
const incarnation = (row: { readonly address: Address; readonly id: number }): Address => `${row.address}~${row.id}`;

// In the order of the table's primary key.
const attemptOf = ({ kind, item, token }: AttemptKey): string => `${kind} ${String(item).padStart(16, "0")} ${String(token).padStart(16, "0")}`;

const last = (rows: ReadonlyMap<number, unknown>): number => {
  let id = 0;
  for (const key of rows.keys()) if (key > id) id = key;
  return id;
};
