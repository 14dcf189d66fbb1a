import * as Args from "@effect/cli/Args";
import * as Command from "@effect/cli/Command";
import * as Options from "@effect/cli/Options";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { availableParallelism } from "node:os";
import { taskStates } from "../domain/task.ts";
import type { SignalSource } from "./interrupts.ts";
import { database, duration, json, machines, machinesGiven, paths, words } from "./options.ts";
import { orderCommands } from "./order-commands.ts";
import { place, placeGiven, server } from "./place.ts";
import { outboxCommand } from "./outbox-command.ts";
import type { Streams } from "./streams.ts";
import { operatingCommands } from "./operating-commands.ts";

/** What the commands reach the world through, and where they leave the exit code of the process. */
export interface Surroundings {
  readonly streams: Streams;
  readonly signals: SignalSource;
  readonly exit: (code: number) => void;
}

const slotsMax = 1_000;

const slots = Options.integer("slots").pipe(
  Options.withAlias("s"),
  Options.withDescription("Commands that run at the same time. Default: the number of processors."),
  Options.filterMap((count) => (count >= 1 && count <= slotsMax ? Option.some(count) : Option.none()), `--slots must be a whole number from 1 to ${slotsMax}`),
  Options.withDefault(availableParallelism()),
);
// Optional: it may stand before the second word or after it, and must count in both places.
const letterDatabase = placeGiven;
const letterIds = Args.integer({ name: "ID" }).pipe(Args.withDescription("The number of a dead letter, as the list shows it."), Args.repeated);
const all = Options.boolean("all").pipe(Options.withDescription("All that the other options leave, instead of single ones."));
const taker = {
  by: Options.text("by").pipe(Options.withDescription("Who takes them; the history of dead-letters/taken keeps it. Default: the user of this process."), Options.optional),
  why: Options.text("why").pipe(Options.withDescription("The reason; it is kept as well."), Options.optional),
};
const choice = {
  address: Options.text("address").pipe(Options.withDescription("Only those of this actor."), Options.optional),
  machine: Options.text("machine").pipe(Options.withDescription("Only those of actors of this machine, and of actors below them."), Options.optional),
  type: Options.text("type").pipe(Options.withDescription("Only events of this type."), Options.optional),
  kind: Options.choice("kind", ["event", "action"]).pipe(Options.withDescription("Only events that could not be handled, or only custom actions that failed."), Options.optional),
  since: Options.date("since").pipe(Options.withDescription("Only those of this moment or later."), Options.optional),
  before: Options.date("before").pipe(Options.withDescription("Only those before this moment."), Options.optional),
};
const who = Args.text({ name: "ID" }).pipe(Args.withDescription('The id of a task, or the address of an actor ("task/a/assignment").'));

const whichMachine = Args.text({ name: "MACHINE" }).pipe(
  Args.withDescription('A module that exports a machine, "machines.ts#order" where it exports several, or the name of a machine that comes with the package.'),
);
const pictureFormat = Options.choice("format", ["mermaid", "scxml", "stately", "json"]).pipe(
  Options.withDescription("A diagram, the standard, the config that Stately's tools read, or the graph as data."),
  Options.withDefault("mermaid" as const),
);
const takenBy = Options.text("taken").pipe(Options.withDescription("A task's id or an actor's address: shows the edges that it took."), Options.optional);

const askedEvent = Options.text("event").pipe(Options.withDescription("One event, as JSON: whether the actor takes it, and which guard refuses it."), Options.optional);
const grace = duration("grace", "How late something may be.").pipe(Options.withDefault(5_000));

const historyFile = Args.text({ name: "FILE" }).pipe(Args.withDescription("A history file that export wrote. Absent: the journal."), Args.optional);

const kinds = Options.text("kinds").pipe(Options.withDescription('A module that exports `kinds`: what lines with "kind" and "input" say.'), Options.optional);
const answers = Options.text("answers").pipe(Options.withDescription('A file with {"id", "answer"} on each line, for questions of tasks. Default: they are asked on the terminal.'), Options.optional);
const results = Options.text("results").pipe(Options.withDescription("A file that gets a line of JSON for each task that has ended."), Options.optional);

const fileFormat =
  'A task per line: {"id", "command": ["program", "argument"] or "a line for the shell", "cwd", "env", "retries", "timeout", "needs": ["id"], "priority", "key", "budget" and more}; only id and command are needed. Relative folders begin at the folder of the file. "-" reads standard input.';

