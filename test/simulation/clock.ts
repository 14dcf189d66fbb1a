import type { Time } from "../../src/engine/index.ts";

/** A machine on which processes run: its wall clock is true time and an offset that jumps. */
export interface Host {
  readonly name: string;
  offset: number;
}

interface Wake {
  readonly due: number;
  readonly callback: () => void;
}

/**
 * The clock of one simulated process. When the wall clock of its host is set back, it goes on from its last reading by
 * the true time that passes; when it is set forward, it follows. The world calls back who is due, one at a time.
 */
export class ProcessClock implements Time {
  readonly #host: Host;
  readonly #trueTime: () => number;
  readonly #wakes: Array<Wake> = [];
  #last: number;
  #lastTrue: number;

  constructor(host: Host, trueTime: () => number) {
    this.#host = host;
    this.#trueTime = trueTime;
    this.#lastTrue = trueTime();
    this.#last = this.#lastTrue + host.offset;
  }

  readonly now = (): number => {
    const wall = this.#trueTime() + this.#host.offset;
    const floor = this.#last + this.#trueTime() - this.#lastTrue;
    if (wall < floor) return floor;
    this.#last = wall;
    this.#lastTrue = this.#trueTime();
    return wall;
  };

  readonly advanceTo = (at: number): void => {
    if (at <= this.now()) return;
    this.#last = at;
    this.#lastTrue = this.#trueTime();
  };

  readonly wakeAt = (due: number, callback: () => void): (() => void) => {
    const wake: Wake = { due, callback };
    this.#wakes.push(wake);
    return () => {
      const index = this.#wakes.indexOf(wake);
      if (index >= 0) this.#wakes.splice(index, 1);
    };
  };

  /** How long until somebody is due, in milliseconds of true time; 0 or less: now. */
  get untilNext(): number | undefined {
    const earliest = this.#earliest();
    return earliest === undefined ? undefined : earliest.due - this.now();
  }

  /** Calls back whoever is due first. */
  fire(): void {
    const earliest = this.#earliest();
    if (earliest === undefined || earliest.due > this.now()) return;
    this.#wakes.splice(this.#wakes.indexOf(earliest), 1);
    earliest.callback();
  }

  #earliest(): Wake | undefined {
    let earliest: Wake | undefined;
    for (const wake of this.#wakes) if (earliest === undefined || wake.due < earliest.due) earliest = wake;
    return earliest;
  }
}
