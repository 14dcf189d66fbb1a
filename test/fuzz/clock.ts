interface Timer {
  readonly due: number;
  /** When the actor that set it was started, counted. */
  readonly actor: number;
  readonly armed: number;
  readonly call: () => void;
}

/**
 * A simulated clock for a live actor, with the order that a durable one has: by due time; what is due together by the
 * start of its actor and then by when it was set; what is set meanwhile comes after that.
 */
export class Clock {
  /** The actor that sets the next timer, by the order of starts. */
  setter = 0;
  #now = 0;
  #armed = 0;
  readonly #timers = new Map<number, Timer>();

  readonly setTimeout = (call: () => void, ms: number): number => {
    const armed = ++this.#armed;
    this.#timers.set(armed, { due: this.#now + Math.max(0, Math.round(ms)), actor: this.setter, armed, call });
    return armed;
  };
  readonly clearTimeout = (id: number): void => void this.#timers.delete(id);

  get now(): number {
    return this.#now;
  }

  get nextDue(): number | undefined {
    let due: number | undefined;
    for (const timer of this.#timers.values()) if (due === undefined || timer.due < due) due = timer.due;
    return due;
  }

  /** Jumps, as over a time in which nothing ran, and calls what is due by then. */
  jump(to: number): void {
    this.#now = Math.max(this.#now, to);
    for (;;) {
      const due = [...this.#timers.values()].filter((timer) => timer.due <= this.#now).sort((left, right) => left.due - right.due || left.actor - right.actor || left.armed - right.armed);
      if (due.length === 0) return;
      for (const timer of due) if (this.#timers.delete(timer.armed)) timer.call();
    }
  }
}