/** The `taskwright` command. Each part loads what it needs when it is called. */
export const taskwright = ({ streams, signals, exit }: Surroundings) => {
  const run = Command.make("run", { file: Args.text({ name: "FILE" }).pipe(Args.withDescription(fileFormat)), database, slots, kinds, answers, results, json }, (options) =>
    Effect.gen(function* () {
      const [{ run }, { openWork }] = yield* Effect.promise(() => Promise.all([import("./run.ts"), import("./work.ts")]));
      const files = { kinds: Option.getOrUndefined(options.kinds), answers: Option.getOrUndefined(options.answers), results: Option.getOrUndefined(options.results) };
      exit(yield* run({ ...options, ...files }, { streams, signals, openWork }));
    }),
  ).pipe(
    Command.withDescription(
      "Carries out the tasks of a file. Run the same file again to go on with what is left. Exit code: 0 all done, 1 some failed, 2 nothing was run, 130 or 143 ended by a signal.",
    ),
  );
  const ps = Command.make("ps", { database: place, state: Options.choice("state", taskStates).pipe(Options.withDescription("Only tasks in this state."), Options.optional), json }, (options) =>
    Effect.gen(function* () {
      const { ps } = yield* Effect.promise(() => import("./ps.ts"));
      yield* ps({ ...options, state: Option.getOrUndefined(options.state) }, streams);
    }),
  ).pipe(Command.withDescription("Lists the tasks of a journal, also while it is being worked with."));
  const show = Command.make("show", { id: who, database: place, json }, (options) =>
    Effect.gen(function* () {
      const { show } = yield* Effect.promise(() => import("./show.ts"));
      yield* show(options, streams);
    }),
  ).pipe(Command.withDescription("Shows one task: its state, what it waits for, its result and output."));
  const history = Command.make("history", { id: who, database: place, json }, (options) =>
    Effect.gen(function* () {
      const { history } = yield* Effect.promise(() => import("./history.ts"));
      yield* history(options, streams);
    }),
  ).pipe(Command.withDescription("Lists every event that a task or another actor was told, and what became of it."));
  const replay = Command.make(
    "replay",
    {
      id: who.pipe(Args.optional),
      all: Options.boolean("all").pipe(Options.withDescription("All actors of the journal; only says where one differs.")),
      to: Options.integer("to").pipe(Options.withDescription("Up to this entry, whose state is shown. Default: to the end."), Options.optional),
      verify: Options.boolean("verify").pipe(Options.withDescription("Only say whether it leads to what is stored.")),
      machines,
      database,
      json,
    },
    ({ id, to, ...options }) =>
      Effect.gen(function* () {
        const { replayCommand } = yield* Effect.promise(() => import("./replay.ts"));
        exit(yield* replayCommand({ ...options, id: Option.getOrUndefined(id), to: Option.getOrUndefined(to) }, streams));
      }),
  ).pipe(
    Command.withDescription("Steps the history of an actor again, and compares the state after each entry with what is stored. Exit code: 0 all the same, 1 something differs, 2 it can't be done."),
  );
  const compare = Command.make(
    "compare",
    {
      file: historyFile,
      machines: machinesGiven,
      against: paths("against", "Modules, or folders of modules, that export the machines that wrote the histories. Default: they are made from their stored charts and the changed functions.").pipe(
        Options.withDefault<ReadonlyArray<string>>([]),
      ),
      database,
      json,
    },
    ({ file, ...options }) =>
      Effect.gen(function* () {
        const { compareCommand } = yield* Effect.promise(() => import("./compare.ts"));
        exit(yield* compareCommand({ ...options, file: Option.getOrUndefined(file) }, streams));
      }),
  ).pipe(Command.withDescription("Says what a changed machine would have made of the stored histories, grouped by cause. Exit code: 0 the same, 1 something else, 2 it can't be done."));
  const move = Command.make(
    "move",
    {
      machine: Args.text({ name: "MACHINE" }).pipe(Args.withDescription("The id of the machine whose running actors move.")),
      machines: machinesGiven,
      rehearse: Options.boolean("rehearse").pipe(Options.withDescription("Do it on a copy, replay what was moved, and go the way back.")),
      apply: Options.boolean("apply").pipe(Options.withDescription("Do it, a batch at a time.")),
      back: Options.boolean("back").pipe(Options.withDescription("Put back what was moved and has not gone on since.")),
      keep: Options.text("keep").pipe(Options.withDescription("The file of the way back: written by --apply, read by --back."), Options.withDefault("moved.jsonl")),
      database,
      json,
    },
    (options) =>
      Effect.gen(function* () {
        const { moveCommand } = yield* Effect.promise(() => import("./move.ts"));
        exit(yield* moveCommand(options, streams));
      }),
  ).pipe(
    Command.withDescription(
      "Says what would become of running actors that move to another version of their machine; rehearses it, does it, undoes it. Exit code: 0 well, 1 not all move, 2 it can't be done.",
    ),
  );
  const exportFile = Command.make(
    "export",
    {
      ids: words("ID", "The ids of tasks, or addresses of actors."),
      all: Options.boolean("all").pipe(Options.withDescription("All actors of the journal.")),
      machine: Options.text("machine").pipe(Options.withDescription("All actors of this machine."), Options.optional),
      redact: Options.text("redact").pipe(Options.withDescription("What must not be in it, by path: event.card.number,state.context.customer.*"), Options.optional),
      machines,
      out: Options.text("out").pipe(Options.withAlias("o"), Options.withDescription("The file to write. Default: standard output."), Options.optional),
      database,
    },
    ({ machine, out, redact, ...options }) =>
      Effect.gen(function* () {
        const { exportCommand } = yield* Effect.promise(() => import("./history-files.ts"));
        yield* exportCommand(
          {
            ...options,
            redact: Option.match(redact, { onNone: () => [], onSome: (paths) => paths.split(",") }),
            machine: Option.getOrUndefined(machine),
            out: Option.getOrUndefined(out),
          },
          streams,
        );
      }),
  ).pipe(Command.withDescription("Writes histories as JSON lines: for a test, a bug report, another journal."));
  const importFile = Command.make("import", { file: Args.text({ name: "FILE" }).pipe(Args.withDescription('What export wrote. "-" reads standard input.')), database }, (options) =>
    Effect.gen(function* () {
      const { importCommand } = yield* Effect.promise(() => import("./history-files.ts"));
      yield* importCommand(options, streams);
    }),
  ).pipe(Command.withDescription("Puts the actors of a history file into a journal that has none at their addresses. An engine on it goes on with those that have not ended."));
  const folder = Options.text("folder").pipe(Options.withDescription("Where its task file and journal are kept."), Options.withDefault(".work/sample"));
  const sample = Command.make("sample", { folder, slots, json }, (options) =>
    Effect.gen(function* () {
      const [{ sample }, { openWork }] = yield* Effect.promise(() => Promise.all([import("./sample.ts"), import("./work.ts")]));
      exit(yield* sample(options, { streams, signals, openWork }));
    }),
  ).pipe(Command.withDescription("Runs a sample: some hundred syntax checks, a task that is tried again, one that is given up, one that needs another."));
  const letters = Command.make("dead-letters", { ...choice, database: letterDatabase, json }, (options) =>
    Effect.gen(function* () {
      const { deadLetters, whole } = yield* Effect.promise(() => import("./dead-letters.ts"));
      yield* deadLetters(whole(options), streams);
    }),
  );
  const showLetter = Command.make("show", { id: Args.integer({ name: "ID" }), database: letterDatabase, json }, ({ id, ...options }) =>
    Effect.gen(function* () {
      const { showDeadLetter, whole } = yield* Effect.promise(() => import("./dead-letters.ts"));
      yield* showDeadLetter(id, whole(options, yield* letters), streams);
    }),
  ).pipe(Command.withDescription("Shows one dead letter: the event, where it came from, why it failed."));
  const takeLetters = (verb: "requeue" | "drop", meaning: string) =>
    Command.make(verb, { ids: letterIds, all, ...choice, ...taker, database: letterDatabase, json }, ({ ids, all, by, why, ...options }) =>
      Effect.gen(function* () {
        const [{ takeDeadLetters }, { whole }] = yield* Effect.promise(() => Promise.all([import("./take-letters.ts"), import("./dead-letters.ts")]));
        yield* takeDeadLetters(verb, { ids, all, by: Option.getOrUndefined(by), why: Option.getOrUndefined(why), ...whole(options, yield* letters) }, streams);
      }),
    ).pipe(Command.withDescription(meaning));
  const deadLetters = letters.pipe(
    Command.withDescription("Lists what could not be handled, also while the journal is being worked with."),
    Command.withSubcommands([
      showLetter,
      takeLetters("requeue", "Gives dead letters to the next engine on this journal, which delivers them again."),
      takeLetters("drop", "Removes dead letters for good."),
    ]),
  );
  const graph = Command.make("graph", { machine: whichMachine, format: pictureFormat, taken: takenBy, database }, (options) =>
    Effect.gen(function* () {
      const { graph } = yield* Effect.promise(() => import("./graph.ts"));
      yield* graph({ ...options, taken: Option.getOrUndefined(options.taken) }, streams);
    }),
  ).pipe(Command.withDescription("Draws a machine: its states and transitions, and those that an actor took."));
  const why = Command.make("why", { id: who, machines, database: place, json }, (options) =>
    Effect.gen(function* () {
      const { why } = yield* Effect.promise(() => import("./why.ts"));
      yield* why(options, streams);
    }),
  ).pipe(Command.withDescription("Says what an actor waits for, who owes it, and when it must change by itself."));
  const moves = Command.make("moves", { id: who, event: askedEvent, machines, database: place, json }, (options) =>
    Effect.gen(function* () {
      const { moves } = yield* Effect.promise(() => import("./why.ts"));
      exit(yield* moves({ ...options, event: Option.getOrUndefined(options.event) }, streams));
    }),
  ).pipe(Command.withDescription("Lists the events that an actor takes now, and of the others why not."));
  const stuck = Command.make("stuck", { graceMs: grace, machines, database: place, json }, (options) =>
    Effect.gen(function* () {
      const { stuck } = yield* Effect.promise(() => import("./why.ts"));
      exit(yield* stuck(options, streams));
    }),
  ).pipe(Command.withDescription("Lists actors of which something is overdue. Exit code: 0 none, 1 some, 2 it can't be looked at."));
  const parkedActors = Command.make("parked", { machines, database: place, json }, (options) =>
    Effect.gen(function* () {
      const { parked } = yield* Effect.promise(() => import("./parked.ts"));
      exit(yield* parked(options, streams));
    }),
  ).pipe(Command.withDescription("Lists actors that no machine may go on with, and what to do about it. Exit code: 0 none, 1 some, 2 it can't be looked at."));
  const check = Command.make("check", { paths: Args.text({ name: "PATH" }).pipe(Args.withDescription("Modules that export machines, or folders of such."), Args.atLeast(1)), json }, (options) =>
    Effect.gen(function* () {
      const { check } = yield* Effect.promise(() => import("./check.ts"));
      exit(yield* check(options, streams));
    }),
  ).pipe(
    Command.withDescription(
      "Looks for what is wrong with machines: states without a bounded way out, leaks, dead transitions, names that are not there. Exit code: 0 nothing, 1 something, 2 nothing was checked.",
    ),
  );
  const inspectFile = Command.make(
    "inspect",
    {
      file: historyFile,
      machines,
      port: Options.integer("port").pipe(Options.withDescription("The port of this machine to serve on. Default: a free one."), Options.withDefault(0)),
      database,
    },
    ({ file, ...options }) =>
      Effect.gen(function* () {
        const { inspectCommand } = yield* Effect.promise(() => import("./inspect.ts"));
        yield* inspectCommand({ ...options, file: Option.getOrUndefined(file) }, streams, signals);
      }),
  ).pipe(Command.withDescription("Shows a journal or a history file in the browser: machines, actors, histories. Served to this machine alone, until it is interrupted."));
  const fleet = (name: "workers" | "queues" | "schedules", meaning: string) =>
    Command.make(name, { database: place, json }, (options) =>
      Effect.gen(function* () {
        const all = yield* Effect.promise(() => import("./fleet.ts"));
        yield* all[name](options, streams);
      }),
    ).pipe(Command.withDescription(meaning));
  const submit = Command.make("submit", { file: Args.text({ name: "FILE" }).pipe(Args.withDescription(fileFormat)), server, json }, ({ file, server, json }) =>
    Effect.gen(function* () {
      const [{ submit }, { refused }] = yield* Effect.promise(() => Promise.all([import("./submit.ts"), import("./refused.ts")]));
      if (Option.isNone(server))
        return yield* refused("give the address of a server: taskwright submit tasks.jsonl --server http://127.0.0.1:8080; without one, taskwright run carries the file out here");
      yield* submit({ file, server: server.value, json }, streams);
    }),
  ).pipe(Command.withDescription("Gives the tasks of a file to a server, and waits for none of them."));
  return Command.make("taskwright").pipe(
    Command.withDescription("Carries out commands durably: a command whose end was stored is never lost and never run again."),
    Command.withSubcommands([
      run,
      submit,
      ps,
      show,
      history,
      fleet("workers", "Lists the workers of a journal: where they stand, what they take, their slots."),
      fleet("queues", "Lists queues: those with rules, and those in which tasks wait."),
      fleet("schedules", "Lists schedules with their next moments."),
      ...orderCommands({ streams, signals, exit }),
      deadLetters,
      outboxCommand(streams),
      graph,
      replay,
      compare,
      move,
      exportFile,
      importFile,
      why,
      moves,
      stuck,
      parkedActors,
      check,
      inspectFile,
      ...operatingCommands({ streams, signals, exit }),
      sample,
    ]),
  );
};
