import type { Event } from "./event.ts";

/** Where a sender stands in its stream: later commands have a later moment, or the same moment and a greater id. */
export interface Cursor {
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly requestId: string;
}

/** A command from outside, in the order of its sender's cursor. */
export interface Command {
  readonly cursor: Cursor;
  readonly type: string;
  readonly payload: unknown;
  /** The actor that is told, in the same transaction; absent: the host's handler carries it out. */
  readonly to?: string;
  /** What that actor is told; absent: the type and the payload. */
  readonly event?: Event;
}

export const isAtOrBelow = (cursor: Cursor, applied: Cursor | null): boolean =>
  applied !== null && (cursor.createdAt < applied.createdAt || (cursor.createdAt === applied.createdAt && cursor.requestId <= applied.requestId));

/** What the sender is told of its command. */
export interface Acknowledgement {
  readonly requestId: string;
  readonly accepted: boolean;
  /** Why not. */
  readonly reason?: string;
  /** It had been applied before. */
  readonly duplicate?: true;
}
