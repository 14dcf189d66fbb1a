import type { Address } from "../domain/address.ts";
import type { EntryCounts, EntryFilter, EntryRow, EntryWrite, LaneFilter, LaneHead } from "./journal.ts";

/** The entries of all outboxes of a `MemoryStore`. */
export class MemoryEntries {
  readonly #outboxes = new Map<Address, Map<number, EntryRow>>();

  apply(write: EntryWrite): void {
    switch (write.write) {
      case "store":
        return this.#store(write.entry, write.takenTo);
      case "change": {
        const { write: _, outbox, seq, ...change } = write;
        const row = this.#of(outbox).get(seq);
        if (row !== undefined) this.#of(outbox).set(seq, { ...row, ...change });
        return;
      }
      case "remove":
        this.#of(write.outbox).delete(write.seq);
        return;
      case "clear":
        for (const row of this.#of(write.outbox).values()) if (row.status === "pending" && row.due > write.at) this.#of(write.outbox).set(row.seq, { ...row, due: write.at });
        return;
      case "collect":
        return;
      case "move": {
        const rows = this.list({ outbox: write.outbox, limit: Number.POSITIVE_INFINITY });
        this.#outboxes.delete(write.outbox);
        const known = new Set([...this.#of(write.to).values()].map(({ key }) => key));
        // One that both hold is the same entry: the receiver's own stays.
        for (const row of rows)
          if (!known.has(row.key) && !this.#of(write.to).has(row.seq + write.seqOffset))
            this.#of(write.to).set(row.seq + write.seqOffset, { ...row, outbox: write.to, seq: row.seq + write.seqOffset });
      }
    }
  }

  list({ outbox, status, after = 0, upTo = Number.POSITIVE_INFINITY, limit }: EntryFilter): ReadonlyArray<EntryRow> {
    const rows = [...this.#of(outbox).values()].filter((row) => (status === undefined || row.status === status) && row.seq > after && row.seq <= upTo);
    return rows.sort((left, right) => left.seq - right.seq).slice(0, limit);
  }

  laneHeads(outbox: Address): ReadonlyArray<LaneHead> {
    const heads = new Map<string, LaneHead>();
    for (const { lane, seq, due } of this.list({ outbox, status: "pending", limit: Number.POSITIVE_INFINITY })) if (!heads.has(lane)) heads.set(lane, { lane, seq, due });
    return [...heads.values()];
  }

  laneEntries({ outbox, lanes, upTo, each }: LaneFilter): ReadonlyArray<EntryRow> {
    const left = new Map(lanes.map((lane) => [lane, each]));
    return this.list({ outbox, status: "pending", upTo, limit: Number.POSITIVE_INFINITY }).filter(({ lane }) => {
      const room = left.get(lane) ?? 0;
      left.set(lane, room - 1);
      return room > 0;
    });
  }

  counts(outbox: Address): EntryCounts {
    const counts = { pending: 0, poisoned: 0, unknown: 0 };
    for (const { status } of this.#of(outbox).values()) counts[status]++;
    return counts;
  }

  #of(outbox: Address): Map<number, EntryRow> {
    const known = this.#outboxes.get(outbox);
    if (known !== undefined) return known;
    const rows = new Map<number, EntryRow>();
    this.#outboxes.set(outbox, rows);
    return rows;
  }

  #store(entry: EntryRow, takenTo: number): void {
    const rows = this.#of(entry.outbox);
    if (entry.replaces !== "") for (const row of rows.values()) if (row.replaces === entry.replaces && row.status === "pending" && row.seq > takenTo) rows.delete(row.seq);
    for (const row of rows.values()) {
      if (row.key !== entry.key) continue;
      rows.set(row.seq, { ...row, type: entry.type, payload: entry.payload });
      return;
    }
    rows.set(entry.seq, entry);
  }
}
