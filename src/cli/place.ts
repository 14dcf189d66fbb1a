import * as Options from "@effect/cli/Options";
import * as Option from "effect/Option";
import { isServer } from "./place-of-server.ts";

const file = Options.text("database").pipe(Options.withAlias("d"), Options.withDescription("The journal: an SQLite file. Default: work.db"), Options.optional);
export const server = Options.text("server").pipe(
  Options.withDescription("In place of a file: the address of the server that has the journal, http://127.0.0.1:8080. TASKWRIGHT_TOKEN is its token."),
  Options.filterMap(
    Option.liftPredicate((text) => isServer(text) && URL.canParse(text)),
    "--server must be an address like http://127.0.0.1:8080",
  ),
  Options.optional,
);

/** Where the journal is, if somebody says so: a file, or the server that has it. */
export const placeGiven: Options.Options<Option.Option<string>> = Options.all({ file, server }).pipe(
  Options.filterMap(
    (given) => (Option.isSome(given.file) && Option.isSome(given.server) ? Option.none() : Option.some(Option.orElse(given.server, () => given.file))),
    "--server has a journal of its own: give it or --database, not both",
  ),
);
export const place: Options.Options<string> = Options.map(
  placeGiven,
  Option.getOrElse(() => "work.db"),
);
