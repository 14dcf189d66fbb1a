import type { StateValue } from "xstate";
import { type ActorState, type RawTransition, type Status, type Step, allTaken } from "../actor/index.ts";
import type { Address } from "../domain/address.ts";
import type { Outcome } from "../domain/envelope.ts";
import type { EngineEvent, Event } from "../domain/event.ts";
import type { Limits } from "../domain/limits.ts";
import type { EffectRow } from "../journal/index.ts";
import type { Delivery } from "./intake.ts";
import type { Registry } from "./registry.ts";
import type { Resident, Residents } from "./resident.ts";

/** What one event did, for everybody who listens after the commit. */
export interface Transition {
  /** The id of its history row: grows with everything that is stored. */
  readonly id: number;
  readonly address: Address;
  readonly machine: string;
  /** Of the machine's form that the actor lives on, as `ActorView` has it. */
  readonly hash: string;
  readonly seq: number;
  readonly at: number;
  readonly from: string;
  readonly event: Event | EngineEvent;
  readonly outcome: Outcome;
  readonly status: Status;
  readonly state: ActorState;
  /** Where it stands now, as `state` says it too. */
  readonly value: StateValue;
  readonly step: Step | undefined;
  /** The machine's own transitions that it took, in order; `traceOf` makes words of the step. */
  readonly taken: ReadonlyArray<RawTransition>;
}

/** Of an actor that has just been stepped: everything is read while it is at hand, and not when it is told. */
export const transitionOf = (actor: Resident, { from, event }: Pick<Delivery, "from" | "event">, id: number, outcome: Outcome, step: Step | undefined): Transition => {
  const { address, seq, at, state } = actor;
  const { id: machine, hash } = actor.registered.definition;
  const taken = step === undefined ? [] : allTaken(step.microsteps);
  return { id, address, machine, hash, seq, at, from, event, outcome, status: actor.status as Status, state, value: state.snapshot.value, step, taken };
};

/** A custom action that was stored with its transition and runs after the commit. */
export interface Owed {
  readonly row: EffectRow;
  readonly actor: Resident;
  readonly event: Event | EngineEvent;
}

/** The ids that the next rows get. One writer counts them; the journal only checks. */
export interface Ids {
  actor: number;
  history: number;
  mail: number;
  effect: number;
}

/** What a turn works with, and what it leaves behind when it is stored or thrown away. */
export interface World {
  readonly registry: Registry;
  readonly limits: Limits;
  readonly residents: Residents;
  readonly ids: Ids;
  /** Somebody listens to every transition. */
  readonly observed: () => boolean;
  /** Messages in the stored mailbox, besides those that the turn takes. */
  readonly mailbox: () => number;
  /** Custom actions that are owed, besides those that the turn makes. */
  readonly owing: () => number;
  /** A limit refused something. */
  readonly reached: (limit: keyof Limits) => void;
}
