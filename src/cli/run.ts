import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Schedule from "effect/Schedule";
import type * as Scope from "effect/Scope";
import { readFile } from "node:fs/promises";
import * as path from "node:path";
import { type Dispatcher, endedStates, type Kinds, type TaskPage, type TaskView } from "../dispatch/index.ts";
import { JournalError } from "../journal/index.ts";
import { noAnswers, readAnswers } from "./answers-file.ts";
import { conflictsOf } from "./conflict.ts";
import { exitCodeOfSignal, type Interrupts, makeInterrupts, type SignalSource, type StopSignal } from "./interrupts.ts";
import { moduleOf } from "./machine-files.ts";
import { Progress } from "./progress.ts";
import { makeQuestions, type Questions } from "./questions.ts";
import { Refused, refused, refusedLines } from "./refused.ts";
import { type Reporter, reporterFor } from "./reporter.ts";
import { noResults, openResults, type Results } from "./results-file.ts";
import { openReader, storedTasks } from "./stored-tasks.ts";
import type { Streams } from "./streams.ts";
import { exitCodeOf, summaryOf } from "./summary.ts";
import { parseTaskFile, type TaskFile } from "./task-file.ts";
import type { Health, OpenWork, Work } from "./work.ts";

export interface RunOptions {
  /** The task file; "-" is standard input. */
  readonly file: string;
  readonly database: string;
  readonly slots: number;
  readonly json: boolean;
  /** A module that exports `kinds`: what lines with a "kind" say. */
  readonly kinds?: string | undefined;
  /** Where the answers to questions stand. */
  readonly answers?: string | undefined;
  /** Where the result of each task is written. */
  readonly results?: string | undefined;
}

export interface RunSurroundings {
  readonly streams: Streams;
  readonly signals: SignalSource;
  readonly openWork: OpenWork;
}

/** How often the progress is drawn and the engine's health looked at. */
const tickEvery = "100 millis";

/**
 * `taskwright run`: checks the whole file, then carries its tasks out. Succeeds with the exit code: 0 when all are
 * done, 1 when some are dead or cancelled, 130 or 143 when a signal ended it before. Fails, having run nothing, when
 * the file or the journal can't be used.
 */
export const run = (options: RunOptions, surroundings: RunSurroundings): Effect.Effect<number, unknown> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { streams } = surroundings;
      const reporter = reporterFor(streams, options.json);
      const file = yield* readTaskFile(options.file, streams);
      const kinds = options.kinds === undefined ? undefined : yield* kindsOf(options.kinds);
      const answers = options.answers === undefined ? noAnswers : yield* readAnswers(options.answers);
      const stored = yield* storedBefore(options.database);
      const ids = file.tasks.map(({ id }) => id);
      const endedBefore = yield* compare(options.file, file, stored, reporter);

      const interrupts = yield* makeInterrupts(surroundings.signals);
      const results = options.results === undefined ? noResults : yield* openResults(options.results);
      const startedAt = yield* Clock.currentTimeMillis;
      const elapsed = Effect.map(Clock.currentTimeMillis, (now) => now - startedAt);
      const work = yield* Effect.acquireRelease(
        attempt(() => surroundings.openWork({ database: options.database, slots: options.slots, kinds })),
        ({ close }) => Effect.promise(close),
      );
      const { dispatcher } = work;
      const inFile = new Set(ids);
      const others = [...stored.values()].filter(({ id, state }) => !inFile.has(id) && !endedStates.has(state)).length;
      reporter.begin({ total: ids.length, endedBefore, others, database: options.database, slots: options.slots });

      const questions = yield* makeQuestions(dispatcher, answers, reporter, streams);
      const progress = yield* follow(dispatcher, ids, reporter, [questions, results]);
      const hear = (task: TaskView) => {
        progress.update(task);
        for (const listener of [questions, results]) listener.hear(task);
      };
      const tick = Effect.map(elapsed, (ms) => reporter.tick(progress.tally, ms));
      yield* Effect.forkScoped(Effect.repeat(tick, Schedule.spaced(tickEvery)));
      const submitted = yield* attempt(() => dispatcher.submit(file.tasks));
      const wanted = [...new Set(submitted.map(({ id }) => id))];
      for (const [index, { id }] of submitted.entries()) {
        const own = ids[index] as string;
        if (own === id) continue;
        reporter.notice(`${own} is not run: the work of its key is under way as ${id}`);
        progress.suppress(own, id);
      }
      if (wanted.some((id) => !inFile.has(id))) for (const task of yield* attempt(() => tasksOf(dispatcher, wanted))) hear(task);

      const outcome = yield* attempt(() => dispatcher.whenEnded(wanted)).pipe(
        Effect.raceFirst(drained(work, interrupts, progress, reporter)),
        Effect.raceFirst(stopped(work, interrupts, reporter)),
        Effect.raceFirst(failing(work, reporter)),
      );
      if (typeof outcome !== "string") yield* finishOthers(work, interrupts, others - wanted.filter((id) => !inFile.has(id)).length, reporter);
      const last = yield* attempt(() => tasksOf(dispatcher, wanted));
      progress.recall(last);
      for (const task of last) results.hear(task);
      reporter.end(summaryOf(progress.tasks, progress.tally, endedBefore, yield* elapsed));
      return exitCodeOf(progress.tally) ?? (typeof outcome === "string" ? exitCodeOfSignal(outcome) : 1);
    }),
  ).pipe(
    Effect.tapError((error) => {
      const { problems } = error instanceof Refused ? error : {};
      return options.json && problems !== undefined ? Effect.sync(() => surroundings.streams.out(`${JSON.stringify({ event: "refused", problems })}\n`)) : Effect.void;
    }),
  );

