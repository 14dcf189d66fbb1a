import { type BrokerPlan, brokerPlanOf } from "./broker.ts";
import { drawRates, type Fault } from "./faults.ts";
import type { Source } from "./source.ts";

/** What a run is like; all of it follows from its seed. */
export interface Plan {
  readonly rates: Readonly<Record<Fault, number>>;
  readonly store: "memory" | "sqlite";
  /** Steps of the phase with faults. */
  readonly steps: number;
  readonly clients: number;
  readonly ops: number;
  readonly slots: number;
  /** Absent: this world has none. */
  readonly broker: BrokerPlan | undefined;
  /** What else there is in it. */
  readonly part: Part;
  readonly limits: {
    readonly leaseMs: number;
    readonly heartbeatMs: number;
    readonly turnEnvelopesMax: number;
    readonly turnMessagesMax: number;
    readonly dueTimersMax: number;
    readonly residentActorsMax: number;
    readonly activitiesMax: number;
    readonly intakeMax: number;
    readonly keyRetentionMs: number;
  };
}

/** What few worlds have, each of them one: it is what they are about. */
export type Part = "none" | "inboxes" | "schedules";
const parts: Readonly<Record<Part, number>> = { none: 80, inboxes: 10, schedules: 10 };

/** One seed of forty runs over a real SQLite file. */
const sqliteEvery = 40;

export const planOf = (source: Source): Plan => {
  const broker = brokerPlanOf(source);
  // What happens between endpoints takes steps too.
  const more = broker === undefined ? 0 : 600;
  return {
    rates: drawRates(source),
    store: source.seed % sqliteEvery === 7 ? "sqlite" : "memory",
    steps: source.whole("plan", 100, 300) + more,
    clients: source.whole("plan", 1, 8) + (broker === undefined ? 0 : 4),
    ops: source.whole("plan", 12, 50),
    slots: source.whole("plan", 1, 3),
    broker,
    part: broker === undefined ? source.weighted("part", parts) : "none",
    limits: {
      leaseMs: 10_000,
      heartbeatMs: 3_000,
      turnEnvelopesMax: source.pick("plan", [1, 2, 1_000, 1_000]),
      turnMessagesMax: source.pick("plan", [1, 2, 3, 10_000, 10_000]),
      dueTimersMax: source.pick("plan", [1, 2, 1_000, 1_000]),
      residentActorsMax: source.pick("plan", [2, 8, 20_000, 20_000]),
      activitiesMax: source.pick("plan", [1, 1_000, 1_000]),
      intakeMax: source.pick("plan", [20, 100_000, 100_000]),
      keyRetentionMs: source.pick("plan", [60_000, 24 * 60 * 60 * 1000]),
    },
  };
};
