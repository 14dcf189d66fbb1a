import { type BrokerInPromises, type BrokerPolicy, type Connector, makeBrokerInPromises } from "../../src/broker/index.ts";
import { delivered, refused, retry } from "../../src/delivery/index.ts";
import type { Verdict } from "../../src/domain/outbox.ts";
import type { DurableMachine } from "../../src/engine/index.ts";
import type { SimProcess } from "./process.ts";
import type { Source } from "./source.ts";
import type { World } from "./world.ts";

/** What the broker of a world is like. */
export interface BrokerPlan {
  readonly endpoints: number;
  readonly policy: Partial<BrokerPolicy>;
}

/** Worlds with a broker, each as much work as four others. */
const share = 0.13;

export const brokerPlanOf = (source: Source): BrokerPlan | undefined =>
  source.chance("broker", share)
    ? {
        endpoints: source.whole("broker", 1, 3),
        policy: {
          acceptanceTimeoutMs: source.pick("broker", [500, 3_000, 15_000]),
          processingTimeoutMs: source.pick("broker", [5_000, 60_000]),
          acknowledgementTimeoutMs: source.pick("broker", [500, 4_000]),
          returnRetryMs: source.pick("broker", [1_500, 3_000, 5_000]),
          recordRetentionMs: source.pick("broker", [10_000, 80_000]),
          inboxTimeoutMs: source.pick("broker", [10_000, 20_000]),
          inboxMax: source.whole("broker", 1, 6),
          graceMs: source.pick("broker", [50, 300, 20_000]),
          heartbeatTimeoutMs: 12_000,
          startTimeoutMs: 5_000,
          flushTimeoutMs: 2_000,
          slots: source.whole("broker", 1, 6),
          bufferMax: source.whole("broker", 1, 4),
          presenceGraceMs: 1_000,
        },
      }
    : undefined;

/** The outside, to which replies are sent: away, not pleased, silent, or gone in the middle; it hears or does not hear meanwhile. */
const outsideOf =
  (world: World, process: SimProcess): Connector =>
  ({ assignment, message }) => {
    if (process.dead) return new Promise(() => {});
    const hear = (): Verdict => {
      world.trace(`${process.name} answers ${message.id} by ${assignment}`);
      world.checker.brokerBook.answered(message.id, assignment);
      return delivered;
    };
    if (!world.fault("outsideFailed")) return hear();
    const how = world.source.pick("outside", ["away", "refuses", "silent", "breaks", "slow"]);
    if (how === "away") return retry("it can't be reached");
    if (how === "refuses") return refused("it is too long");
    if (how !== "slow" && world.source.chance("outsideHears", 0.5)) hear();
    if (how === "silent") return new Promise(() => {});
    if (how === "breaks") throw Object.assign(new Error("the connection was reset"), { stack: "the connection was reset" });
    return new Promise((resolve) => {
      world.later(process, world.source.whole("outsideMs", 1, 6_000), () => resolve(hear()));
    });
  };

/** What ends is kept: the checker knows every actor to its end. */
const kept = (machines: ReadonlyArray<DurableMachine>): ReadonlyArray<DurableMachine> => machines.map(({ retention: _, ...entry }) => entry);

/** The broker of one simulated process, and its machines. */
export const brokerOf = (world: World, process: SimProcess, plan: BrokerPlan): { readonly broker: BrokerInPromises; readonly machines: ReadonlyArray<DurableMachine> } => {
  const broker = makeBrokerInPromises({
    connector: outsideOf(world, process),
    isOwnerAlive: (owner) => !world.ledger.deadOwners.has(owner),
    outbox: "post",
    policy: plan.policy,
  });
  return { broker, machines: kept(broker.machines as ReadonlyArray<DurableMachine>) };
};

/** The machines of any broker, as histories are stepped by them. */
export const brokerMachines = (): ReadonlyArray<DurableMachine> => kept(makeBrokerInPromises({ connector: () => delivered }).machines as ReadonlyArray<DurableMachine>);
