/*
 * The machines that come with the engine. An ordinary import of XState machines: read them, draw them, test them.
 * To run tasks use `dispatchMachines` of the package's main door, which binds them to worker processes.
 */
export { type ActivityContext, type ActivityInput, type ActivityOutput, activity } from "./activity.ts";
export { type AssignmentContext, type AssignmentEvent, type AssignmentInput, assignment } from "./assignment.ts";
export { bulletin, type BulletinContext, type BulletinEvent, type BulletinInput } from "./bulletin.ts";
export { type ClarificationContext, type ClarificationEvent, type ClarificationInput, type ClarificationOutput, clarification } from "./clarification.ts";
export { deadLetters, type DeadLettersContext, type DeadLettersEvent, type TakenLetterNote } from "./dead-letters.ts";
export { type EndpointContext, type EndpointEvent, type EndpointInput, endpoint } from "./endpoint.ts";
export { type EngineContext, type EngineEvent, engine } from "./engine.ts";
export { type ExchangeContext, type ExchangeEvent, type ExchangeInput, exchange } from "./exchange.ts";
export { type InboxContext, type InboxEvent, type InboxInput, inbox } from "./inbox.ts";
export { type LinkContext, type LinkEvent, type LinkInput, link } from "./link.ts";
export { type LiveContext, type LiveEvent, type LiveInput, type LiveOutput, live } from "./live.ts";
export { type MessageContext, type MessageEvent, type MessageInput, message } from "./message.ts";
export { type ObligationsContext, type ObligationsEvent, type ObligationsInput, obligations, type Reading } from "./obligations.ts";
export { orchestrator, type OrchestratorContext, type OrchestratorEvent, type OrchestratorInput } from "./orchestrator.ts";
export { type OutboxContext, type OutboxEvent, type OutboxInput, outbox } from "./outbox.ts";
export { type PresenceContext, type PresenceEvent, type PresenceInput, presence } from "./presence.ts";
export { type QueueContext, type QueueEvent, type QueuePolicy, queue } from "./queue.ts";
export { requester, type RequesterContext, type RequesterEvent } from "./requester.ts";
export { type RedeliveryEvent, redelivery } from "./redelivery.ts";
export { schedule, type ScheduleContext, type ScheduleEvent, type ScheduleInput } from "./schedule.ts";
export { type SpawnContext, type SpawnEvent, type SpawnInput, spawn } from "./spawn.ts";
export { poll, type PollEvent, type PollInput } from "./poll.ts";
export { shutdown, type ShutdownContext, type ShutdownEvent, type ShutdownInput } from "./shutdown.ts";
export { type SubscriptionEvent, type SubscriptionInput, subscription } from "./subscription.ts";
export { type SupervisorContext, type SupervisorEvent, type SupervisorInput, supervisor } from "./supervisor.ts";
export { type TaskContext, type TaskEvent, type TaskInput, task } from "./task.ts";
export { type TrayContext, type TrayEvent, type TrayInput, tray } from "./tray.ts";
export { type WorkerContext, type WorkerEvent, type WorkerInput, worker } from "./worker.ts";
