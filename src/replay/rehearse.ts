import * as Effect from "effect/Effect";
import { definitionOf } from "../actor/index.ts";
import type { Address } from "../domain/address.ts";
import { emptyTurn, type Journal, type JournalError, type JournalFenced, type JournalOwned, MemoryJournal } from "../journal/index.ts";
import type { MoveRefused } from "./errors.ts";
import { historyOfRow, versionsIn } from "./history.ts";
import { type Applied, applyMove, type MovedBack, type MoveOptions, putBack } from "./move.ts";
import { replayOn } from "./replay.ts";

/** How a rehearsal went. */
export interface Rehearsal {
  readonly applied: Applied;
  /** Moved actors that don't replay in the form to which they moved, in words. */
  readonly problems: ReadonlyArray<string>;
  /** Actors that the way back put back exactly as they were. */
  readonly back: number;
  /** Those that it did not: there must be none. */
  readonly notBack: ReadonlyArray<Address>;
}

const pageMax = 500;

/**
 * Moves a copy of the running actors of a machine in memory, replays each in its new form, and goes the way back. The journal is
 * only read.
 */
export const rehearseMove = (journal: Journal, options: MoveOptions): Effect.Effect<Rehearsal, MoveRefused | JournalError | JournalFenced | JournalOwned> =>
  Effect.gen(function* () {
    const copy = yield* MemoryJournal.make();
    const opened = yield* copy.open({ id: "rehearsal", pid: 0, host: "", now: options.at, leaseMs: Number.MAX_SAFE_INTEGER / 2, isAlive: () => true });
    const before = yield* copied(journal, copy, options.machine);
    const counters = { ...opened.counters, history: before.history };
    const kept: Array<MovedBack> = [];
    const applied = yield* applyMove(copy, { counters }, options, (batch) => Effect.sync(() => void kept.push(...batch)));
    const problems: Array<string> = [];
    const versionOf = yield* versionsIn(copy);
    const forms = new Map(options.machines.map((entry) => [definitionOf(entry).hash, entry]));
    for (const { address, to } of kept) {
      const [row] = yield* copy.actors([address]);
      const form = forms.get(to.hash);
      if (row === undefined || form === undefined) continue;
      const { difference } = replayOn(yield* historyOfRow(copy, row, versionOf), [form]);
      if (difference !== undefined) problems.push(`${address}, entry ${difference.seq}: ${difference.detail}`);
    }
    const counted = yield* copy.reopen;
    const { back, left } = yield* putBack(copy, { counters: counted }, kept, options.at);
    const notBack: Array<Address> = [...left];
    for (const { address } of kept) {
      const [row] = yield* copy.actors([address]);
      if (row !== undefined && row.state !== before.states.get(address) && !left.includes(address)) notBack.push(address);
    }
    return { applied, problems, back, notBack };
  });

/** Copies the running actors of a machine, each with its last entry. */
const copied = (journal: Journal, copy: Journal, machine: string) =>
  Effect.gen(function* () {
    const states = new Map<Address, string>();
    let history = 0;
    const machines = yield* journal.machines;
    for (let after = 0; ; ) {
      const rows = yield* journal.list({ machine, status: "active", after, limit: pageMax });
      const entries = [];
      for (const row of rows) {
        states.set(row.address, row.state);
        for (const entry of yield* journal.history(row.address, row.seq - 1, 1)) entries.push({ ...entry, id: ++history });
      }
      // A parent that is another machine's does not come along: here only the state counts.
      yield* copy.commit({
        ...emptyTurn,
        created: rows.map(({ wake: _, ...row }) => ({ ...row, replaces: false })),
        wakes: rows.flatMap(({ id, wake }) => (wake === undefined ? [] : [{ actor: id, due: wake }])),
        history: entries,
        machines: after === 0 ? machines : [],
      });
      const last = rows.at(-1);
      if (last === undefined || rows.length < pageMax) return { states, history };
      after = last.id;
    }
  });
