import { createHash } from "node:crypto";
import type { Address } from "../domain/address.ts";

/** The key of an entry that was given none: the same thing at the same moment is the same entry. */
export const derivedKey = (outbox: Address, { type, occurredAt, payload }: { readonly type: string; readonly occurredAt: number; readonly payload: unknown }): string =>
  createHash("sha256")
    .update(JSON.stringify([outbox, type, occurredAt, payload ?? null]))
    .digest("base64url");
