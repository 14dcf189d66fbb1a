interface Standing {
  readonly kinds: ReadonlyArray<string>;
  readonly slots: number;
  free: number;
}

/** The workers of one kind by how many slots are free. */
class Shelf {
  readonly #byFree: Array<Set<string>> = [];
  #most = 0;

  put(address: string, free: number): void {
    let set = this.#byFree[free];
    if (set === undefined) {
      set = new Set();
      this.#byFree[free] = set;
    }
    set.add(address);
    if (free > this.#most) this.#most = free;
  }
  remove(address: string, free: number): void {
    this.#byFree[free]?.delete(address);
    while (this.#most > 0 && (this.#byFree[this.#most]?.size ?? 0) === 0) this.#most--;
  }
  get most(): number {
    return this.#most;
  }
  /** One of those with the most room, so that work spreads; among them, who has waited longest. */
  get roomiest(): string | undefined {
    return this.#most === 0 ? undefined : this.#byFree[this.#most]?.values().next().value;
  }
}

/** Workers with room, by the kinds that they carry out. Looking for one costs the same however many there are. */
export class FreeWorkers {
  readonly #workers = new Map<string, Standing>();
  readonly #shelves = new Map<string, Shelf>();
  /** How many workers there are of each kind, by their slots. */
  readonly #sizes = new Map<string, Map<number, number>>();

  /** How a worker stands now; without kinds it takes nothing. */
  set(address: string, kinds: ReadonlyArray<string>, slots: number, free: number): void {
    const before = this.#workers.get(address);
    if (before !== undefined && before.slots === slots && isSame(before.kinds, kinds)) return this.#move(address, before, Math.max(0, free));
    if (before !== undefined) this.#drop(address, before);
    if (kinds.length === 0) {
      this.#workers.delete(address);
      return;
    }
    const standing = { kinds, slots, free: Math.max(0, free) };
    this.#workers.set(address, standing);
    for (const kind of kinds) {
      this.#shelfOf(kind).put(address, standing.free);
      const sizes = this.#sizes.get(kind) ?? new Map<number, number>();
      this.#sizes.set(kind, sizes.set(slots, (sizes.get(slots) ?? 0) + 1));
    }
  }
  /** Only its room has changed. */
  #move(address: string, standing: Standing, free: number): void {
    if (standing.free === free) return;
    for (const kind of standing.kinds) {
      const shelf = this.#shelfOf(kind);
      shelf.remove(address, standing.free);
      shelf.put(address, free);
    }
    standing.free = free;
  }

  /** The most slots that are free on one worker of this kind. */
  most(kind: string): number {
    return this.#shelves.get(kind)?.most ?? 0;
  }
  /** Whether some worker of this kind could ever carry so much. */
  couldCarry(kind: string, slots: number): boolean {
    for (const size of this.#sizes.get(kind)?.keys() ?? []) if (size >= slots) return true;
    return false;
  }
  /** Takes slots on the worker of this kind with the most room, if it has enough. */
  take(kind: string, slots: number): string | undefined {
    const shelf = this.#shelves.get(kind);
    const address = shelf === undefined || shelf.most < slots ? undefined : shelf.roomiest;
    if (address === undefined) return undefined;
    const standing = this.#workers.get(address) as Standing;
    this.#move(address, standing, standing.free - slots);
    return address;
  }

  #drop(address: string, { kinds, slots, free }: Standing): void {
    for (const kind of kinds) {
      this.#shelfOf(kind).remove(address, free);
      const sizes = this.#sizes.get(kind) as Map<number, number>;
      const left = (sizes.get(slots) ?? 0) - 1;
      if (left > 0) sizes.set(slots, left);
      else sizes.delete(slots);
    }
  }
  #shelfOf(kind: string): Shelf {
    let shelf = this.#shelves.get(kind);
    if (shelf === undefined) {
      shelf = new Shelf();
      this.#shelves.set(kind, shelf);
    }
    return shelf;
  }
}

const isSame = (left: ReadonlyArray<string>, right: ReadonlyArray<string>): boolean => left === right || (left.length === right.length && left.every((kind, index) => kind === right[index]));
