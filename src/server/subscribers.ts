import type { Engine, LogEntry, Time, Transition } from "../engine/index.ts";
import * as Effect from "effect/Effect";
import { TooManySubscribers } from "./errors.ts";
import type { ServerLimits } from "./limits.ts";
import { sendable } from "./sendable.ts";
import { type ReadAfter, type StreamItem, Subscriber } from "./subscriber.ts";

/** What a stream is about: one actor, one machine, or everything. */
export interface Topic {
  readonly address?: string;
  readonly machine?: string;
}

export interface Subscribers {
  /** A new stream. Returns `TooManySubscribers` where as many are open as may. */
  readonly open: (topic: Topic, after: number | undefined) => ReadableStream<Uint8Array> | TooManySubscribers;
  readonly count: () => number;
  readonly dropped: () => number;
  /** Tells all of them that the server closes. */
  readonly close: () => void;
}

interface Shown {
  readonly id: number;
  readonly address: string;
  readonly machine: string;
  readonly seq: number;
  readonly at: number;
  readonly event: unknown;
  readonly outcome: string;
  readonly from: string;
}

const itemOf = (id: number, { id: change, address, machine, seq, at, event, outcome, from }: Shown): StreamItem => ({
  id,
  text: `id: ${id}\nevent: change\ndata: ${sendable({ id: change, address, machine, seq, at, event, outcome, from })}\n\n`,
});

/** Everybody who follows what is stored. The engine is listened to while there is somebody. */
export const makeSubscribers = (engine: Engine, limits: ServerLimits, time: Time, log: (entry: LogEntry) => void): Subscribers => {
  const subscribers = new Map<Subscriber, Topic>();
  let stopListening: (() => void) | undefined;
  let dropped = 0;

  const hear = (transition: Transition) => {
    // Made once, however many listen.
    let byChange: StreamItem | undefined;
    let bySeq: StreamItem | undefined;
    for (const [subscriber, { address, machine }] of subscribers) {
      if (address !== undefined) {
        if (address === transition.address) subscriber.push((bySeq ??= itemOf(transition.seq, transition)));
      } else if (machine === undefined || machine === transition.machine) subscriber.push((byChange ??= itemOf(transition.id, transition)));
    }
  };

  const readChanges =
    (machine: string | undefined): ReadAfter =>
    async (after, limit) => {
      const changes = await Effect.runPromise(engine.changes({ after, limit }));
      const items = changes.filter((change) => machine === undefined || change.machine === machine).map((change) => itemOf(change.id, change));
      return { items, last: changes.at(-1)?.id ?? after, isWhole: changes.length < limit };
    };
  /** The ids of one actor's stream are its sequence numbers: so its own history is all that is read. */
  const readActor =
    (address: string): ReadAfter =>
    async (after, limit) => {
      const entries = await Effect.runPromise(engine.history(address, { after, limit }));
      const machine = entries.length === 0 ? "" : (await Effect.runPromise(engine.snapshot(address))).machine;
      const items = entries.map((entry) => itemOf(entry.seq, { ...entry, id: 0, address, machine }));
      return { items, last: entries.at(-1)?.seq ?? after, isWhole: entries.length < limit };
    };

  return {
    open: (topic, after) => {
      if (subscribers.size >= limits.subscribersMax) return new TooManySubscribers({ subscribersMax: limits.subscribersMax });
      const subscriber: Subscriber = new Subscriber({
        after,
        readAfter: topic.address === undefined ? readChanges(topic.machine) : readActor(topic.address),
        limits,
        time,
        onOver: (reason) => {
          subscribers.delete(subscriber);
          if (subscribers.size === 0) {
            stopListening?.();
            stopListening = undefined;
          }
          if (reason !== "slow_reader") return;
          dropped++;
          log({ level: "warning", message: "a subscriber read too slowly and was dropped", data: { ...topic, code: reason } });
        },
      });
      subscribers.set(subscriber, topic);
      stopListening ??= engine.observe(hear);
      return subscriber.stream;
    },
    count: () => subscribers.size,
    dropped: () => dropped,
    close: () => {
      for (const subscriber of [...subscribers.keys()]) subscriber.close();
    },
  };
};
