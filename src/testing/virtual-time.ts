import type { Time } from "../engine/index.ts";

interface Wake {
  readonly due: number;
  readonly callback: () => void;
}

/**
 * A clock that stands still until a test moves it. What is due is called back in the order in which it fell due, with
 * the clock at that moment, so that a test of an hour takes no time and always runs the same way.
 */
export class VirtualTime implements Time {
  #now: number;
  #wakes: Array<Wake> = [];

  /** `at`: milliseconds since 1970; by default a round moment in 2030. */
  constructor(at: number = Date.UTC(2030, 0, 1)) {
    this.#now = at;
  }

  readonly now = (): number => this.#now;

  readonly advanceTo = (at: number): void => {
    if (at > this.#now) this.#now = at;
  };

  /** As with a real timer, `callback` is never called before this returns. */
  readonly wakeAt = (due: number, callback: () => void): (() => void) => {
    const wake: Wake = { due, callback };
    this.#wakes.push(wake);
    if (due <= this.#now) queueMicrotask(() => this.#fire(wake));
    return () => this.#remove(wake);
  };

  /** The earliest moment at which somebody wants to be called back. */
  get next(): number | undefined {
    return this.#earliest()?.due;
  }

  /** Moves on by `ms` milliseconds and calls back, in due order, everybody whose moment has come. */
  advance(ms: number): void {
    const to = this.#now + ms;
    for (let wake = this.#earliest(); wake !== undefined && wake.due <= to; wake = this.#earliest()) {
      this.advanceTo(wake.due);
      this.#fire(wake);
    }
    this.advanceTo(to);
  }

  /** Nobody is called back any more: the process that asked for it is gone. */
  forget(): void {
    this.#wakes = [];
  }

  #earliest(): Wake | undefined {
    let earliest: Wake | undefined;
    for (const wake of this.#wakes) if (earliest === undefined || wake.due < earliest.due) earliest = wake;
    return earliest;
  }

  #fire(wake: Wake): void {
    if (this.#remove(wake)) wake.callback();
  }

  #remove(wake: Wake): boolean {
    const index = this.#wakes.indexOf(wake);
    if (index >= 0) this.#wakes.splice(index, 1);
    return index >= 0;
  }
}
