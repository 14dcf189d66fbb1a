/** How often each of many may do something: so many at once, and so many per second for ever. */
export class Rate {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #remembered: number;
  /** What each has left, at a moment. The longest silent ones stand first. */
  readonly #buckets = new Map<string, { left: number; at: number }>();

  constructor(options: { readonly perSecond: number; readonly burst: number; readonly remembered: number }) {
    this.#perSecond = options.perSecond;
    this.#burst = options.burst;
    this.#remembered = options.remembered;
  }

  #current(who: string, now: number): { left: number; at: number } {
    const known = this.#buckets.get(who);
    if (known === undefined) return { left: this.#burst, at: now };
    return { left: Math.min(this.#burst, known.left + (Math.max(0, now - known.at) / 1000) * this.#perSecond), at: now };
  }

  /** Milliseconds until the next one is allowed; 0: now. Takes nothing. */
  waitMs(who: string, now: number): number {
    const { left } = this.#current(who, now);
    return left >= 1 ? 0 : Math.ceil(((1 - left) / this.#perSecond) * 1000);
  }

  /** Takes one. Returns the milliseconds until it is allowed; 0: it was taken. */
  take(who: string, now: number): number {
    const wait = this.waitMs(who, now);
    const bucket = this.#current(who, now);
    this.#buckets.delete(who);
    this.#buckets.set(who, wait > 0 ? bucket : { left: bucket.left - 1, at: now });
    if (this.#buckets.size > this.#remembered)
      for (const [oldest] of this.#buckets) {
        this.#buckets.delete(oldest);
        break;
      }
    return wait;
  }
}
