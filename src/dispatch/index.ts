export { type CommandLine, type CommandResult, type Dispatcher, endedStates, type TaskSpec, type TaskState, type TaskView } from "./dispatcher.ts";
export { type DispatchMachines, type DispatchOptions, dispatchMachines, openDispatcher, taskView } from "./open.ts";
