import * as Effect from "effect/Effect";
import type { StoredState } from "../actor/index.ts";
import { type Address, childAddress } from "../domain/address.ts";
import type { ActorRow, HistoryRow, Journal } from "../journal/index.ts";
import { type Forms, formsOf, type History, lastMove, type Machines, type Replay, replay, replayEach } from "../replay/index.ts";
import { replayed } from "./replayed.ts";

/** What replaying everything in a journal came to. */
export interface Folded {
  /** Histories that were stepped again from their start, or from where they were cut. */
  readonly histories: number;
  readonly entries: number;
  /** Histories of which at least the beginning was written by a form of a machine that was not given. */
  readonly unknown: number;
  /** Where stored rows contradict each other, in words. */
  readonly problems: ReadonlyArray<string>;
}

/**
 * The proof that what is stored is what happened: each actor's history is replayed, as `taskwright replay --all` does,
 * and must lead to the stored state, fingerprint by fingerprint. What was written by a form of a machine that is not
 * given is left out, up to the entry that moves the actor to one that is.
 */
export const foldJournal = async (journal: Journal, machines: Machines): Promise<Folded> => {
  const run = <A>(effect: Effect.Effect<A, unknown>) => Effect.runPromise(effect);
  const forms = formsOf(machines);
  const mail = new Set((await run(journal.mail(0, 1_000_000))).map(({ envelope }) => (JSON.parse(envelope) as { to: Address }).to));
  const problems: Array<string> = [];
  const found: Array<{ readonly row: ActorRow; readonly state: StoredState | undefined }> = [];
  const counts = { histories: 0, entries: 0, unknown: 0 };
  await run(
    replayEach(journal, forms, {}, (whole, row, history) => {
      const part = whole.difference?.what === "form" ? sinceLastMove(history, forms) : whole;
      if (part !== whole) counts.unknown++;
      if (part === undefined) return;
      counts.histories++;
      counts.entries += part.verified;
      problems.push(...differences(row, history, part));
      found.push({ row, state: part.difference === undefined ? part.state : undefined });
    }),
  );
  const ids = new Set<number>();
  const byAddress = new Map(found.map(({ row }) => [row.address, row]));
  for (const { row, state } of found) {
    for (const { id, seq, type, event } of await run(journal.history(row.address, 0, 1_000_000))) {
      if (ids.has(id)) problems.push(`${row.address}: the history id ${id} is used twice`);
      ids.add(id);
      problems.push(...mistyped(row, { seq, type, event }));
    }
    if (state !== undefined && row.status === "active") problems.push(...missingChildren(forms, row, state, byAddress, mail));
  }
  replayed.histories += counts.histories;
  replayed.entries += counts.entries;
  return { ...counts, problems };
};

/** The replay of what came after the last move between forms, where the form to which it led is known. */
const sinceLastMove = (history: History, forms: Forms): Replay | undefined => {
  const move = lastMove(history);
  if (move === undefined || forms.of(move.event.to.hash) === undefined) return undefined;
  const { seq, at } = move.entry;
  const { to, state } = move.event;
  return replay({ ...history, start: { seq, at, ...to, state: state as unknown as StoredState, input: undefined }, entries: history.entries.filter((entry) => entry.seq > seq) }, forms);
};

const differences = (row: ActorRow, history: History, { difference, seq, state }: Replay): ReadonlyArray<string> => {
  if (difference !== undefined) return [`${row.address}, entry ${difference.seq} (${difference.event}): ${difference.detail}; ${difference.why}`];
  if (state === undefined) return [];
  const problems: Array<string> = [];
  if (history.state === undefined) problems.push(`${row.address}: the stored state can't be read: ${row.state}`);
  if (row.seq !== seq) problems.push(`${row.address}: its seq is ${row.seq}, its history ends at ${seq}`);
  if (row.status !== state.status) problems.push(`${row.address}: its status is ${row.status}, the history leads to ${state.status}`);
  const due = Math.min(...Object.values(state.timers ?? {}).flatMap((timer) => (timer.held === true ? [] : [timer.due])));
  // A stored wake may be early (a timer was put off), never late.
  if (row.status === "active" && due < (row.wake === undefined ? Number.POSITIVE_INFINITY : row.wake)) problems.push(`${row.address}: it waits until ${due}, but its wake is ${row.wake ?? "missing"}`);
  return problems;
};

const mistyped = ({ address }: ActorRow, { seq, type, event }: Pick<HistoryRow, "seq" | "type" | "event">): ReadonlyArray<string> => {
  const says = /^\{"type":"((?:[^"\\]|\\.)*)"/.exec(event)?.[1];
  if (says === type) return [];
  const told = (JSON.parse(event) as { type: string }).type;
  return told === type ? [] : [`${address}, entry ${seq}: its type is ${type}, its event says ${told}`];
};

/** A child that its parent waits for must exist, in the parent's generation, or be on its way. */
const missingChildren = (forms: Forms, row: ActorRow, state: StoredState, byAddress: ReadonlyMap<Address, ActorRow>, mail: ReadonlySet<Address>): ReadonlyArray<string> =>
  Object.entries(state.children ?? {}).flatMap(([id, child]) => {
    const kind = forms.of(row.hash)?.sources.get(child.src)?.kind;
    const address = childAddress(row.address, id);
    if (child.ended === true || (kind !== "machine" && kind !== "promise") || mail.has(address) || mail.has(row.address)) return [];
    const found = byAddress.get(address);
    if (found === undefined) return [`${row.address}: its child "${id}" does not exist`];
    return found.token === child.token ? [] : [`${row.address}: its child "${id}" has generation ${found.token}, expected is ${child.token}`];
  });
