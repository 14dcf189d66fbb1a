import { parseState, type Status } from "../actor/index.ts";
import { failureOf } from "../domain/json.ts";
import type { ActorRow } from "../journal/index.ts";
import type { ActorView } from "./engine.ts";
import type { Resident } from "./resident.ts";

/** An actor in memory as others may see it. */
export const viewOf = (actor: Resident): ActorView => {
  const { definition } = actor.registered;
  const { snapshot, children, timers } = actor.state;
  const { error } = snapshot as { error: unknown };
  return {
    id: actor.id,
    address: actor.address,
    machine: definition.id,
    version: definition.version,
    hash: actor.hash,
    status: snapshot.status,
    value: snapshot.value,
    context: snapshot.context,
    tags: [...snapshot.tags],
    output: snapshot.output,
    error: error === undefined ? undefined : failureOf(error),
    children,
    timers,
    seq: actor.seq,
    at: actor.at,
    createdAt: actor.createdAt,
  };
};

/** The same of an actor that stays in memory: read from its stored form, because a host may change what it is given. */
export const copyOf = (actor: Resident): ActorView => {
  const { context, output, children = {}, timers = {} } = parseState(actor.json);
  return { ...viewOf(actor), context, output, children, timers };
};

export const contextOf = (actor: Resident): unknown => parseState(actor.json).context;

/**
 * A stored actor as others may see it, without the machine that wrote it (so without tags). One whose state can't be
 * read is shown with what is known of it, and with the reason as its error.
 */
export const viewOfStored = (row: ActorRow, version: string): ActorView => {
  const { id, address, machine, hash, seq, at, createdAt } = row;
  const known = { id, address, machine, version, hash, tags: [], seq, at, createdAt };
  try {
    const { status, value, context, output, error, children, timers } = parseState(row.state);
    return { ...known, status, value, context, output, error, children: children ?? {}, timers: timers ?? {} };
  } catch (error) {
    return { ...known, status: row.status as Status, value: {}, context: undefined, output: undefined, error: failureOf(error), children: {}, timers: {} };
  }
};