/** A promise of the engine or the dispatcher, with the typed error that it rejects with. */
const attempt = <A>(call: () => Promise<A>): Effect.Effect<A, unknown> => Effect.tryPromise({ try: call, catch: (error) => error });

/** How the tasks of the file stand; those that are not stored yet are absent. */
const tasksOf = async (dispatcher: Dispatcher, ids: ReadonlyArray<string>): Promise<ReadonlyArray<TaskView>> => {
  const wanted = new Set(ids);
  const tasks: Array<TaskView> = [];
  for (let cursor: string | undefined = "0"; cursor !== undefined; ) {
    const page: TaskPage = await dispatcher.list({ cursor, limit: 1_000 });
    tasks.push(...page.tasks.filter(({ id }) => wanted.has(id)));
    cursor = page.cursor;
  }
  return tasks;
};

const readTaskFile = (file: string, streams: Streams): Effect.Effect<TaskFile, Refused> =>
  Effect.gen(function* () {
    const text = yield* Effect.tryPromise({
      try: () => (file === "-" ? streams.input() : readFile(file, "utf8")),
      catch: (error) => {
        const { code, message } = error as NodeJS.ErrnoException;
        return refused(`${file}: ${code === "ENOENT" ? "there is no such file" : code === "EISDIR" ? "this is a folder; give a file with one task per line" : message}`);
      },
    });
    const parsed = parseTaskFile(text, file === "-" ? process.cwd() : path.dirname(path.resolve(file)));
    return parsed.problems.length > 0 ? yield* refusedLines(nameOf(file), parsed.problems) : parsed;
  });

const kindsOf = (file: string): Effect.Effect<Kinds, Refused> =>
  Effect.gen(function* () {
    const { kinds } = yield* Effect.tryPromise({ try: () => moduleOf(file) as Promise<{ readonly kinds?: Kinds }>, catch: (error) => refused(`${file} can't be loaded: ${(error as Error).message}`) });
    return kinds ?? (yield* refused(`${file} exports no "kinds"; write "export const kinds = { letter: { run: ... } };"`));
  });

const nameOf = (file: string) => (file === "-" ? "standard input" : file);

/** What the journal holds already; nothing where there is none yet. Reads beside an owner, so that a bad file is told before an occupied journal. */
const storedBefore = (database: string): Effect.Effect<ReadonlyMap<string, TaskView>, JournalError> =>
  Effect.scoped(Effect.flatMap(openReader(database), storedTasks)).pipe(
    Effect.catchIf(
      (error) => error instanceof JournalError && error.reason === "missing",
      () => Effect.succeed<ReadonlyArray<TaskView>>([]),
    ),
    Effect.map((tasks) => new Map(tasks.map((task) => [task.id, task]))),
  );

