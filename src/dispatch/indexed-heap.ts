/** Something that knows its place in the heap that it is in; -1: in none. */
export interface Placed {
  place: number;
}

/** A binary heap from which anything can be taken: adding, removing and moving are logarithmic. */
export class IndexedHeap<Item extends Placed> {
  readonly #items: Array<Item> = [];
  readonly #goesBefore: (left: Item, right: Item) => boolean;

  constructor(goesBefore: (left: Item, right: Item) => boolean) {
    this.#goesBefore = goesBefore;
  }

  get size(): number {
    return this.#items.length;
  }
  get top(): Item | undefined {
    return this.#items[0];
  }

  /** Adds it, or moves it to where it belongs now. */
  put(item: Item): void {
    if (item.place < 0) {
      item.place = this.#items.length;
      this.#items.push(item);
    }
    this.#up(item.place);
    this.#down(item.place);
  }

  remove(item: Item): void {
    const at = item.place;
    if (at < 0) return;
    const last = this.#items.pop() as Item;
    item.place = -1;
    if (last === item) return;
    this.#items[at] = last;
    last.place = at;
    this.#up(at);
    this.#down(last.place);
  }

  #up(from: number): void {
    const items = this.#items;
    const item = items[from] as Item;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = items[parent] as Item;
      if (!this.#goesBefore(item, above)) break;
      items[at] = above;
      above.place = at;
      at = parent;
    }
    items[at] = item;
    item.place = at;
  }

  #down(from: number): void {
    const items = this.#items;
    const item = items[from] as Item;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && this.#goesBefore(items[child + 1] as Item, items[child] as Item)) child++;
      const below = items[child] as Item;
      if (!this.#goesBefore(below, item)) break;
      items[at] = below;
      below.place = at;
      at = child;
    }
    items[at] = item;
    item.place = at;
  }
}
