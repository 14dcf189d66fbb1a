import type { Time } from "../engine/index.ts";
import type { Charts } from "./charts.ts";
import type { Fleets } from "./fleets.ts";
import type { Source } from "./source.ts";
import type { Frame } from "./wire.ts";

/** The shortest time between two frames: what is shown is older by that at most, and each costs the engine something. */
const frameMs = 150;
/** A sign of life for what stands between, while nothing moves. */
const silenceMs = 15_000;
/** Pages that hear of changes at a time. */
const subscribersMax = 100;

interface Subscriber {
  readonly hashes: ReadonlySet<string>;
  readonly actors: ReadonlySet<string>;
  /** How far it was told of each form. */
  readonly told: Map<string, number>;
  readonly actorsMoved: Set<string>;
  /** All transitions that were stored when it was told last. */
  transitions: number;
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
}

/**
 * Tells pages what moved, once per frame, however much that was. Holds for each page how far it was told and nothing else:
 * a page that is slower than the frames gets fewer of them.
 */
export class Frames {
  readonly #subscribers = new Set<Subscriber>();
  readonly #fleets: Fleets;
  readonly #charts: Charts;
  readonly #source: Source;
  readonly #time: Time;
  #watched: ReadonlySet<string> = new Set();
  /** Somebody wants frames, and not only to know that the feed is there. */
  #isHeard = false;
  readonly #encoder = new TextEncoder();
  #cancel: (() => void) | undefined;
  #silence: (() => void) | undefined;
  #last = 0;

  constructor(fleets: Fleets, charts: Charts, source: Source, time: Time) {
    this.#fleets = fleets;
    this.#charts = charts;
    this.#source = source;
    this.#time = time;
    fleets.onMove = (address) => this.#moved(address);
  }

  get size(): number {
    return this.#subscribers.size;
  }

  /**
   * A stream of frames about these forms (`*`: all) and actors, and of signs of life alone where there are none of either.
   * Nothing where there are too many pages already.
   */
  subscribe(hashes: ReadonlyArray<string>, actors: ReadonlyArray<string>, left: () => void): ReadableStream<Uint8Array> | undefined {
    if (this.#subscribers.size >= subscribersMax) return undefined;
    let subscriber: Subscriber;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          subscriber = { hashes: new Set(hashes), actors: new Set(actors), told: new Map(), actorsMoved: new Set(), transitions: this.#fleets.transitions, controller };
          this.#subscribers.add(subscriber);
          this.#listen();
          this.#keepAlive();
          controller.enqueue(this.#encoder.encode(":\n\n"));
          if (this.#isHeard) this.#arm(0);
        },
        cancel: () => {
          this.#subscribers.delete(subscriber);
          this.#listen();
          if (this.#subscribers.size === 0) {
            this.#silence?.();
            this.#silence = undefined;
          }
          left();
        },
      },
      // One frame waits for a page that is slow; what comes meanwhile goes into the next.
      { highWaterMark: 1 },
    );
  }

  /** Ends all streams. */
  close(): void {
    this.#cancel?.();
    this.#silence?.();
    this.#silence = undefined;
    for (const { controller } of this.#subscribers) controller.close();
    this.#subscribers.clear();
    this.#listen();
  }

  #listen(): void {
    const all = [...this.#subscribers];
    this.#watched = new Set(all.flatMap(({ actors }) => [...actors]));
    this.#isHeard = all.some(isListening);
  }

  /** Called for each stored transition. */
  #moved(address: string): void {
    if (!this.#isHeard) return;
    if (this.#watched.has(address)) for (const { actors, actorsMoved } of this.#subscribers) if (actors.has(address)) actorsMoved.add(address);
    if (this.#cancel === undefined) this.#arm(frameMs);
  }

  #arm(wait: number): void {
    if (this.#cancel !== undefined) return;
    const due = Math.max(this.#time.now(), this.#last + wait);
    this.#cancel = this.#time.wakeAt(due, () => {
      this.#cancel = undefined;
      this.#last = this.#time.now();
      let isLate = false;
      for (const subscriber of this.#subscribers) if (isListening(subscriber) && !this.#tell(subscriber)) isLate = true;
      if (isLate) this.#arm(frameMs);
    });
  }

  /** False where the page has not taken the frame before. */
  #tell(subscriber: Subscriber): boolean {
    const { controller, hashes, told, actorsMoved } = subscriber;
    const transitions = this.#fleets.transitions - subscriber.transitions;
    const moved = [...(hashes.has("*") ? this.#fleets.hashes : hashes)].filter((hash) => told.get(hash) !== this.#fleets.revisionOf(hash));
    const isNews = actorsMoved.size > 0 || (hashes.size > 0 && (transitions > 0 || moved.length > 0));
    if (!isNews) return true;
    if ((controller.desiredSize ?? 0) <= 0) return false;
    const fleets = moved.map((hash) => this.#fleets.fleet(hash, this.#charts.peek(hash)));
    const actors = Object.fromEntries(
      [...actorsMoved].flatMap((address) => {
        const stand = this.#fleets.stand(address);
        return stand === undefined ? [] : [[address, stand] as const];
      }),
    );
    const frame: Frame = { at: this.#time.now(), transitions, ...(hashes.has("*") ? { rate: this.#fleets.rate } : {}), fleets, actors, engine: this.#source.engine().state };
    for (const hash of moved) told.set(hash, this.#fleets.revisionOf(hash));
    actorsMoved.clear();
    subscriber.transitions += transitions;
    controller.enqueue(this.#encoder.encode(`data: ${JSON.stringify(frame)}\n\n`));
    return true;
  }

  #keepAlive(): void {
    if (this.#silence !== undefined) return;
    const again = () => {
      const cancel = this.#time.wakeAt(this.#time.now() + silenceMs, () => {
        for (const { controller } of this.#subscribers) if ((controller.desiredSize ?? 0) > 0) controller.enqueue(this.#encoder.encode(":\n\n"));
        again();
      });
      this.#silence = cancel;
    };
    again();
  }
}

const isListening = ({ hashes, actors }: Subscriber): boolean => hashes.size > 0 || actors.size > 0;