/** Refuses ids that the journal knows for other work. Returns how many tasks of the file have ended already. */
const compare = (file: string, { tasks, lineOf }: TaskFile, stored: ReadonlyMap<string, TaskView>, reporter: Reporter): Effect.Effect<number, Refused> =>
  Effect.gen(function* () {
    const { problems, notes } = conflictsOf(tasks, lineOf, stored);
    if (problems.length > 0) return yield* refusedLines(nameOf(file), problems);
    for (const { line, message } of notes) reporter.notice(`${nameOf(file)}:${line}: ${message}`);
    return tasks.filter(({ id }) => endedStates.has(stored.get(id)?.state ?? "waiting")).length;
  });

/** Tells of each change from now on. */
const follow = (dispatcher: Dispatcher, ids: ReadonlyArray<string>, reporter: Reporter, listeners: ReadonlyArray<Questions | Results>): Effect.Effect<Progress, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const progress = new Progress(ids);
    const before = yield* attempt(() => tasksOf(dispatcher, ids));
    progress.recall(before);
    for (const task of before) for (const { hear } of listeners) hear(task);
    const observe = Effect.sync(() =>
      dispatcher.observe((task) => {
        const event = progress.update(task);
        if (event !== undefined) reporter.event(event);
        if (progress.has(task.id)) for (const { hear } of listeners) hear(task);
      }),
    );
    yield* Effect.acquireRelease(observe, (stop) => Effect.sync(stop));
    return progress;
  });

/** After a signal: nothing new is given out, what runs may end. */
const drained = (work: Work, interrupts: Interrupts, progress: Progress, reporter: Reporter): Effect.Effect<StopSignal, unknown> =>
  Effect.gen(function* () {
    const signal = yield* interrupts.first;
    const { running } = progress.tally;
    const commands = running === 1 ? "1 running command" : `${running} running commands`;
    reporter.notice(`${signal}: nothing new is started, waiting for ${commands} to end; once more to stop at once`);
    yield* attempt(() => work.dispatcher.drain());
    return signal;
  });

/** After the second signal: what runs is ended, and run again when the file is run again. */
const stopped = (work: Work, interrupts: Interrupts, reporter: Reporter): Effect.Effect<StopSignal, unknown> =>
  Effect.gen(function* () {
    const signal = yield* interrupts.second;
    reporter.notice(`${signal}: stopping at once; run the same file again to go on`);
    yield* attempt(() => work.dispatcher.stop());
    return signal;
  });

/** Tells when the journal refuses for a while; fails when the engine has stopped, because then nothing will end any more. */
const failing = (work: Work, reporter: Reporter): Effect.Effect<never, unknown> => {
  let last: Health["state"] = "well";
  const look = Effect.suspend((): Effect.Effect<void, unknown> => {
    const { state, cause } = work.health();
    const reason = cause?.message ?? "no reason was recorded";
    if (state === "stopped") return Effect.fail(refused(`the engine stopped: ${reason}`, "what had ended is stored; run the same file again to go on"));
    if (state !== last) reporter.notice(state === "degraded" ? `the journal refuses at the moment, trying again: ${reason}` : "the journal works again");
    last = state;
    return Effect.void;
  });
  return Effect.zipRight(Effect.repeat(look, Schedule.spaced(tickEvery)), Effect.never);
};

/** All tasks of the file have ended; commands of other runs in the same journal may still be under way. */
const finishOthers = (work: Work, interrupts: Interrupts, others: number, reporter: Reporter): Effect.Effect<void, unknown> => {
  if (others === 0) return Effect.void;
  reporter.notice("the tasks of this file have ended; waiting for the commands of other runs that are under way");
  return Effect.asVoid(
    Effect.raceFirst(
      attempt(() => work.dispatcher.drain()),
      interrupts.first,
    ),
  );
};
