import { type AnyStateMachine, createMachine, enqueueActions } from "xstate";
import { endpoint } from "../../machines/endpoint.ts";
import { actorRef } from "../../src/domain/reference.ts";
import type { Broker } from "../../src/broker/index.ts";
import type { Plugin } from "../../src/engine/index.ts";

/** A broker that is wrong on purpose. */
export interface Plant {
  readonly says: string;
  /** What the histories must find, in their words. */
  readonly finds: RegExp;
  /** The first seed that finds it; the search begins there. */
  readonly seed: number;
  readonly plant: (broker: Broker) => Plugin;
}

type Change = (machine: AnyStateMachine) => AnyStateMachine;

const withMachines = (broker: Broker, changes: Readonly<Record<string, Change>>): Plugin => ({
  ...broker,
  machines: broker.machines.map((entry) => ({ ...entry, machine: changes[entry.machine.id]?.(entry.machine as never) ?? entry.machine }) as typeof entry),
});

/** The machine with one more transition in a state. */
const withTransition = (path: ReadonlyArray<string>, event: string, transition: object): Change => {
  const into = (config: Record<string, unknown>, [first, ...rest]: ReadonlyArray<string>): Record<string, unknown> => {
    if (first === undefined) return { ...config, on: { ...(config.on as object | undefined), [event]: transition } };
    const states = config.states as Readonly<Record<string, Record<string, unknown>>>;
    return { ...config, states: { ...states, [first]: into(states[first] ?? {}, rest) } };
  };
  return (machine) => createMachine(into(machine.config as never, path) as never, machine.implementations as never) as never;
};

/** Both as an actor's machine, and as what a message begins. */
const withExchange = (broker: Broker, change: Change, more: Readonly<Record<string, Change>> = {}): Plugin => {
  const sound = broker.machines.find(({ machine }) => machine.id === "exchange");
  if (sound === undefined) throw new Error("the broker has no machine of this name any more: exchange");
  const changed = change(sound.machine as never);
  return withMachines(broker, { ...more, exchange: () => changed, message: (machine) => machine.provide({ actors: { exchange: changed as never } }) });
};

export const plants: Readonly<Record<string, Plant>> = {
  bufferDeletedBeforePush: {
    says: "what was kept for an endpoint is deleted before it was pushed",
    finds: /is kept no more, and .* was never told/,
    seed: 8,
    plant: (broker) =>
      withMachines(broker, {
        endpoint: () =>
          endpoint.provide({
            actions: {
              sendBuffer: enqueueActions(({ context, enqueue }) => {
                const { connection, buffer } = context;
                enqueue({ type: "pushBuffer", params: { connection, offers: buffer.map(({ assignment, message }) => ({ assignment, message })) } } as never);
                enqueue.assign({ buffer: [], pushed: [] });
              }),
            },
          }) as never,
      }),
  },
  acceptedGivenToAnother: {
    says: "an accepted message goes back to the inbox when its endpoint is lost",
    finds: /was begun by .* and /,
    seed: 3,
    plant: (broker) =>
      withExchange(broker, withTransition(["held"], "LOST", { target: "givingBack", actions: "recordReason" }), {
        endpoint: () =>
          endpoint.provide({
            actions: {
              giveUpOffered: enqueueActions(({ context, enqueue }) => {
                for (const assignment of context.taken) enqueue.sendTo(actorRef(assignment), { type: "LOST", reason: "target_lost" });
                enqueue.assign({ taken: [], accepted: [], buffer: [], pushed: [] });
              }),
            },
          }) as never,
      }),
  },
  replySentTwice: {
    says: "the same request of a reply that was sent is sent again",
    finds: /was answered 2 times/,
    seed: 4,
    plant: (broker) => withExchange(broker, withTransition(["over", "replySent"], "REPLY", { target: "#exchange.replyRequested", actions: "recordReply" })),
  },
};
