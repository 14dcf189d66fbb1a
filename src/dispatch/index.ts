export { type CommandLine, type CommandResult, type Dispatcher, endedStates, type TaskSpec, type TaskState, type TaskView } from "./dispatcher.ts";
export { type DispatchMachines, type DispatchOptions, dispatchMachines, openDispatcher } from "./open.ts";
export { isTaskContext, taskView } from "./task-view.ts";
