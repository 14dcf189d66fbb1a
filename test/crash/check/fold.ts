import { createHash } from "node:crypto";
import { activity } from "../../../machines/activity.ts";
import { assignment } from "../../../machines/assignment.ts";
import { supervisor } from "../../../machines/supervisor.ts";
import { task } from "../../../machines/task.ts";
import { worker } from "../../../machines/worker.ts";
import { type ActorState, type Definition, decode, define, encode, parseJson, start, step } from "../../../src/actor/index.ts";
import { account, alarm, fragile, herald, parcel, slip } from "../bank-machines.ts";
import type { ActorRow, Evidence, HistoryRow, StateRow } from "./evidence.ts";

/** An actor with its whole life, as its history tells it. */
export interface Life {
  readonly row: ActorRow;
  /** The address under which it lived: one that was replaced has a `~` and its generation behind it. */
  readonly address: string;
  readonly stored: StateRow | undefined;
  readonly moments: ReadonlyArray<Moment>;
}

/** The state after one entry of the history. */
export interface Moment {
  readonly entry: HistoryRow;
  readonly state: ActorState;
}

export const definitions: ReadonlyMap<string, Definition> = new Map(
  [task, assignment, worker, activity, supervisor, account, herald, parcel, slip, fragile, alarm].map((machine) => {
    const definition = define(machine);
    return [definition.hash, definition];
  }),
);

/** Steps every history again from its start, by the pure step alone; what does not come out as stored is a violation. */
export const foldAll = (evidence: Evidence, violate: (what: string) => void): ReadonlyArray<Life> => {
  const stored = new Map(evidence.states.map((row) => [row.actor, row]));
  const entries = new Map<number, Array<HistoryRow>>();
  for (const row of evidence.history) {
    const own = entries.get(row.actor);
    if (own === undefined) entries.set(row.actor, [row]);
    else own.push(row);
  }
  return evidence.actors.map((row) => {
    const address = addressOf(row);
    const life: Life = { row, address, stored: stored.get(row.id), moments: fold(row, address, entries.get(row.id) ?? [], violate) };
    compare(life, violate);
    return life;
  });
};

const addressOf = ({ address, id }: ActorRow): string => (address.endsWith(`~${id}`) ? address.slice(0, address.lastIndexOf("~")) : address);

const parentOf = (address: string): string | undefined => (address.split("/").length > 2 ? address.slice(0, address.lastIndexOf("/")) : undefined);

const hashOf = (json: string): string => createHash("sha256").update(json).digest("base64url").slice(0, 22);

const fold = (row: ActorRow, address: string, entries: ReadonlyArray<HistoryRow>, violate: (what: string) => void): ReadonlyArray<Moment> => {
  const moments: Array<Moment> = [];
  const definition = definitions.get(row.hash);
  if (definition === undefined) {
    violate(`${row.address}: no machine has the hash ${row.hash}`);
    return moments;
  }
  let state: ActorState | undefined;
  for (const entry of entries) {
    const event = parseJson(entry.event) as { readonly type: string; readonly input?: unknown };
    try {
      if (state === undefined) state = start(definition, address, parentOf(address), event.input, entry.at).state;
      else if (entry.outcome !== "failed") {
        // Through JSON and back, as an actor that was dropped from memory in between.
        const next = step(definition, decode(definition, address, parentOf(address), encode(state)), event, entry.at);
        if (next.outcome !== entry.outcome) violate(`${row.address}, entry ${entry.seq}: "${entry.type}" was ${entry.outcome}, stepped again it is ${next.outcome}`);
        state = next.state;
      }
    } catch (error) {
      violate(`${row.address}, entry ${entry.seq}: "${entry.type}" can't be stepped again: ${(error as Error).message}`);
      return moments;
    }
    if (hashOf(encode(state)) !== entry.state_hash) violate(`${row.address}, entry ${entry.seq}: the state after "${entry.type}" has another hash than the entry says`);
    moments.push({ entry, state });
  }
  return moments;
};

const compare = ({ row, stored, moments }: Life, violate: (what: string) => void): void => {
  const last = moments.at(-1);
  if (last === undefined || stored === undefined) return; // told by the rules on structure
  const folded = encode(last.state);
  if (stored.state !== folded) violate(`${row.address}: stored is ${stored.state}, the history leads to ${folded}`);
  if (stored.seq !== last.entry.seq) violate(`${row.address}: its seq is ${stored.seq}, its history ends at ${last.entry.seq}`);
  if (stored.at !== last.entry.at) violate(`${row.address}: its moment is ${stored.at}, that of its last entry ${last.entry.at}`);
  if (row.status !== last.state.snapshot.status) violate(`${row.address}: its status is ${row.status}, the history leads to ${last.state.snapshot.status}`);
};
