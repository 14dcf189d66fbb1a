export { snapshotToTell } from "./child-snapshot.ts";
export type { Command, Target } from "./command.ts";
export { chartOf, type Definition, type DefineOptions, define, MachineRefused, type Source, type SourceKind } from "./definition.ts";
export { ActorReference, parseJson } from "./reference.ts";
export { actorRef } from "../domain/reference.ts";
export { type ActorState, type Child, decode, encode, nextDue, parseState, type Status, StateMismatch, type StoredState, type Timer } from "./state.ts";
export { reducerId, reducerMachine } from "./reducer.ts";
export { EarlyEvent, nextOffer, type Step, start, step, TransitionFailed } from "./step.ts";
export { type Microstep, traceOf } from "./trace.ts";
