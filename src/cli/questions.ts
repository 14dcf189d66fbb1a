import * as Effect from "effect/Effect";
import * as Queue from "effect/Queue";
import type * as Scope from "effect/Scope";
import type { Dispatcher, TaskView } from "../dispatch/index.ts";
import type { Answers } from "./answers-file.ts";
import { durationText } from "./duration.ts";
import type { Reporter } from "./reporter.ts";
import type { Streams } from "./streams.ts";
import { printable } from "./summary.ts";
import { userName } from "./user.ts";

export interface Questions {
  /** Takes a task as it is now: one that asks is answered, each question once. */
  readonly hear: (task: TaskView) => void;
}

/** Answers the questions of parked tasks, one at a time: from the file of answers, else by whoever sits at the terminal. */
export const makeQuestions = (dispatcher: Dispatcher, answers: Answers, reporter: Reporter, { ask }: Streams): Effect.Effect<Questions, never, Scope.Scope> =>
  Effect.gen(function* () {
    const asked = yield* Queue.unbounded<TaskView>();
    const heard = new Set<string>();
    const atTerminal = (asks: (signal: AbortSignal) => Promise<string | undefined>) =>
      Effect.ensuring(
        Effect.suspend(() => {
          reporter.asking(true);
          return Effect.promise(asks);
        }),
        Effect.sync(() => reporter.asking(false)),
      );
    const answerOne = (task: TaskView): Effect.Effect<void> =>
      Effect.gen(function* () {
        const { id, question } = task;
        if (question === undefined) return;
        const given = answers.take(id);
        const written = given === undefined && ask !== undefined ? yield* atTerminal((signal) => ask(promptOf(task), signal)) : undefined;
        const answer = given === undefined ? written : given.answer;
        if (answer === undefined) return reporter.notice(`nobody answers ${id} here${patienceOf(task)}; give --answers, or run it on a terminal`);
        const report = yield* Effect.promise(() => reply(dispatcher, task, answer, given === undefined ? "answered at the terminal" : `answered in ${answers.file}`));
        for (const { detail } of report.refused) reporter.notice(`the answer to ${id} was refused: ${detail}`);
      });
    yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(asked), answerOne)));
    return {
      hear: (task) => {
        if (task.state !== "parked" || task.question === undefined) return;
        const name = `${task.id} ${task.question.id}`;
        if (heard.has(name)) return;
        heard.add(name);
        Queue.unsafeOffer(asked, task);
      },
    };
  });

/** A verification takes "yes"; everything else is the reason why not. */
const reply = (dispatcher: Dispatcher, { id, question }: TaskView, answer: unknown, why: string) => {
  const by = userName();
  if (question?.about !== "verification") return dispatcher.answer(id, answer, { by, why, question: question?.id as string });
  return answer === true || answer === "yes" ? dispatcher.verify(id, { by, why }) : dispatcher.reject(id, { by, why: String(answer) });
};

const patienceOf = ({ until, at }: TaskView) => (until === undefined ? "" : `, it is given up in ${durationText(Math.max(0, until - at))}`);

const promptOf = ({ id, question }: TaskView): string => {
  const { text = "", data, about } = question ?? {};
  const more = data === undefined ? "" : ` ${JSON.stringify(data)}`;
  return `${id} asks: ${printable(text)}${printable(more)}${about === "verification" ? " (yes: it is good; else say why not)" : ""}\n> `;
};
