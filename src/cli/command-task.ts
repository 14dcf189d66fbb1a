import type { CommandInput, CommandLine, CommandResult, TaskSpec, TaskView } from "../dispatch/index.ts";

/** A task as a task file makes it. */
export type FileSpec = TaskSpec & { readonly id: string };

/** What a task of the kind "command" was given; nothing of another kind. */
export const commandOf = ({ spec }: { readonly spec: { readonly kind?: string; readonly input?: unknown } }): CommandInput | undefined =>
  (spec.kind ?? "command") === "command" && typeof spec.input === "object" && spec.input !== null ? (spec.input as CommandInput) : undefined;

/** What its command left; nothing of another kind, or before its end. */
export const commandResultOf = (task: TaskView): CommandResult | undefined => {
  const result = task.result as Partial<CommandResult> | null | undefined;
  return commandOf(task) !== undefined && typeof result === "object" && result !== null && "exitCode" in result ? (result as CommandResult) : undefined;
};

/** A command as one would type it. */
export const commandText = (command: CommandLine): string => ("shell" in command ? command.shell : command.argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word))).join(" "));

/** What a task is about, in a line. */
export const workText = (task: TaskView): string => {
  const command = commandOf(task);
  return command === undefined ? `${task.spec.kind} ${JSON.stringify(task.spec.input)}` : commandText(command.command);
};
