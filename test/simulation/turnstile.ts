/** Something that a simulated process wants to do next. */
export interface Runnable<Owner> {
  readonly owner: Owner;
  readonly run: () => void;
}

const { setImmediate: realSetImmediate } = globalThis;
const realNow = performance.now.bind(performance);

/**
 * Lets the code of all simulated processes through one piece at a time: while it is installed, `setImmediate` only
 * notes who wants to go on, and `performance.now` is the world's own clock. What goes on within a piece (promises)
 * ends before the next one begins.
 */
export class Turnstile<Owner> {
  waiting: Array<Runnable<Owner>> = [];
  readonly #owner: () => Owner;
  readonly #now: () => number;
  #readings = 0;

  constructor(owner: () => Owner, now: () => number) {
    this.#owner = owner;
    this.#now = now;
  }

  install(): void {
    const note = (callback: (...args: ReadonlyArray<unknown>) => void, ...args: ReadonlyArray<unknown>) => {
      this.waiting.push({ owner: this.#owner(), run: () => callback(...args) });
    };
    globalThis.setImmediate = note as never;
    // Each reading within a piece takes a little time, or a loop that only yields after some of it would never end.
    performance.now = () => this.#now() + ++this.#readings * 0.01;
  }

  uninstall(): void {
    globalThis.setImmediate = realSetImmediate;
    performance.now = realNow;
  }

  /** Whoever belongs to this owner does not go on. */
  forget(owner: Owner): void {
    this.waiting = this.waiting.filter((runnable) => runnable.owner !== owner);
  }

  /** Everything that the latest piece set off has come to its end, or waits at the turnstile. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      realSetImmediate(() => {
        // Whoever else reads the clock in this thread leaves no trace.
        this.#readings = 0;
        resolve();
      });
    });
  }
}
