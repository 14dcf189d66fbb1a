import type { InPromises } from "../delivery/index.ts";
import type { makeOutboxes } from "../delivery/index.ts";
import type { Dispatcher } from "../dispatch/index.ts";
import { ActorParked, type ActorView, type EngineCore, type Taskwright, UnknownActor } from "../engine/index.ts";
import type { Source } from "./source.ts";

type Outboxes = InPromises<ReturnType<typeof makeOutboxes>>;

/** A running engine as a source: everything can be seen and, by an operator, done. */
export const engineSource = (engine: Taskwright, name: string, outboxes?: Outboxes, dispatcher?: Dispatcher): Source => {
  const parked = new WeakMap<ActorView, ActorParked>();
  return {
    kind: "engine",
    name,
    engine: () => {
      const { state, cause, transitions, waiting, activities, residents } = engine.status();
      return { state, ...(cause === undefined ? {} : { cause: cause.message }), transitions, waiting, activities, residents };
    },
    list: (filter) => engine.list(filter),
    actor: (address) =>
      engine.snapshot(address).catch(async (error: unknown) => {
        if (error instanceof UnknownActor) return undefined;
        if (!(error instanceof ActorParked)) throw error;
        const view = await storedView(engine, address);
        if (view !== undefined) parked.set(view, error);
        return view;
      }),
    parked: (limit) => engine.parked({ limit }),
    parkedAs: (actor) => parked.get(actor),
    ...(dispatcher === undefined ? {} : { dispatcher }),
    history: (address, after, limit) => engine.history(address, { after, limit }),
    historyStart: (address) => engine.historyStart(address),
    letters: (filter) => engine.deadLetters(filter),
    charts: async () => [...(engine.effect as EngineCore).registry.stored.values()],
    follow: (told) => engine.observe(told),
    send: (address, event, by) => engine.send(address, event, { by }),
    can: (address, event) => engine.can(address, event),
    requeue: (letters, order) => engine.requeue(letters, order),
    drop: (letters, order) => engine.drop(letters, order),
    ...(outboxes === undefined
      ? {}
      : {
          outboxes: async () => {
            const all = await engine.list({ machine: "outbox", limit: 1_000 });
            return Promise.all(
              all.map(async ({ address, value }) => {
                const outbox = address.slice("outbox/".length);
                const { pending, poisoned, unknown } = await outboxes.counts(outbox);
                return { name: outbox, state: typeof value === "string" ? value : Object.keys(value).join(), pending, poisoned, unknown };
              }),
            );
          },
          entries: (outbox: string, after: number, limit: number) => outboxes.entries(outbox, { after, limit }),
          requeueEntries: (outbox: string, seqs: ReadonlyArray<number>) => outboxes.requeue(outbox, seqs),
          dropEntries: (outbox: string, seqs: ReadonlyArray<number>) => outboxes.drop(outbox, seqs),
        }),
  };
};

/** What is stored of a parked actor, without the machine that can't go on with it. */
const storedView = async (engine: Taskwright, address: string): Promise<ActorView | undefined> => {
  const limit = 100;
  for (let after = 0; ; ) {
    const page = await engine.parked({ after, limit });
    const id = page.find((parked) => parked.address === address)?.id;
    if (id !== undefined) return (await engine.list({ after: id - 1, limit: 1 }))[0];
    after = page.at(-1)?.id ?? after;
    if (page.length < limit) return undefined;
  }
};
