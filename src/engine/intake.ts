import type { TakenLetterNote } from "../../machines/dead-letters.ts";
import { type Address, isStorable, wrongId } from "../domain/address.ts";
import type { Outcome } from "../domain/envelope.ts";
import { type EngineEvent, type Event, isReserved } from "../domain/event.ts";
import { NotJson, normalize } from "../domain/json.ts";
import type { Limits } from "../domain/limits.ts";
import { InvalidEvent, PayloadTooLarge } from "./errors.ts";

/** What a sender learns once its event is stored. */
export interface Receipt {
  readonly address: Address;
  /** The history row that holds the event. */
  readonly seq: number;
  /** When it was stepped, in milliseconds since 1970. */
  readonly at: number;
  readonly outcome: Outcome;
  /** True where an earlier call with the same idempotency key (or start of the same actor) did this already. */
  readonly duplicate: boolean;
}

/** One envelope inside the engine, with the text that will be stored. */
export interface Delivery {
  readonly to: Address;
  readonly event: Event | EngineEvent;
  /** The event as JSON. */
  readonly json: string;
  /** The event as it was sent, where a schema made another of it: what is sent again goes through the schema again. */
  readonly sent?: Event | EngineEvent | undefined;
  /** An address, or empty for the host. */
  readonly from: string;
  readonly key?: string | undefined;
  /** What the key is stored with, to tell a repetition from another event. */
  readonly request?: string | undefined;
  /** Set where the actor must be made if it does not exist. */
  readonly create?: Creation | undefined;
  /** The mailbox row that this came from. */
  readonly mail?: number | undefined;
  /** The row id of the incarnation that is meant: a later one at the same address does not hear of it. */
  readonly only?: number | undefined;
  /** Those of one call that are stored in one transaction have the same one, and follow each other. */
  readonly together?: object | undefined;
  /** It waits while the store refuses, instead of being refused. */
  readonly kept?: boolean | undefined;
  /** The engine itself sent it: it is kept too, and reaches the engine's own actors. */
  readonly internal?: boolean | undefined;
  /** The recovery sent it; see `careful.ts`. */
  readonly recovered?: boolean | undefined;
  /** The dead letter that this is, to be delivered again or dropped. */
  readonly letter?: TakenLetter | undefined;
  /** Answers the sender after the commit, or when it is refused. */
  readonly settle?: ((error: unknown, receipt: Receipt | undefined) => void) | undefined;
}

/** How many of a queue to take where it would be `count`: those that belong together are not parted. */
export const endAfter = (queue: ReadonlyArray<Delivery>, count: number): number => {
  const together = queue[count - 1]?.together;
  let end = count;
  if (together !== undefined) while (queue[end]?.together === together) end++;
  return end;
};

/** A delivery as the mailbox and the dead letters keep it. */
export const envelopeOf = ({ to, event, from, create, only }: Delivery): string => JSON.stringify({ to, event, from, create, only });

/** A start with another input. */
export const withInput = (delivery: Delivery, input: unknown): Delivery => {
  const { input: _, ...rest } = delivery.event as { readonly type: "taskwright.start"; readonly input?: never; readonly token?: number };
  const event = { ...rest, ...(input === undefined ? {} : { input: input as never }) };
  return { ...delivery, event, json: JSON.stringify(event) };
};

export interface TakenLetter {
  readonly id: number;
  readonly isDropped: boolean;
  /** Present where it is a custom action that failed. */
  readonly action: OwedAction | undefined;
  /** Who took it, and why: absent where nobody is to be named. */
  readonly taker: Taker | undefined;
}

/** A dead letter that a turn takes away, and what the record is told of it. */
export interface Taken {
  readonly id: number;
  readonly note?: { readonly taker: Taker; readonly isDropped: boolean; readonly letter: TakenLetterNote };
}

/** Who takes dead letters. Those of one turn with the same taker are one entry of the record. */
export interface Taker {
  readonly by: string;
  readonly why: string | undefined;
}

/** A custom action as its dead letter holds it. */
export interface OwedAction {
  readonly action: string;
  /** The history row that asked for it. */
  readonly seq: number;
  /** The parameters as JSON, or empty. */
  readonly params: string;
  /** The row id of the actor that asked for it: another one may live at its address now. */
  readonly actor: number | undefined;
}

export interface Creation {
  readonly machine: string;
  /** The form of the machine, for a child: that which its parent's version has. */
  readonly hash?: string | undefined;
  readonly parentId: number;
  readonly parent: Address | undefined;
  readonly token: number;
  readonly replaces: boolean;
  /** What its parent sent it before it was there: it comes before what the actor sends itself. */
  readonly early?: ReadonlyArray<Event>;
}

/**
 * Makes sure that a payload can be stored and read again as it is: returns a copy that the sender can't change any
 * more, and its JSON text. Throws `InvalidEvent` or `PayloadTooLarge`.
 */
export const admit = <A>(address: Address, payload: A, limits: Limits): { readonly value: A; readonly json: string } => {
  let value: A;
  try {
    value = normalize(payload, undefined, { depthMax: limits.payloadDepthMax, copy: true }) as A;
  } catch (error) {
    if (error instanceof NotJson) throw new InvalidEvent({ address, path: error.path, detail: error.what });
    throw new InvalidEvent({ address, path: "", detail: error instanceof Error ? error.message : "can't be read" });
  }
  return { value, json: bounded(address, JSON.stringify(value), limits) };
};

/** The text itself, if it is not too large. Throws `PayloadTooLarge`. */
export const bounded = (address: Address, json: string, limits: Limits): string => {
  // A character has at most three bytes.
  if (json.length > limits.payloadBytesMax / 3) {
    const bytes = Buffer.byteLength(json);
    if (bytes > limits.payloadBytesMax) throw new PayloadTooLarge({ address, bytes, bytesMax: limits.payloadBytesMax });
  }
  return json;
};

/** An event from outside: an object with a type of its own that is not the engine's. */
export const admitEvent = (address: Address, event: unknown, limits: Limits): { readonly value: Event; readonly json: string } => {
  if (typeof event !== "object" || event === null || Array.isArray(event)) throw new InvalidEvent({ address, path: "", detail: "an event is an object with a string type" });
  const type = typeOf(event);
  if (typeof type !== "string" || type === "") throw new InvalidEvent({ address, path: "type", detail: "an event has a non-empty string type" });
  if (!isStorable(type)) throw new InvalidEvent({ address, path: "type", detail: "the type has a character that can't be stored (U+0000, or half of a surrogate pair)" });
  if (type === "*" || isReserved(type)) throw new InvalidEvent({ address, path: "type", detail: `the type "${type}" belongs to the engine; nobody outside may send it` });
  const admitted = admit(address, event as Event, limits);
  // A getter may have said something else to those who asked first.
  if (admitted.value.type !== type) throw new InvalidEvent({ address, path: "type", detail: "the type changes while it is read" });
  return admitted;
};

/** Who the host says sent it. A slash would make an address of the name. */
export const nameOf = (address: Address, by: string | undefined): string => {
  const wrong = by === undefined ? undefined : wrongId(by);
  if (wrong !== undefined) throw new InvalidEvent({ address, path: "by", detail: `the name of a sender is like an id: ${wrong}` });
  return by ?? "";
};

/** The type, also of an object whose getters throw: that one has none. */
const typeOf = (event: object): unknown => {
  try {
    return (event as { type?: unknown }).type;
  } catch {
    return undefined;
  }
};
