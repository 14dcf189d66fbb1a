import type { Verdict } from "../../src/domain/outbox.ts";
import type { Destination, Entry } from "../../src/delivery/index.ts";

interface Call {
  readonly entry: Entry;
  readonly attempt: number;
  readonly signal: AbortSignal;
  readonly answer: (verdict?: Verdict) => void;
}

/** A destination that a test holds in its hands: answers by rule, or call by call. */
export class Receiver {
  readonly calls: Array<Call> = [];
  /** What it says of an entry; undefined: the test answers the call. */
  rule: ((entry: Entry, attempt: number) => Verdict | undefined) | undefined;

  constructor(rule?: (entry: Entry, attempt: number) => Verdict | undefined) {
    this.rule = rule;
  }

  readonly destination: Destination = (entry, { attempt, signal }) =>
    new Promise<Verdict | undefined>((resolve) => {
      this.calls.push({ entry, attempt, signal, answer: (verdict) => resolve(verdict) });
      const verdict = this.rule?.(entry, attempt);
      if (verdict !== undefined) resolve(verdict);
    });

  /** Keys in the order in which they were tried. */
  get keys(): ReadonlyArray<string> {
    return this.calls.map(({ entry }) => entry.key);
  }

  get last(): Call {
    const call = this.calls.at(-1);
    if (call === undefined) throw new Error("nothing was sent yet");
    return call;
  }
}
