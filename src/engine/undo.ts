import type { Address } from "../domain/address.ts";
import type { Resident, Residents } from "./resident.ts";

/** Thrown where a delivery reaches an actor that is not in memory: it is undone, and done again when the actor is there. */
export class Absent extends Error {}

/** What a delivery may have changed of an actor. */
type Saved = Pick<Resident, "state" | "json" | "stateHash" | "seq" | "at" | "turn" | "created" | "replaces" | "succeeded" | "childrenBefore">;

/** What one delivery did in memory, so that it can be taken back as a whole. */
export class Undo {
  readonly #lists: ReadonlyArray<Array<unknown>>;
  readonly #ids: Record<string, number>;
  readonly #residents: Residents;
  readonly #names: Map<Address, Address | undefined>;
  readonly #lengths: Array<number> = [];
  readonly #idsBefore: Record<string, number> = {};
  readonly #actors = new Map<Resident, Saved>();
  readonly #taken: Array<{ readonly address: Address; readonly existing: Resident | undefined }> = [];
  readonly #renamed: Array<{ readonly name: Address; readonly before: Address | undefined }> = [];

  /** `lists` grow only at their end; `ids` are counters. */
  constructor(lists: ReadonlyArray<Array<unknown>>, ids: object, residents: Residents, names: Map<Address, Address | undefined>) {
    this.#lists = lists;
    this.#ids = ids as Record<string, number>;
    this.#residents = residents;
    this.#names = names;
  }

  /** From here on. What was done before stays. */
  begin(): void {
    // Before every delivery: nothing is allocated here.
    for (let index = 0; index < this.#lists.length; index++) this.#lengths[index] = (this.#lists[index] as Array<unknown>).length;
    Object.assign(this.#idsBefore, this.#ids);
    this.#actors.clear();
    this.#taken.length = 0;
    this.#renamed.length = 0;
  }

  /** The actor is about to change. */
  changes(actor: Resident): void {
    if (this.#actors.has(actor)) return;
    const { state, json, stateHash, seq, at, turn, created, replaces, succeeded, childrenBefore } = actor;
    this.#actors.set(actor, { state, json, stateHash, seq, at, turn, created, replaces, succeeded, childrenBefore });
  }

  /** A new actor is about to take the address; `existing` is in memory there. */
  takes(address: Address, existing: Resident | undefined): void {
    this.#taken.push({ address, existing });
  }

  /** The name is about to mean somebody else. */
  renames(name: Address): void {
    this.#renamed.push({ name, before: this.#names.get(name) });
  }

  undo(): void {
    this.#lists.forEach((list, index) => {
      list.length = this.#lengths[index] as number;
    });
    Object.assign(this.#ids, this.#idsBefore);
    for (const { address, existing } of this.#taken.toReversed()) {
      if (existing === undefined) this.#residents.delete(address);
      else this.#residents.set(existing);
    }
    for (const { name, before } of this.#renamed.toReversed()) {
      if (before === undefined) this.#names.delete(name);
      else this.#names.set(name, before);
    }
    for (const [actor, saved] of this.#actors) {
      Object.assign(actor, saved, { processing: false, queue: [] });
      // User code may have changed the context in place.
      actor.reload();
    }
  }
}
