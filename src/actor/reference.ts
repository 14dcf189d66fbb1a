import { type Address, childId } from "../domain/address.ts";

/**
 * Stands for an actor wherever XState expects one: as `self`, as a child in a snapshot, in context, events and
 * inputs. It is an address and nothing else; sending through it inside a transition would be a side effect, so it
 * refuses. It survives JSON and means the same actor from everywhere.
 */
export class ActorReference {
  readonly id: string;
  readonly sessionId: string;
  readonly address: Address;
  readonly src: string | undefined;
  /** XState's own name for the parent: `sendParent` looks here. */
  readonly _parent: ActorReference | undefined;
  readonly _processingStatus = 0;
  readonly system: unknown;
  constructor(address: Address, options: { parent?: ActorReference | undefined; src?: string | undefined; system?: unknown; id?: string } = {}) {
    this.id = options.id ?? childId(address);
    this.sessionId = address;
    this.address = address;
    this._parent = options.parent;
    this.src = options.src;
    this.system = options.system;
  }
  get ref(): this {
    return this;
  }
  send(): never {
    throw new Error("a transition is pure: use sendTo() instead of calling send() inside a guard, assign or expression");
  }
  subscribe(): never {
    throw new Error("a transition is pure: subscribe() can't be called inside a guard, assign or expression");
  }
  on(): never {
    throw new Error("a transition is pure: on() can't be called inside a guard, assign or expression");
  }
  getSnapshot(): undefined {
    return undefined;
  }
  getPersistedSnapshot(): undefined {
    return undefined;
  }
  start(): this {
    return this;
  }
  stop(): this {
    return this;
  }
  _send(): void {}
  _stop(): void {}
  toJSON(): StoredReference {
    return { xstate$$type: 1, id: this.id, address: this.address };
  }
}

export interface StoredReference {
  readonly xstate$$type: 1;
  readonly id: string;
  readonly address: Address;
}

const isStored = (value: object): value is StoredReference => "xstate$$type" in value && "address" in value && typeof value.address === "string" && "id" in value && typeof value.id === "string";

/** Puts references back where JSON left `{ xstate$$type, id, address }`. Call it only on text that contains the mark. */
export const reviveReferences = (value: unknown): unknown => {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(reviveReferences);
  if (isStored(value)) return new ActorReference(value.address, { id: value.id });
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, reviveReferences(item)]));
};

/** The text by which stored JSON shows that it holds references. */
export const referenceMark = '"xstate$$type"';

/** Parses stored JSON, references included. */
export const parseJson = (json: string): unknown => {
  const value: unknown = JSON.parse(json);
  return json.includes(referenceMark) ? reviveReferences(value) : value;
};
