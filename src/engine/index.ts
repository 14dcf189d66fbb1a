export type { EngineCore } from "./calls.ts";
export { viewOfStored } from "./view.ts";
export { requestOf } from "./request.ts";
export { hashOf } from "./resident.ts";
export { type Move, moveTo, read as readRow, writerOf } from "./versions.ts";
export { type ActivityInfo, type AttemptTrace, currentActivity } from "./activities.ts";
export { type Checked, checkMachines } from "./check-machines.ts";
export { ContractBroken, type EventSchemas, type Schemas } from "./contract.ts";
export { type Durable, durable } from "./durable.ts";
export { Activity, type EffectLogic, type Failed, failedWith, fromEffect, type FromEffectOptions } from "./from-effect.ts";
export {
  type ActorAt,
  type ActorHandle,
  type EventOf,
  type Face,
  type HistoryOptions,
  machineOf,
  type MachineOrEntry,
  type QuestionOf,
  type ReplyOf,
  type ReplyTo,
  type Start,
  type ViewOf,
} from "./handle.ts";
export { type AnySchema, type Check, checkOf, type StandardIssue, type StandardResult, type StandardSchema } from "./schema.ts";
export type { ServicesOf } from "./services.ts";
export {
  type ActorToStart,
  type ActorView,
  type AskOptions,
  type Change,
  type DeadLetter,
  Engine,
  type EngineStatus,
  type HistoryEntry,
  type LetterChoice,
  type LetterError,
  type LetterFilter,
  type HistoryStart,
  type Receipt,
  type SendOptions,
  type SentEvent,
  type StartOptions,
  type TakeOptions,
  type Transition,
  type WaitOptions,
  type WrittenBy,
} from "./engine.ts";
export {
  ActorFailed,
  ActorParked,
  EngineBusy,
  EngineClosed,
  EngineDegraded,
  EventRefused,
  HistoryFull,
  InvalidAddress,
  InvalidEvent,
  InvalidOptions,
  KeyReused,
  PayloadTooLarge,
  PoisonEvent,
  type SendError,
  TimedOut,
  Unanswered,
  UnknownActor,
  UnknownDeadLetter,
  UnknownMachine,
  parkedRemedies,
} from "./errors.ts";
export type { EngineState } from "./lifecycle.ts";
export { crashMark } from "./careful.ts";
export type { Taker } from "./intake.ts";
export { takenBy } from "./letters.ts";
export { actionOf, envelopeOfLetter, idsOf, letterView, storedFilter } from "./letter-calls.ts";
export { type EngineOptions, isAlive, type LogEntry, layer, make } from "./make.ts";
export { type OpenOptions, openEngine, type Taskwright } from "./open.ts";
export { begun, pluginRetryMs, whenOpened } from "./opening.ts";
export type { Doors, Follower, Plugin } from "./plugin.ts";
export { type ActionInfo, type ActivityOptions, type DurableMachine, isDurable, type MachineOptions, makeRegistry, type Registered, type Registry, type WithinTurn } from "./registry.ts";
export { findParked, type MigrateOptions, type MigrationReport, type ParkedActor } from "./migration.ts";
export type { MigratedState, ParkedReason, StoredActor } from "./versions.ts";
export { systemTime, Time } from "./time.ts";
