import * as Effect from "effect/Effect";
import { createHash } from "node:crypto";
import { type ActorState, type Definition, decode, encode, nextDue, parseJson, start, step } from "../actor/index.ts";
import { type Address, childAddress, parentAddress } from "../domain/address.ts";
import type { EngineEvent, Event } from "../domain/event.ts";
import type { ActorRow, CheckpointRow, HistoryRow, Journal } from "../journal/index.ts";

/** Finds a machine by the form that wrote; nothing where that form is not there any more. */
export type DefinitionOf = (form: Pick<ActorRow, "machine" | "hash">) => Definition | undefined;

/**
 * The proof that what is stored is what happened: each actor's history is stepped again from its start, by the same
 * pure step and without an engine, and must lead to the stored state, hash by hash. What was written by a form of a
 * machine that is not known is left out, up to the entry that moves the actor to one that is.
 */
export const foldJournal = async (journal: Journal, definitionOf: DefinitionOf): Promise<ReadonlyArray<string>> => {
  const run = <A>(effect: Effect.Effect<A, unknown>) => Effect.runPromise(effect);
  const rows: Array<ActorRow> = [];
  for (let after = 0; ; after = rows.at(-1)?.id ?? 0) {
    const page = await run(journal.list({ after, limit: 500 }));
    rows.push(...page);
    if (page.length < 500) break;
  }
  const mail = new Set((await run(journal.mail(0, 1_000_000))).map(({ envelope }) => (JSON.parse(envelope) as { to: Address }).to));
  const byAddress = new Map(rows.map((row) => [row.address, row]));
  const problems: Array<string> = [];
  const ids = new Set<number>();
  for (const row of rows) {
    const history = await run(journal.history(row.address, 0, 1_000_000));
    for (const { id } of history) {
      if (ids.has(id)) problems.push(`${row.address}: the history id ${id} is used twice`);
      ids.add(id);
    }
    const folded = foldActor(definitionOf, row, history, await run(journal.checkpoint(row.address)));
    problems.push(...folded.problems);
    const definition = definitionOf(row);
    if (definition !== undefined && folded.state !== undefined && row.status === "active") problems.push(...missingChildren(definition, row, folded.state, byAddress, mail));
  }
  return problems;
};

/** One actor's history, stepped again, from where it was cut. `problems` says in words where it differs from what is stored. */
export const foldActor = (
  definitionOf: DefinitionOf,
  row: ActorRow,
  history: ReadonlyArray<HistoryRow>,
  from?: CheckpointRow,
): { readonly problems: ReadonlyArray<string>; readonly state: ActorState | undefined } => {
  const problems: Array<string> = [];
  const address = row.address.endsWith(`~${row.id}`) ? row.address.slice(0, row.address.lastIndexOf("~")) : row.address;
  const problem = (seq: number, what: string) => problems.push(`${row.address}, entry ${seq}: ${what}`);
  const { machine } = row;
  let definition = definitionOf({ machine, hash: from?.hash ?? firstForm(history) ?? row.hash });
  let state: ActorState | undefined;
  let expected = from?.seq ?? 0;
  let at = from?.at ?? 0;
  if (from !== undefined && definition !== undefined) state = decode(definition, address, parentAddress(address), from.state);
  for (const { seq, type, event, outcome, stateHash, at: then } of history) {
    if (seq !== ++expected) {
      problem(seq, `entry ${expected} is missing`);
      expected = seq;
    }
    if (then < at) problem(seq, `its moment ${then} is before that of the entry before it, ${at}`);
    at = then;
    const told = parseJson(event) as Event | EngineEvent;
    if (told.type !== type) problem(seq, `its type is ${type}, its event says ${told.type}`);
    try {
      if (told.type === "taskwright.migrate") {
        const { to, by, state: moved } = told as MigrateEvent;
        const before: string | undefined = state === undefined ? undefined : encode(state);
        definition = definitionOf({ machine, hash: to.hash });
        state = definition === undefined ? undefined : decode(definition, address, parentAddress(address), JSON.stringify(moved));
        if (by === "structure" && before !== undefined && before !== JSON.stringify(moved)) problem(seq, "its state is another one after a move that should have kept it");
        if (state === undefined) continue;
      } else if (definition === undefined) continue;
      else if (state === undefined) state = start(definition, address, parentAddress(address), (told as { input?: unknown }).input, then, { sync: (told as { sync?: true }).sync }).state;
      else if (outcome !== "failed") {
        const next = step(definition, state, told, then);
        if (next.outcome !== outcome) problem(seq, `"${type}" was ${outcome}, stepped again it is ${next.outcome}`);
        state = next.state;
      }
    } catch (error) {
      problem(seq, `"${type}" can't be stepped again: ${error instanceof Error ? error.message : String(error)}`);
      return { problems, state };
    }
    if (hashOf(encode(state)) !== stateHash) problem(seq, `after "${type}" the state hash differs`);
  }
  if (history.length === 0 && from === undefined) problems.push(`${row.address}: it has no history`);
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

type MigrateEvent = Extract<EngineEvent, { type: "taskwright.migrate" }>;

/** The form of the machine that wrote the first entries, if the actor moved to another one since. */
const firstForm = (history: ReadonlyArray<HistoryRow>): string | undefined => {
  const move = history.find(({ type }) => type === "taskwright.migrate");
  return move === undefined ? undefined : (JSON.parse(move.event) as MigrateEvent).from.hash;
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

const hashOf = (json: string): string => createHash("sha256").update(json).digest("base64url").slice(0, 22);
