import { ordered } from "../domain/json.ts";
import type { KeyRow } from "../journal/index.ts";
import { ActorFailed, KeyReused } from "./errors.ts";
import type { Delivery, Receipt } from "./intake.ts";
import { hashOf } from "./resident.ts";

/** Fingerprint of what was sent with an idempotency key: the same for values whose keys stand in another order. */
export const requestOf = (value: unknown): string => hashOf(JSON.stringify(ordered(value)));

/** What is stored with a key of the event that was sent with it: its type, and its fingerprint where all of it counts. */
export const keyed = (event: { readonly type: string }, exact: boolean | undefined): string => `${exact === true ? requestOf(event) : ""} ${event.type}`;

/** What a call is answered whose key was there already: as the first one with it was, if it is a repetition of that. */
export const repeated = ({ to, event, request }: Delivery, { key, seq, at, outcome, request: first }: KeyRow): { readonly error: unknown; readonly receipt: Receipt | undefined } => {
  if (!isSame(first, request ?? "")) return { error: new KeyReused({ address: to, key, event: event.type, first: typeOf(first), seq }), receipt: undefined };
  if (outcome === "failed") return { error: new ActorFailed({ address: to, event: event.type, detail: `it failed at its first try (entry ${seq} of the history)` }), receipt: undefined };
  return { error: undefined, receipt: { address: to, seq, at, outcome, duplicate: true } };
};

const typeOf = (request: string): string => request.slice(request.indexOf(" ") + 1);

/** Of one that is not known, by an older layout or because not all of it counted, nothing is said. */
const isSame = (first: string, now: string): boolean => {
  if (first === "" || now === "" || first === now) return true;
  return typeOf(first) === typeOf(now) && (first.startsWith(" ") || now.startsWith(" "));
};
