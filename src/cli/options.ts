import * as Args from "@effect/cli/Args";
import * as HelpDoc from "@effect/cli/HelpDoc";
import * as Options from "@effect/cli/Options";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { durationMs } from "./duration.ts";

/*
 * Options that several commands have: the same name means the same everywhere.
 */
export const database = Options.text("database").pipe(Options.withAlias("d"), Options.withDescription("The journal: an SQLite file."), Options.withDefault("work.db"));
export const json = Options.boolean("json").pipe(Options.withDescription("Print JSON for programs."));

/** Any number of words. Options that there are not stand among them for the parser: they are refused here. */
export const words = (name: string, description: string): Args.Args<ReadonlyArray<string>> =>
  Args.text({ name }).pipe(
    Args.withDescription(description),
    Args.mapEffect((word) => (word.startsWith("--") ? Effect.fail(HelpDoc.p(`there is no option "${word}" here; --help lists those that there are`)) : Effect.succeed(word))),
    Args.repeated,
  );

/** Files or folders, with commas between them. */
export const paths = (name: string, description: string): Options.Options<ReadonlyArray<string>> =>
  Options.text(name).pipe(
    Options.withDescription(description),
    Options.filterMap((text) => {
      const all = text.split(",").map((path) => path.trim());
      return all.includes("") ? Option.none() : Option.some<ReadonlyArray<string>>(all);
    }, `--${name} must be a path, or several with commas between them`),
  );
export const machinesGiven = paths("machines", "Modules, or folders of modules, that export the machines, with commas between them.").pipe(Options.withAlias("m"));
export const machines = paths("machines", "Modules, or folders of modules, that export the machines, with commas between them. Those of Taskwright itself are known.").pipe(
  Options.withAlias("m"),
  Options.withDefault<ReadonlyArray<string>>([]),
);

/** A length of time, in milliseconds: a number of seconds, or a text with its unit. */
export const duration = (name: string, description: string): Options.Options<number> =>
  Options.text(name).pipe(
    Options.withDescription(`${description} Seconds, or with a unit: 500ms, 30s, 5m, 2h, 1d.`),
    Options.filterMap((text) => Option.fromNullable(durationMs(/^\d+(\.\d+)?$/.test(text) ? Number(text) : text)), `--${name} must be seconds, or a text like 500ms, 30s, 5m, 2h or 1d`),
  );
