import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { attemptsMax, type TaskView } from "../dispatch/index.ts";
import { type ActorView, viewOfStored } from "../engine/index.ts";
import type { ActorRow, Journal, JournalError } from "../journal/index.ts";
import { findActor } from "./address.ts";
import { commandOf, commandResultOf, workText } from "./command-task.ts";
import { durationText } from "./duration.ts";
import type { Refused } from "./refused.ts";
import { ownerText, type Surrounding, standingText, timeText } from "./standing.ts";
import { allOf, openPlace, tasksOfRows } from "./stored-tasks.ts";
import type { Streams } from "./streams.ts";
import { lastLinesOf } from "./summary.ts";
import { fields } from "./table.ts";
import { reasonOf } from "./task-event.ts";

export interface ShowOptions {
  /** A task's id, or an address. */
  readonly id: string;
  readonly database: string;
  readonly json: boolean;
}

const outputLinesMax = 20;

/** `taskwright show ID`: one task, or any actor by its address. */
export const show = ({ id, database, json }: ShowOptions, streams: Streams): Effect.Effect<void, JournalError | Refused> =>
  Effect.scoped(
    Effect.gen(function* () {
      const journal = yield* openPlace(database);
      const row = yield* findActor(journal, id, database);
      const owner = yield* journal.owner;
      const now = yield* Clock.currentTimeMillis;
      const [task] = row.machine === "task" && !id.includes("/") ? yield* tasksOfRows(journal, [row]) : [];
      if (json) streams.out(`${JSON.stringify(task ?? (yield* actorOfRow(journal, row)), null, 2)}\n`);
      else if (task !== undefined) streams.out(taskText(task, { states: yield* statesOfNeeds(journal, task), owner, now }));
      else {
        const children = yield* allOf(journal, { parent: row.id });
        streams.out(actorText(yield* actorOfRow(journal, row), children, now));
      }
      if (!json && row.status === "active") streams.out(`\n${ownerText(owner, now)}\n`);
    }),
  );

const statesOfNeeds = (journal: Journal, { spec }: TaskView): Effect.Effect<ReadonlyMap<string, string>, JournalError> =>
  journal.actors(spec.needs.map((need) => `task/${need}`)).pipe(
    Effect.flatMap((rows) => tasksOfRows(journal, rows)),
    Effect.map((tasks) => new Map(tasks.map((task) => [task.id, task.state]))),
  );

const actorOfRow = (journal: Journal, row: ActorRow): Effect.Effect<ActorView, JournalError> =>
  Effect.map(journal.machines, (machines) => viewOfStored(row, machines.find(({ hash }) => hash === row.hash)?.version ?? ""));

export const taskText = (task: TaskView, surrounding: Surrounding): string => {
  const { spec } = task;
  const { needs } = spec;
  const result = commandResultOf(task);
  const command = commandOf(task);
  const standing = standingText(task, surrounding);
  const env = Object.entries(command?.env ?? {});
  const head = fields([
    ["task", task.id],
    ["state", standing === "" ? task.state : `${task.state}: ${standing}`],
    ["attempts", `${task.attempts} of ${attemptsMax(task)}`],
    ["until", task.until === undefined ? undefined : timeText(task.until)],
    ["failure", task.failure === undefined || standing.includes(reasonOf(task)) ? undefined : reasonOf(task)],
    ["result", result === undefined ? undefined : `${result.signal === null ? `exit code ${result.exitCode}` : `ended by ${result.signal}`} in ${durationText(result.durationMs)}`],
    [command === undefined ? "work" : "command", workText(task)],
    ["folder", command?.cwd],
    ["environment", env.length === 0 ? undefined : env.map(([name, value]) => `${name}=${value}`).join("\n")],
    ["time limit", durationText(spec.executionTimeoutMs)],
    ["priority", task.priority === 0 ? undefined : String(task.priority)],
    ["needs", needs.length === 0 ? undefined : needs.map((need) => `${need} (${surrounding.states.get(need) ?? "unknown"})`).join("\n")],
    ["created", timeText(task.createdAt)],
    ["changed", timeText(task.at)],
  ]);
  return `${head}${outputText("standard output", result?.stdout)}${outputText("standard error", result?.stderr)}`;
};

const outputText = (title: string, output: string | undefined): string => {
  const lines = lastLinesOf(output ?? "", outputLinesMax);
  return lines.length === 0 ? "" : `\n${title}, its last lines:\n${lines.map((line) => `  | ${line}\n`).join("")}`;
};

export const actorText = (actor: ActorView, children: ReadonlyArray<ActorRow>, now: number): string => {
  const timers = Object.entries(actor.timers ?? {}).map(
    ([id, { due, held }]) => `${id}: ${timeText(due)}${held === true ? " (its event is a dead letter)" : due > now ? ` (in ${durationText(due - now)})` : " (due)"}`,
  );
  return fields([
    ["address", actor.address],
    ["machine", `${actor.machine} ${actor.version}`.trim()],
    ["status", actor.status],
    ["state", typeof actor.value === "string" ? actor.value : JSON.stringify(actor.value)],
    ["waits for", timers.length === 0 ? undefined : timers.join("\n")],
    ["children", children.length === 0 ? undefined : children.map(({ address, status }) => `${address} (${status})`).join("\n")],
    ["error", actor.error === undefined ? undefined : `${actor.error.name}: ${actor.error.message}`],
    ["output", actor.output === undefined ? undefined : JSON.stringify(actor.output, null, 2)],
    ["context", JSON.stringify(actor.context, null, 2)],
    ["events", String(actor.seq)],
    ["created", timeText(actor.createdAt)],
    ["changed", timeText(actor.at)],
  ]);
};
