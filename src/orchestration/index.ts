export { taskKeyOf, type Work } from "./task-key.ts";
export { InvalidSchedule, ScheduleExists, ScheduleFull, UnknownSchedule } from "./errors.ts";
export { makeSchedules, type NewSchedule, scheduleAddress, type ScheduleError, type Schedules, type ScheduleView, type TaskDesk } from "./schedules.ts";
export { makeOrchestration as makeOrchestrationInPromises, makeSchedules as makeSchedulesInPromises, type OrchestrationInPromises, type SchedulesInPromises } from "./promises.ts";
export { type AgentEnd, agentFunction, type AgentNews, type AgentRequest, type AgentRuntime, AgentWorkSchema, type Spawned } from "./agent.ts";
export { AlreadyBound, NotBound, OrchestratorFull, OrchestratorRetired, UnknownOrchestrator } from "./errors.ts";
export {
  type AgentWork,
  makeOrchestration,
  type NewWork,
  type Orchestration,
  type OrchestrationError,
  type OrchestrationOptions,
  orchestratorAddress,
  type OrchestratorView,
  type Ordered,
  type Outgoing,
  requesterAddress,
  type Party,
} from "./orchestration.ts";
export type { SupervisionDesk } from "./supervision.ts";
