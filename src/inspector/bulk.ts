import type { Source } from "./source.ts";
import { giveOrder, previewOrder } from "./task-answers.ts";
import type { PlaceOrder } from "./task-wire.ts";
import type { Bulk, Done, Preview } from "./wire.ts";

export type { Bulk } from "./wire.ts";

/** Actors of which a preview asks whether they would take the event. */
const askedMax = 200;

/** What a bulk action would do, found out without doing it. */
export const previewBulk = async (source: Source, bulk: Bulk): Promise<Preview> => {
  if ("letters" in bulk) {
    const wanted = new Set(bulk.letters);
    const found = (await source.letters({ limit: 1_000 })).filter(({ id }) => wanted.has(id));
    const gone = bulk.letters.filter((id) => !found.some((letter) => letter.id === id));
    return {
      text:
        bulk.action === "requeue"
          ? `Delivers ${countOf(found.length, "dead letter")} again, in the order of their numbers. One that fails again is a new letter.`
          : `Removes ${countOf(found.length, "dead letter")} for good.`,
      takes: found.map(({ id, address, event }) => `#${id} ${event.type} to ${address}`),
      refuses: gone.map((id) => ({ id: String(id), why: "it is not there any more" })),
    };
  }
  if ("entries" in bulk) {
    const wanted = new Set(bulk.entries);
    const found = ((await source.entries?.(bulk.outbox, 0, 1_000)) ?? []).filter(({ seq }) => wanted.has(seq));
    const idle = bulk.action === "requeue" ? found.filter(({ status }) => status === "pending") : [];
    return {
      text:
        bulk.action === "requeue"
          ? `Tries ${countOf(found.length - idle.length, "entry", "entries")} of the outbox ${bulk.outbox} again from the beginning.`
          : `Removes ${countOf(found.length, "entry", "entries")} of the outbox ${bulk.outbox} for good.`,
      takes: found.filter((entry) => !idle.includes(entry)).map(({ seq, type, key }) => `${seq} ${type} (${key})`),
      refuses: idle.map(({ seq }) => ({ id: String(seq), why: "it is pending already" })),
    };
  }
  if (bulk.action === "order") return previewOrder(dispatcherOf(source), bulk);
  if (bulk.action === "queue" || bulk.action === "worker") return { text: placeText(bulk), takes: [bulk.action === "queue" ? bulk.queue : bulk.worker], refuses: [] };
  const takes: Array<string> = [];
  const refuses: Array<{ readonly id: string; readonly why: string }> = [];
  for (const address of bulk.addresses.slice(0, askedMax)) {
    try {
      if (source.can === undefined || (await source.can(address, bulk.event))) takes.push(address);
      else refuses.push({ id: address, why: "its state does not take it" });
    } catch (error) {
      refuses.push({ id: address, why: error instanceof Error ? error.message : String(error) });
    }
  }
  const rest = bulk.addresses.length - askedMax;
  return { text: `Sends ${bulk.event.type} to ${countOf(bulk.addresses.length, "actor")}.${rest > 0 ? ` The first ${askedMax} were asked; ${rest} more follow.` : ""}`, takes, refuses };
};

/** Does it. Answers for how many it was done. */
export const doBulk = async (source: Source, bulk: Bulk, by: string): Promise<Done> => {
  if ("letters" in bulk) return { done: (await (bulk.action === "requeue" ? source.requeue : source.drop)?.(bulk.letters, { by, why: bulk.why ?? "" })) ?? 0 };
  if ("entries" in bulk) {
    await (bulk.action === "requeue" ? source.requeueEntries : source.dropEntries)?.(bulk.outbox, bulk.entries);
    return { done: bulk.entries.length };
  }
  if (bulk.action === "order") {
    const { done, refuses } = await giveOrder(dispatcherOf(source), bulk, by);
    return { done: done.length, refuses };
  }
  if (bulk.action === "queue" || bulk.action === "worker") {
    await orderPlace(source, bulk, by);
    return { done: 1 };
  }
  let done = 0;
  // All at once: the engine stores them together.
  const receipts = await Promise.allSettled(bulk.addresses.map((address) => source.send?.(address, bulk.event, by)));
  for (const receipt of receipts) if (receipt.status === "fulfilled" && receipt.value?.outcome === "handled") done++;
  return { done };
};

const countOf = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

const dispatcherOf = ({ dispatcher }: Source) => {
  if (dispatcher === undefined) throw Object.assign(new Error("this inspector was given no dispatcher"), { status: 409, code: "no_dispatcher" });
  return dispatcher;
};

const places: Readonly<Record<string, string>> = {
  pause: "takes tasks, and gives none out until somebody resumes it",
  resume: "takes tasks and gives them out",
  drain: "takes no task any more, and gives out what is there",
};
const placeText = (bulk: PlaceOrder): string =>
  bulk.action === "queue"
    ? `The queue ${bulk.queue} ${places[bulk.order] ?? ""}.`
    : `The worker ${bulk.worker} ${bulk.order === "drain" ? "gets nothing new; what it has ends" : "is not needed any more: what it has goes back"}.`;

const orderPlace = async (source: Source, bulk: PlaceOrder, by: string): Promise<void> => {
  const { queues, workers } = dispatcherOf(source);
  if (bulk.action === "worker") return workers[bulk.order](bulk.worker, { by });
  const order = { by, why: bulk.why };
  // A queue is drained when its last task has ended: nobody waits for that here.
  if (bulk.order === "drain") void queues.drain(bulk.queue, order).catch(() => {});
  else await queues[bulk.order](bulk.queue, order);
};
