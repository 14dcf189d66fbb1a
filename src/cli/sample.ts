import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { attemptsMax, endedStates, type TaskView } from "../dispatch/index.ts";
import { JournalError, type OwnerRow } from "../journal/index.ts";
import { durationText } from "./duration.ts";
import { refused } from "./refused.ts";
import { type RunSurroundings, run } from "./run.ts";
import { failsTwice, needsAnother, neverAnswers, type SampleTask, sampleTasks, sampleText } from "./sample-file.ts";
import { isWorkedWith } from "./standing.ts";
import { openReader, storedTasks } from "./stored-tasks.ts";

export interface SampleOptions {
  readonly folder: string;
  readonly slots: number;
  readonly json: boolean;
}

/**
 * `taskwright sample`: runs the sample file, or goes on with it where an earlier run was cut short, and checks that
 * every task ended as the sample says. Succeeds with the exit code: 0 if so (the task that is given up included).
 */
export const sample = ({ folder, slots, json }: SampleOptions, surroundings: RunSurroundings): Effect.Effect<number, unknown> =>
  Effect.gen(function* () {
    // What it has to say goes to standard error when standard output is for a program.
    const say = json ? surroundings.streams.error : surroundings.streams.out;
    const packageFolder = path.dirname(fileURLToPath(import.meta.resolve("effect/Effect")));
    const files = scriptsIn(packageFolder);
    const tasks = sampleTasks(process.execPath, packageFolder, files);
    const file = path.join(folder, "tasks.jsonl");
    const database = path.join(folder, "work.db");

    const earlier = yield* lookAt(database);
    if (isWorkedWith(earlier.owner, yield* Clock.currentTimeMillis))
      return yield* refused(`process ${earlier.owner?.pid} is running the sample in ${folder}; wait until it has ended, or end it with "kill -9 ${earlier.owner?.pid}" and start again`);
    const isOver = earlier.tasks.length === tasks.length && earlier.tasks.every(({ state }) => endedStates.has(state));
    const isSame = existsSync(file) && readFileSync(file, "utf8") === sampleText(tasks);
    const startsAfresh = isOver || !isSame;
    if (startsAfresh) {
      for (const suffix of ["", "-wal", "-shm"]) rmSync(`${database}${suffix}`, { force: true });
      mkdirSync(folder, { recursive: true });
      writeFileSync(file, sampleText(tasks));
    }
    say(introduction(file, files.length, !startsAfresh && earlier.tasks.length > 0));

    const code = yield* run({ file, database, slots, json }, surroundings);
    if (code > 1) {
      say(`\nIt was ended before its time. ${again} goes on where it stopped.\n`);
      return code;
    }
    const { tasks: ended } = yield* lookAt(database);
    const byId = new Map(ended.map((task) => [task.id, task]));
    const wrong = tasks.flatMap((task) => unexpected(task, byId.get(task.line.id)));
    if (wrong.length > 0) {
      say(`\nNot as the sample says:\n${wrong.map((line) => `  ${line}\n`).join("")}`);
      return 1;
    }
    say(conclusion(byId, files.length, database));
    return 0;
  });

/** All `.js` files below a folder, as relative paths with slashes, in a stable order. */
const scriptsIn = (folder: string): ReadonlyArray<string> =>
  (readdirSync(folder, { recursive: true }) as Array<string>)
    .filter((name) => name.endsWith(".js"))
    .map((name) => name.split(path.sep).join("/"))
    .sort();

interface Earlier {
  readonly tasks: ReadonlyArray<TaskView>;
  readonly owner: OwnerRow | undefined;
}

const lookAt = (database: string): Effect.Effect<Earlier, JournalError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const journal = yield* openReader(database);
      return { tasks: yield* storedTasks(journal), owner: yield* journal.owner };
    }),
  ).pipe(
    Effect.catchIf(
      (error) => error instanceof JournalError && error.reason === "missing",
      () => Effect.succeed<Earlier>({ tasks: [], owner: undefined }),
    ),
  );

const unexpected = ({ line, endsAs, attemptsMin }: SampleTask, task: TaskView | undefined): ReadonlyArray<string> => {
  if (task?.state === endsAs && task.attempts >= attemptsMin) return [];
  return [`${line.id} should end as ${endsAs}${attemptsMin > 1 ? ` after ${attemptsMin} attempts or more` : ""}; it is ${task === undefined ? "not there" : `${task.state} after ${task.attempts}`}`];
};

const again = process.env.npm_lifecycle_event === "start" ? "npm start" : "npx taskwright sample";

const introduction = (
  file: string,
  count: number,
  goesOn: boolean,
): string => `${goesOn ? "The last run was cut short; this one goes on with what it left." : "Each line of the task file is one command. Worker processes carry them out; each step is stored before the next one."}
  tasks    ${count} files of an installed package are syntax-checked, and three lines show retry, giving up, and needs
  file     ${file}
  process  ${process.pid} (try "kill -9 ${process.pid}" in another terminal, then ${again})

`;

const conclusion = (tasks: ReadonlyMap<string, TaskView>, count: number, database: string): string => {
  const [twice, never] = [tasks.get(failsTwice), tasks.get(neverAnswers)] as [TaskView, TaskView];
  const limit = durationText(never.spec.executionTimeoutMs);
  return `
What happened
  ${count} files were checked, each by a process of its own. What a task returned is stored and is not done again.
  ${failsTwice}: its command failed two times on purpose; after a pause it was tried again, and attempt ${twice.attempts} worked.
  ${neverAnswers}: its command never ends. Each attempt was stopped after ${limit}; after ${attemptsMax(never)} attempts it was given up (dead).
      This is how it should end, so this sample counts as a success. "taskwright run" would say so with exit code 1.
  ${needsAnother}: waited until ${failsTwice} was done.

What to try next
  ${again}, then kill -9 its process in the middle, then ${again} again: it goes on with what is left.
  npx taskwright ps --database ${database}
  npx taskwright show ${neverAnswers} --database ${database}
  npx taskwright history ${failsTwice} --database ${database}
  npx taskwright run tasks.jsonl      with a file of your own: {"id": "hello", "command": "echo hello"}
`;
};
