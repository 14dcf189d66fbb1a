import * as crypto from "node:crypto";
import { type ActorState, decode, encode, nextDue, type Step } from "../actor/index.ts";
import { type Address, parentAddress } from "../domain/address.ts";
import { BeyondLimit } from "../domain/limits.ts";
import type { ActorRow } from "../journal/index.ts";
import type { Delivery } from "./intake.ts";
import type { Registered, Registry } from "./registry.ts";
import { type Move, read, type Unreadable } from "./versions.ts";

/** How long a timer that can neither be handled nor taken away waits. */
const failingWakeMs = 60 * 60 * 1000;

/**
 * One actor in memory. It is changed in place while a turn runs; if the turn can't be stored it is thrown away.
 * Invariant: outside of a turn it equals its stored row.
 */
export class Resident {
  readonly id: number;
  readonly address: Address;
  readonly parentId: number;
  registered: Registered;
  readonly token: number;
  readonly createdAt: number;
  state: ActorState;
  json: string;
  stateHash: string;
  seq: number;
  at: number;
  /** The form of its machine. An actor that has ended keeps that which wrote it, though another one shows it. */
  hash: string;
  /** It was written by another form of its machine, and its move to this one is not recorded yet. */
  move: Move | undefined;
  /** The status and machine hash that are stored. */
  storedStatus: string;
  storedHash: string;
  /** The wake that is stored. */
  wake: number | undefined;
  /** The turn that touched it last; `created` tells that this turn also made it. */
  turn = 0;
  created = false;
  replaces = false;
  /** A later incarnation took its address in the turn that made it: it is stored at `address~id` at once. */
  succeeded = false;
  /** The pump asked for it in this turn, so its stored wake is used up. */
  woken = false;
  /** Its deadlines are left alone until then. */
  quietUntil = 0;
  /** True while its own step or what follows from it runs: what arrives meanwhile waits in `queue`. */
  processing = false;
  queue: Array<Delivery> = [];
  /** Its children before the step that is being followed. */
  childrenBefore: ActorState["children"] = {};

  constructor(row: ActorRow, registered: Registered, state: ActorState) {
    this.id = row.id;
    this.address = row.address;
    this.parentId = row.parent;
    this.registered = registered;
    this.token = row.token;
    this.createdAt = row.createdAt;
    this.state = state;
    this.json = row.state;
    this.stateHash = row.seq === 0 ? "" : hashOf(row.state);
    this.seq = row.seq;
    this.at = row.at;
    this.hash = row.hash;
    this.storedStatus = row.status;
    this.storedHash = row.hash;
    // It follows from the timers: one that is no number is set anew.
    this.wake = typeof row.wake === "number" ? row.wake : undefined;
  }

  get status(): string {
    return this.state.snapshot.status;
  }

  /** Takes the result of a step; returns false where nothing changed. */
  apply(result: Step, bytesMax: number): boolean {
    if (result.state === this.state) return false;
    const json = encode(result.state);
    // A character has at most three bytes.
    if (json.length > bytesMax / 3) {
      const bytes = Buffer.byteLength(json);
      if (bytes > bytesMax) throw new BeyondLimit("stateBytesMax", `the state would have ${bytes} bytes, at most ${bytesMax} are taken`);
    }
    this.state = result.state;
    if (json !== this.json) {
      this.json = json;
      this.stateHash = hashOf(json);
    }
    return true;
  }

  /** Goes on by another form of its machine, from the state that fits there. */
  adopt(move: Move): void {
    this.move = move;
    this.registered = move.registered;
    this.hash = move.registered.definition.hash;
    this.state = move.state;
    const json = encode(move.state);
    if (json === this.json) return;
    this.json = json;
    this.stateHash = hashOf(json);
  }

  /** Back to what was stored or applied last: user code that threw may have changed the context in place before. */
  reload(): void {
    this.state = decode(this.registered.definition, this.address, parentAddress(this.address), this.json);
  }

  /**
   * A due timer can neither be handled nor taken away, as in a state beyond a limit that was lowered: without this it
   * would be due again at once, for ever.
   */
  leaveAlone(at: number): void {
    this.quietUntil = at + failingWakeMs;
  }

  /** The wake that must be stored now, if it differs: only an earlier one is written at once, a later one when the old one comes due. */
  nextWake(): { readonly due: number | undefined } | undefined {
    const next = this.status === "active" ? nextDue(this.state) : undefined;
    const due = next === undefined ? undefined : Math.max(next, this.quietUntil);
    if (due === this.wake) return undefined;
    if (due !== undefined && (this.wake === undefined || due < this.wake || this.woken)) return { due };
    if (due === undefined && (this.woken || this.status !== "active")) return { due: undefined };
    return undefined;
  }
}

/** Fingerprint of a state: 22 characters, 128 bits of SHA-256. */
export const hashOf: (json: string) => string =
  typeof crypto.hash === "function" ? (json) => crypto.hash("sha256", json, "base64url").slice(0, 22) : (json) => crypto.createHash("sha256").update(json).digest("base64url").slice(0, 22);

/**
 * The idempotency key of an effect of this actor, from what names it within the actor: 43 characters, base64url. It is
 * the same wherever the actor is by now, and another one for a later actor at the same address, or in another journal.
 */
export const effectKeyOf = ({ id, createdAt }: { readonly id: number; readonly createdAt: number }, ...within: ReadonlyArray<string | number>): string =>
  crypto
    .createHash("sha256")
    .update(JSON.stringify([id, createdAt, ...within]))
    .digest("base64url");

/** Puts a stored row to work, or says why that can't be. At `at`: for deadlines that a move to another form sets. */
export const awaken = (registry: Registry, row: ActorRow, at: number): Resident | Unreadable => {
  const reading = read(registry, row, at);
  switch (reading.kind) {
    case "own":
      return new Resident(row, reading.registered, reading.state);
    case "move": {
      const actor = new Resident(row, reading.move.registered, reading.move.state);
      actor.adopt(reading.move);
      return actor;
    }
    case "parked":
      return reading.parked;
  }
};

/**
 * The actors in memory: two halves, the younger of which is filled; when it is full the older one is dropped. Looking
 * an actor up makes it young again. What is dropped is loaded when it is next needed.
 */
export class Residents {
  readonly #halfMax: number;
  #young = new Map<Address, Resident>();
  #old = new Map<Address, Resident>();
  constructor(max: number) {
    this.#halfMax = Math.max(1, Math.floor(max / 2));
  }
  get(address: Address): Resident | undefined {
    const young = this.#young.get(address);
    if (young !== undefined) return young;
    const old = this.#old.get(address);
    if (old !== undefined) this.#young.set(address, old);
    return old;
  }
  set(actor: Resident): void {
    this.#young.set(actor.address, actor);
  }
  delete(address: Address): void {
    this.#young.delete(address);
    this.#old.delete(address);
  }
  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
  /** Between two turns only: a turn may hold no actor that was dropped. */
  evict(): void {
    if (this.#young.size < this.#halfMax) return;
    // A turn may have needed more than there is room for: the latest of them stay. Never more than a half: what is
    // looked up next makes the other one.
    this.#old = this.#young.size === this.#halfMax ? this.#young : new Map([...this.#young].slice(-this.#halfMax));
    this.#young = new Map();
  }
  get size(): number {
    return this.#young.size + this.#old.size;
  }
}
