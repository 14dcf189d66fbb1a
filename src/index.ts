/*
 * The door of the package: the engine for hosts that don't use Effect, its errors, and the journals.
 * Effect programs import "taskwright/effect"; machines that come with the engine are in "taskwright/machines".
 */
export type { Hint, Status, StoredState, Timer } from "./actor/index.ts";
export {
  type CommandLine,
  type CommandResult,
  type Dispatcher,
  type DispatchMachines,
  type DispatchOptions,
  dispatchMachines,
  openDispatcher,
  type TaskSpec,
  type TaskState,
  type TaskView,
} from "./dispatch/index.ts";
export type { Address } from "./domain/address.ts";
export type { Outcome } from "./domain/envelope.ts";
export type { Failure, Json } from "./domain/json.ts";
export { defaultLimits, type Limits } from "./domain/limits.ts";
export { actorRef } from "./domain/reference.ts";
export type { Retention } from "./domain/retention.ts";
export type { Backoff, RetryPolicy } from "./domain/retry.ts";
export type { Scope, Strategy, Supervision } from "./domain/supervision.ts";
export {
  type ActionInfo,
  ActorFailed,
  ActorParked,
  type ActivityInfo,
  type ActivityOptions,
  type ActorAt,
  type ActorHandle,
  type ActorToStart,
  type ActorView,
  type AnySchema,
  type AskOptions,
  type Change,
  type Checked,
  checkMachines,
  ContractBroken,
  currentActivity,
  type DeadLetter,
  durable,
  type DurableMachine,
  EngineBusy,
  type EventOf,
  type EventSchemas,
  EngineClosed,
  EngineDegraded,
  EventRefused,
  type EngineOptions,
  type EngineState,
  type EngineStatus,
  type HistoryEntry,
  HistoryFull,
  type HistoryStart,
  InvalidAddress,
  InvalidEvent,
  InvalidOptions,
  type LetterChoice,
  type LetterError,
  type LetterFilter,
  type LogEntry,
  type MigratedState,
  type MigrateOptions,
  type MigrationReport,
  type MachineOptions,
  type OpenOptions,
  type ParkedActor,
  type ParkedReason,
  type Plugin,
  openEngine,
  PayloadTooLarge,
  type QuestionOf,
  PoisonEvent,
  type Receipt,
  type ReplyOf,
  type ReplyTo,
  type Schemas,
  type SendError,
  type SendOptions,
  type SentEvent,
  type StandardSchema,
  type StartOptions,
  type StoredActor,
  type Taskwright,
  type Time,
  TimedOut,
  type Transition,
  Unanswered,
  UnknownActor,
  UnknownDeadLetter,
  UnknownMachine,
  type ViewOf,
  type WaitOptions,
  type WrittenBy,
} from "./engine/index.ts";
export { JournalError, JournalFenced, JournalOwned, type JournalReason } from "./journal/index.ts";
export {
  type Answer,
  type Delivered,
  delivered,
  type DeliverError,
  type DeliveryAttempt,
  DeliveryRefused,
  type Destination,
  type Entry,
  type EntryView,
  type HttpAnswer,
  httpDestination,
  type HttpOptions,
  type InboxOptions,
  type InPromises,
  inboxAddress,
  type Lookup,
  makeInboxesInPromises as makeInboxes,
  makeOutboxesInPromises as makeOutboxes,
  OutboxClosed,
  OutboxFull,
  type OutboxOptions,
  outboxAddress,
  outboxRef,
  refused,
  type ResolvedAddress,
  retry,
  unknownOutcome,
} from "./delivery/index.ts";
export {
  InvalidSchedule,
  makeSchedulesInPromises as makeSchedules,
  type NewSchedule,
  scheduleAddress,
  ScheduleExists,
  ScheduleFull,
  type ScheduleView,
  UnknownSchedule,
} from "./orchestration/index.ts";
export type { DueRun, ScheduleSpec, When } from "./domain/schedule.ts";
export { type Receipt as WorkerReceipt, receiptFor, receiptsIn } from "./domain/receipt.ts";
export { withContract, withoutContract } from "./domain/result-contract.ts";
export { workerOutcomeOf } from "./domain/worker-outcome.ts";
export type { Acknowledgement, Command, Cursor } from "./domain/inbox.ts";
export type { NewEntry, OutboxPolicy, Verdict } from "./domain/outbox.ts";
