import * as Effect from "effect/Effect";
import { type ActorState, type Definition, encode, nextDue } from "../actor/index.ts";
import { type Address, childAddress } from "../domain/address.ts";
import type { ActorRow, HistoryRow, Journal } from "../journal/index.ts";
import { eachHistory, type History, historyOfRows, stepThrough, type Stepper } from "../replay/index.ts";

/** Finds a machine by the form that wrote; nothing where that form is not there any more. */
export type DefinitionOf = (form: Pick<ActorRow, "machine" | "hash">) => Definition | undefined;

/**
 * The proof that what is stored is what happened: each actor's history is stepped again from its start, by the same
 * pure step and without an engine, and must lead to the stored state, hash by hash. What was written by a form of a
 * machine that is not known is left out, up to the entry that moves the actor to one that is.
 */
export const foldJournal = async (journal: Journal, definitionOf: DefinitionOf): Promise<ReadonlyArray<string>> => {
  const run = <A>(effect: Effect.Effect<A, unknown>) => Effect.runPromise(effect);
  const mail = new Set((await run(journal.mail(0, 1_000_000))).map(({ envelope }) => (JSON.parse(envelope) as { to: Address }).to));
  const problems: Array<string> = [];
  const folded: Array<{ readonly row: ActorRow; readonly state: ActorState | undefined }> = [];
  await run(
    eachHistory(journal, {}, (history, row) => {
      const { problems: found, state } = foldHistory(definitionOf, row, history);
      problems.push(...found);
      folded.push({ row, state });
    }),
  );
  const ids = new Set<number>();
  const byAddress = new Map(folded.map(({ row }) => [row.address, row]));
  for (const { row, state } of folded) {
    for (const { id, seq, type, event } of await run(journal.history(row.address, 0, 1_000_000))) {
      if (ids.has(id)) problems.push(`${row.address}: the history id ${id} is used twice`);
      ids.add(id);
      problems.push(...mistyped(row, { seq, type, event }));
    }
    const definition = definitionOf(row);
    if (definition !== undefined && state !== undefined && row.status === "active") problems.push(...missingChildren(definition, row, state, byAddress, mail));
  }
  return problems;
};

/** One actor's history, stepped again, from where it was cut. `problems` says in words where it differs from what is stored. */
export const foldActor = (
  definitionOf: DefinitionOf,
  row: ActorRow,
  history: ReadonlyArray<HistoryRow>,
  from?: Parameters<typeof historyOfRows>[0]["checkpoint"],
): { readonly problems: ReadonlyArray<string>; readonly state: ActorState | undefined } => {
  const { problems, state } = foldHistory(
    definitionOf,
    row,
    historyOfRows({ row, rows: history, checkpoint: from }, () => ""),
  );
  return { problems: [...history.flatMap((entry) => mistyped(row, entry)), ...problems], state };
};

const mistyped = ({ address }: ActorRow, { seq, type, event }: Pick<HistoryRow, "seq" | "type" | "event">): ReadonlyArray<string> => {
  const says = /^\{"type":"((?:[^"\\]|\\.)*)"/.exec(event)?.[1];
  if (says === type) return [];
  const told = (JSON.parse(event) as { type: string }).type;
  return told === type ? [] : [`${address}, entry ${seq}: its type is ${type}, its event says ${told}`];
};

const foldHistory = (definitionOf: DefinitionOf, row: ActorRow, history: History): { readonly problems: ReadonlyArray<string>; readonly state: ActorState | undefined } => {
  const problems: Array<string> = [];
  const { machine } = row;
  const forms: Stepper["forms"] = { of: (hash) => definitionOf({ machine, hash }) };
  let state: ActorState | undefined;
  let expected = history.start?.seq ?? 0;
  for (const { entry, before, after, wrong } of stepThrough(history, { forms })) {
    expected = entry.seq;
    for (const { detail } of wrong) problems.push(`${row.address}, entry ${entry.seq}: ${detail}`);
    if (wrong.some(({ what }) => what === "threw" || what === "event")) return { problems, state: before };
    state = after;
  }
  if (history.entries.length === 0 && history.start === undefined) problems.push(`${row.address}: it has no history`);
  else if (state !== undefined) {
    if (encode(state) !== row.state) problems.push(`${row.address}: stored is ${row.state}, the history leads to ${encode(state)}`);
    if (row.seq !== expected) problems.push(`${row.address}: its seq is ${row.seq}, its history ends at ${expected}`);
    if (row.status !== state.snapshot.status) problems.push(`${row.address}: its status is ${row.status}, the history leads to ${state.snapshot.status}`);
    const due = row.status === "active" ? nextDue(state) : undefined;
    // A stored wake may be early (a timer was put off), never late.
    if (due !== undefined && (row.wake === undefined || row.wake > due)) problems.push(`${row.address}: it waits until ${due}, but its wake is ${row.wake ?? "missing"}`);
  }
  return { problems, state };
};

/** A child that its parent waits for must exist, in the parent's generation, or be on its way. */
const missingChildren = (definition: Definition, row: ActorRow, state: ActorState, byAddress: ReadonlyMap<Address, ActorRow>, mail: ReadonlySet<Address>): ReadonlyArray<string> =>
  Object.entries(state.children).flatMap(([id, child]) => {
    const kind = definition.sources.get(child.src)?.kind;
    const address = childAddress(row.address, id);
    if (child.ended === true || (kind !== "machine" && kind !== "promise") || mail.has(address) || mail.has(row.address)) return [];
    const found = byAddress.get(address);
    if (found === undefined) return [`${row.address}: its child "${id}" does not exist`];
    return found.token === child.token ? [] : [`${row.address}: its child "${id}" has generation ${found.token}, expected is ${child.token}`];
  });
