import * as CliConfig from "@effect/cli/CliConfig";
import * as Command from "@effect/cli/Command";
import * as ValidationError from "@effect/cli/ValidationError";
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem";
import * as NodePath from "@effect/platform-node/NodePath";
import * as NodeTerminal from "@effect/platform-node/NodeTerminal";
import * as Console from "effect/Console";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { readFileSync } from "node:fs";
import { taskwright } from "./command.ts";
import { helpText, complaintText } from "./help.ts";
import type { SignalSource } from "./interrupts.ts";
import type { Streams } from "./streams.ts";
import { printable } from "./summary.ts";

const version = (): string => {
  // The compiled program lies in dist/src/cli, the source in src/cli.
  for (const up of ["../../../package.json", "../../package.json"]) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(up, import.meta.url), "utf8")) as { readonly name?: string; readonly version?: string };
      if (name === "taskwright" && version !== undefined) return version;
    } catch {
      // The other place.
    }
  }
  return "unknown";
};

const surroundings = Layer.mergeAll(NodeFileSystem.layer, NodePath.layer, NodeTerminal.layer, CliConfig.layer({ showBuiltIns: false }));

/** Carries out a command line; succeeds with the exit code of the process. */
export const invoke = (argv: ReadonlyArray<string>, streams: Streams, signals: SignalSource): Effect.Effect<number> => {
  let code = 0;
  const root = taskwright({ streams, signals, exit: (given) => (code = given) });
  return Command.run(root, { name: "taskwright", version: version() })(argv).pipe(
    Effect.provide(surroundings),
    withStreams(streams, argv.slice(2)),
    Effect.as(undefined),
    Effect.catchAll((error: unknown) => Effect.succeed(error)),
    Effect.flatMap((error) => {
      if (error === undefined) return Effect.sync(() => code);
      // It has been printed already.
      if (ValidationError.isValidationError(error)) return Effect.succeed(2);
      return isTyped(error)
        ? Effect.as(
            Effect.sync(() => streams.error(`${error.message}\n`)),
            2,
          )
        : Effect.die(error);
    }),
  );
};

/** Help and complaints of the parser go through our streams, in our words. */
const withStreams =
  ({ out, error, columns }: Streams, words: ReadonlyArray<string>) =>
  <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
    const text = (said: ReadonlyArray<unknown>) => said.map(String).join(" ").trimEnd();
    const shown = (said: ReadonlyArray<unknown>) => text(said).split("\n").map(printable).join("\n");
    const log = (...said: ReadonlyArray<unknown>) => Effect.sync(() => out(helpText(`${shown(said)}\n`, words, columns())));
    const complain = (...said: ReadonlyArray<unknown>) => Effect.sync(() => error(`${complaintText(shown(said), words)}\n`));
    return Console.consoleWith((present) => Effect.withConsole(program, { ...present, log, error: complain }));
  };

/** An error that says what happened and what to do. Everything else is a defect. */
const isTyped = (error: unknown): error is Error & { readonly _tag: string } => error instanceof Error && "_tag" in error;
