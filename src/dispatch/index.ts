export { type CommandLine, type CommandResult, type Dispatcher, endedStates, type TaskSpec, type TaskState, type TaskView } from "./dispatcher.ts";
/** What tasks, workers and transports come to look like; the names above take these shapes as they are built. */
export type * as Contract from "./contract.ts";
export { type DispatchMachines, type DispatchOptions, dispatchMachines, openDispatcher } from "./open.ts";
export { isTaskContext, taskView } from "./task-view.ts";
