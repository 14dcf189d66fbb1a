import * as Args from "@effect/cli/Args";
import * as Command from "@effect/cli/Command";
import * as Options from "@effect/cli/Options";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import type { Surroundings } from "./command.ts";
import { database, duration, json, machines } from "./options.ts";

type Role = "read" | "operate" | "worker";
const roles: ReadonlyArray<string> = ["read", "operate", "worker"];
const optional = (name: string, description: string, alias?: string) => {
  const option = Options.text(name).pipe(Options.withDescription(description), Options.optional);
  return alias === undefined ? option : Options.withAlias(option, alias);
};
const tokens = Options.text("tokens").pipe(Options.withDescription("The file of tokens."), Options.withDefault("tokens.json"));
const role = Options.text("role").pipe(
  Options.withDescription("What it may do: read, operate, worker; several with commas between them."),
  Options.filterMap(
    (text) => Option.liftPredicate(text.split(","), (words): words is Array<Role> => words.every((word) => roles.includes(word))),
    "--role must be read, operate or worker, or several with commas between them",
  ),
  Options.withDefault<ReadonlyArray<Role>>(["operate"]),
);
const expiresIn = duration("expires-in", "From then on it is refused. Default: never.").pipe(Options.optional);

const histories = Options.boolean("histories").pipe(Options.withDescription("Also step every history again, and compare the states with what is stored."));
/** What somebody does who runs a server and looks after its journal. */
export const operatingCommands = ({ streams, signals, exit }: Surroundings) => {
  const serve = Command.make(
    "serve",
    {
      database: optional("database", "The journal; made if it is not there. Default: work.db", "d"),
      host: optional("host", "Where it listens. Default: 127.0.0.1, this machine alone"),
      port: optional("port", "0: any that is free. Default: 8080"),
      slots: optional("slots", "Commands that run here at the same time. Default: none", "s"),
      tokens: optional("tokens", "The file of tokens. Needed where others than this machine are served."),
      machines: optional("machines", "Modules that export machines, kinds, plugins or outboxes, with commas between them.", "m"),
      allowedHosts: optional("allowed-hosts", "Names under which it may be called, with commas between them."),
      allowedOrigins: optional("allowed-origins", "Pages that may call it, with commas between them."),
      budgetMs: duration("budget", "From a signal to the end. Default: 10s.").pipe(Options.optional),
      config: optional("config", "A JSON file with the same names."),
      json,
    },
    ({ config, json, ...given }) =>
      Effect.gen(function* () {
        const { serve } = yield* Effect.promise(() => import("./serve.ts"));
        const present = Object.fromEntries(
          Object.entries(given).flatMap(([name, value]) => (Option.isSome(value as Option.Option<unknown>) ? [[name, String((value as Option.Some<unknown>).value)]] : [])),
        );
        exit(yield* serve({ given: present, config: Option.getOrUndefined(config), json }, streams, signals));
      }),
  ).pipe(Command.withDescription("Serves a journal over HTTP until a signal. Exit code: 0 ended in order, 1 not everything in order, 2 nothing was served."));

  const token = Command.make("token", { tokens, json }, (target) =>
    Effect.gen(function* () {
      const { listTokens } = yield* Effect.promise(() => import("./token.ts"));
      yield* listTokens(target, streams);
    }),
  ).pipe(
    Command.withDescription("Lists who may use a server: the tokens of a file, in which their hashes are."),
    Command.withSubcommands([
      Command.make("add", { name: Args.text({ name: "NAME" }), role, expiresInMs: expiresIn, tokens, json }, ({ name, role: given, expiresInMs, ...target }) =>
        Effect.gen(function* () {
          const { addToken } = yield* Effect.promise(() => import("./token.ts"));
          yield* addToken(name, given, Option.getOrUndefined(expiresInMs), target, streams, yield* Clock.currentTimeMillis);
        }),
      ).pipe(Command.withDescription("Makes a token and prints it, this once.")),
      Command.make("remove", { which: Args.text({ name: "ID" }), tokens, json }, ({ which, ...target }) =>
        Effect.gen(function* () {
          const { removeToken } = yield* Effect.promise(() => import("./token.ts"));
          yield* removeToken(which, target, streams);
        }),
      ).pipe(Command.withDescription("Removes a token by its id, or all of a name.")),
    ]),
  );

  const file = Args.text({ name: "FILE" });
  const backup = Command.make("backup", { file, database, json }, ({ file, ...target }) =>
    Effect.gen(function* () {
      const { backupCommand } = yield* Effect.promise(() => import("./files.ts"));
      yield* backupCommand(file, target, streams);
    }),
  ).pipe(Command.withDescription("Copies a journal into a file, also while it is being worked with; the copy is checked."));
  const restore = Command.make("restore", { file, database, json }, ({ file, ...target }) =>
    Effect.gen(function* () {
      const { restoreCommand } = yield* Effect.promise(() => import("./files.ts"));
      yield* restoreCommand(file, target, streams);
    }),
  ).pipe(Command.withDescription("Puts a backup in the place of a journal that is not there."));
  const vacuum = Command.make("vacuum", { database, json }, (target) =>
    Effect.gen(function* () {
      const { vacuumCommand } = yield* Effect.promise(() => import("./files.ts"));
      yield* vacuumCommand(target, streams);
    }),
  ).pipe(Command.withDescription("Gives space that is not used any more back to the disk. No engine may have the journal meanwhile."));
  const doctor = Command.make("doctor", { histories, machines, database, json }, (options) =>
    Effect.gen(function* () {
      const { doctor } = yield* Effect.promise(() => import("./files.ts"));
      exit(yield* doctor(options, streams));
    }),
  ).pipe(Command.withDescription("Looks whether a journal contradicts itself, and changes nothing. Exit code: 0 nothing was found, 1 something was, 2 it can't be looked at."));
  return [serve, token, backup, restore, vacuum, doctor] as const;
};
