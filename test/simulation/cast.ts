import { makeOutboxes } from "../../src/delivery/index.ts";
import { dispatchMachines } from "../../src/dispatch/index.ts";
import type { DurableMachine } from "../../src/engine/index.ts";
import { Forms } from "../../src/replay/index.ts";
import { brokerMachines } from "./broker.ts";
import { definitionsOf } from "./life.ts";
import { inboxMachines } from "./inboxes.ts";
import { account, alarm, beacon, brittle, family, fragile, herald, limb, parcel, player, slip, sturdy, till } from "./machines.ts";
import type { Planted } from "./planted.ts";
import { writer } from "./post.ts";
import { scheduleMachines } from "./schedules.ts";

const record = () => {};

const machinesOf = (taskMachines: ReadonlyArray<DurableMachine>): ReadonlyArray<DurableMachine> => [
  { machine: account, actions: { record } },
  { machine: herald },
  { machine: alarm },
  { machine: slip },
  { machine: parcel, actions: { record }, activities: { carry: { retry: { attemptsMax: 3, backoff: { kind: "exponential", baseMs: 200 }, jitter: { min: 0.5, max: 1 } }, timeoutMs: 4_000 } } },
  { machine: fragile, supervision: { strategy: "restart", restartsMax: 2, withinMs: 60_000 } },
  { machine: sturdy },
  { machine: brittle, supervision: { strategy: "stop" } },
  { machine: player },
  { machine: writer },
  { machine: family },
  { machine: till, early: { PAY: "keep" } },
  { machine: beacon, activities: { pulse: { retry: { attemptsMax: 2, backoff: { kind: "fixed", baseMs: 300 } } } } },
  { machine: limb, supervision: { strategy: "restart", restartsMax: 2, withinMs: 60_000, scope: "one_for_all" } },
  ...taskMachines,
];

/** The machines that a planted bug is in take the place of the right ones. */
const replaced = (machines: ReadonlyArray<DurableMachine>, planted: Planted | undefined): ReadonlyArray<DurableMachine> =>
  machines.map((entry) => {
    const { id } = entry.machine;
    const other = planted?.machines?.[id];
    const implementations = planted?.implementations?.[id];
    if (implementations !== undefined) return { ...entry, machine: entry.machine.provide(implementations) };
    return other === undefined ? entry : { ...entry, machine: other };
  });

/** Everybody who lives in a world: small machines for what tasks don't use, and those of its parts. */
export const castOf = (taskMachines: ReadonlyArray<DurableMachine>, planted?: Planted | undefined): ReadonlyArray<DurableMachine> => machinesOf(replaced(taskMachines, planted));

const known = new Map<Planted | undefined, ReturnType<typeof soundOf>>();
/** What histories are stepped by: the machines that ran. */
export const sound = (planted: Planted | undefined): ReturnType<typeof soundOf> => {
  const key = planted?.machines === undefined && planted?.implementations === undefined ? undefined : planted;
  const made = known.get(key) ?? soundOf(planted);
  known.set(key, made);
  return made;
};
const soundOf = (planted: Planted | undefined) => {
  const machines = [...castOf([...dispatchMachines().machines, ...brokerMachines(), ...inboxMachines(), ...scheduleMachines()], planted), ...makeOutboxes({}).machines];
  return { definitions: definitionsOf(machines), forms: new Forms(machines) };
};
