import { createHash } from "node:crypto";
import type { Address } from "../domain/address.ts";

/**
 * The key of an entry that was given none. Of one that says when it occurred: the same thing at the same moment is the
 * same entry. Of one that does not, `nth` tells it from all others that come in the same millisecond.
 */
export const derivedKey = (outbox: Address, { type, occurredAt, payload }: { readonly type: string; readonly occurredAt: number; readonly payload: unknown }, nth?: number | string): string =>
  createHash("sha256")
    .update(JSON.stringify([outbox, type, occurredAt, payload ?? null, ...(nth === undefined ? [] : [nth])]))
    .digest("base64url");
