import { JournalOwned } from "./errors.ts";
import type { OwnerInfo, OwnerRow } from "./journal.ts";

/**
 * Who may take a journal: anybody if it is free, released or its lease is over; the same engine again; and, without
 * waiting, an engine on the same host if the owner's process is dead. Both stores decide by this one function.
 */
export const claim = (where: string, current: OwnerRow | undefined, info: OwnerInfo): OwnerRow | JournalOwned => {
  if (current !== undefined && !isFree(current, info)) {
    return new JournalOwned({ where, pid: current.pid, host: current.host, since: current.since, until: current.until });
  }
  return { id: info.id, epoch: (current?.epoch ?? 0) + 1, pid: info.pid, host: info.host, since: info.now, until: info.now + info.leaseMs };
};

/** Nobody has had it, or its last owner gave it up by itself. */
export const isReleased = (current: OwnerRow | undefined): boolean => current === undefined || current.until === 0;

// A released claim has `until` 0, which is always over.
const isFree = (current: OwnerRow, info: OwnerInfo): boolean => info.now > current.until || current.id === info.id || (current.host === info.host && !info.isAlive(current.pid));
