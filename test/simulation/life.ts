import { createHash } from "node:crypto";
import { type ActorState, type Command, type Definition, encode, parseJson, start, step } from "../../src/actor/index.ts";
import { parentAddress } from "../../src/domain/address.ts";
import type { EngineEvent, Event } from "../../src/domain/event.ts";
import { defaultLimits } from "../../src/domain/limits.ts";
import { type DurableMachine, makeRegistry } from "../../src/engine/index.ts";
import type { StoredActor, StoredEntry } from "./store.ts";

/** What the checker knows of an actor: what its history leads to, stepped by the pure step alone. */
export interface Life {
  readonly id: number;
  /** Where it lived when it began; a later incarnation may have taken the address since. */
  readonly address: string;
  readonly machine: string;
  seq: number;
  at: number;
  state: ActorState;
  /** The state as it must be stored. */
  encoded: string;
  /** The state as the row has it. */
  stored: string;
}

/** One entry of a history with what it did. */
export interface Moment {
  readonly life: Life;
  readonly entry: StoredEntry;
  readonly event: { readonly type: string; readonly [key: string]: unknown };
  readonly before: ActorState | undefined;
  readonly commands: ReadonlyArray<Command>;
}

/** The definitions by which histories are stepped: each machine with its options, and those of the engine. */
export const definitionsOf = (machines: ReadonlyArray<DurableMachine>): ReadonlyMap<string, Definition> =>
  new Map([...makeRegistry(machines, defaultLimits).byId].map(([id, { definition }]) => [id, definition]));

export const hashOf = (text: string): string => createHash("sha256").update(text).digest("base64url").slice(0, 22);

/** Steps one entry. `problem` hears where it does not lead to what is stored. */
export const live = (lives: Map<number, Life>, definition: Definition, actor: StoredActor, entry: StoredEntry, problem: (what: string) => void): Moment | undefined => {
  const event = parseJson(entry.event) as Event & { readonly type: string };
  if (event.type !== entry.type) problem(`entry ${entry.seq}: its type is ${entry.type}, its event says ${event.type}`);
  const life = lives.get(entry.actor);
  const expected = (life?.seq ?? 0) + 1;
  if (entry.seq !== expected) problem(`entry ${entry.seq} follows on entry ${expected - 1}`);
  if (life !== undefined && entry.at < life.at) problem(`entry ${entry.seq}: its moment is before that of the entry before it`);
  try {
    if (life === undefined) {
      const address = actor.address.endsWith(`~${actor.id}`) ? actor.address.slice(0, actor.address.lastIndexOf("~")) : actor.address;
      const first = start(definition, address, parentAddress(address), (event as { input?: unknown }).input, entry.at, { sync: (event as { sync?: true }).sync });
      const born: Life = { id: actor.id, address, machine: actor.machine, seq: entry.seq, at: entry.at, state: first.state, encoded: encode(first.state), stored: "" };
      lives.set(actor.id, born);
      if (hashOf(born.encoded) !== entry.stateHash) problem(`entry ${entry.seq}: after "${entry.type}" the state hash differs`);
      return { life: born, entry, event, before: undefined, commands: first.commands };
    }
    const before = life.state;
    let commands: ReadonlyArray<Command> = [];
    if (entry.outcome !== "failed") {
      const next = step(definition, before, event as Event | EngineEvent, entry.at);
      if (next.outcome !== entry.outcome) problem(`entry ${entry.seq}: "${entry.type}" was ${entry.outcome}, stepped again it is ${next.outcome}`);
      if (next.state !== before) life.encoded = encode(next.state);
      life.state = next.state;
      commands = next.commands;
    }
    life.seq = entry.seq;
    life.at = entry.at;
    if (hashOf(life.encoded) !== entry.stateHash) problem(`entry ${entry.seq}: after "${entry.type}" the state hash differs`);
    return { life, entry, event, before, commands };
  } catch (error) {
    problem(`entry ${entry.seq}: "${entry.type}" can't be stepped again: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
};
