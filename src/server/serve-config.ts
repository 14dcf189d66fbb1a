import * as Config from "effect/Config";
import type * as ConfigError from "effect/ConfigError";
import * as ConfigProvider from "effect/ConfigProvider";
import * as Effect from "effect/Effect";
import * as Either from "effect/Either";
import { readFileSync } from "node:fs";
import { checkNames } from "../domain/names.ts";
import { UnsafeServer } from "./errors.ts";

/** How `taskwright serve` serves: from its options, else the environment (`TASKWRIGHT_PORT`), else a file, else the defaults. */
export interface ServeConfig {
  readonly database: string;
  readonly host: string;
  readonly port: number;
  readonly slots: number;
  /** The file of tokens; empty: there are none. */
  readonly tokens: string;
  /** Modules that export machines. */
  readonly machines: ReadonlyArray<string>;
  readonly allowedHosts: ReadonlyArray<string>;
  readonly allowedOrigins: ReadonlyArray<string>;
  /** From a signal to the end of the process, in milliseconds. */
  readonly budgetMs: number;
}

const names = ["database", "host", "port", "slots", "tokens", "machines", "allowedHosts", "allowedOrigins", "budgetMs"] as const;

const whole = (name: string, min: number, max: number) =>
  Config.integer(name).pipe(Config.validate({ message: `must be a whole number from ${min} to ${max.toLocaleString("en-US")}`, validation: (value) => value >= min && value <= max }));
const words = (name: string) =>
  Config.string(name).pipe(
    Config.map((text) =>
      text
        .split(",")
        .map((word) => word.trim())
        .filter((word) => word !== ""),
    ),
    Config.withDefault<ReadonlyArray<string>>([]),
  );

const config: Config.Config<ServeConfig> = Config.all({
  database: Config.string("database").pipe(Config.withDefault("work.db")),
  host: Config.string("host").pipe(Config.withDefault("127.0.0.1")),
  port: whole("port", 0, 65_535).pipe(Config.withDefault(8_080)),
  slots: whole("slots", 0, 1_000).pipe(Config.withDefault(0)),
  tokens: Config.string("tokens").pipe(Config.withDefault("")),
  machines: words("machines"),
  allowedHosts: words("allowedHosts"),
  allowedOrigins: words("allowedOrigins"),
  budgetMs: whole("budgetMs", 100, 3_600_000).pipe(Config.withDefault(10_000)),
});

/** "allowedHosts" is TASKWRIGHT_ALLOWED_HOSTS. */
const variableOf = (name: string): string => `TASKWRIGHT_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;

/** "allowedHosts" is --allowed-hosts. */
const optionOf = (name: string): string => `--${name.replace(/Ms$/, "").replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** Reads the configuration. Fails with everything that is wrong at once, and where it stands. */
export const readServeConfig = (
  given: { readonly [Name in keyof ServeConfig]?: string },
  environment: Readonly<Record<string, string | undefined>>,
  file: string | undefined,
): Effect.Effect<ServeConfig, UnsafeServer> => {
  const problems: Array<string> = [];
  const from = new Map<string, string>();
  const values = new Map<string, string>();
  const fromFile = file === undefined ? {} : readFile(file, problems);
  for (const name of names) {
    const variable = variableOf(name);
    const choices: ReadonlyArray<readonly [where: string, value: string | undefined]> = [
      [optionOf(name), given[name]],
      [variable, environment[variable]],
      [`${file}: ${name}`, fromFile[name]],
    ];
    const found = choices.find(([, value]) => value !== undefined && value !== "");
    if (found === undefined) continue;
    from.set(name, found[0]);
    values.set(name, found[1] as string);
  }
  const read = Effect.runSync(Effect.either(Effect.withConfigProvider(config, ConfigProvider.fromMap(values))));
  if (Either.isRight(read) && problems.length === 0) return Effect.succeed(read.right);
  if (Either.isLeft(read)) problems.push(...problemsOf(read.left, from));
  return Effect.fail(new UnsafeServer({ problems }));
};

const readFile = (file: string, problems: Array<string>): Readonly<Record<string, string>> => {
  try {
    const parsed = JSON.parse(readFileSync(file, "utf8")) as unknown;
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) throw new Error("it must hold one object");
    problems.push(...checkNames(parsed, Object.fromEntries(names.map((name) => [name, true]))).map((problem) => `${file}: ${problem}`));
    return Object.fromEntries(Object.entries(parsed).map(([name, value]) => [name, Array.isArray(value) ? value.join(",") : String(value)]));
  } catch (error) {
    problems.push(`${file}: ${error instanceof Error ? error.message : String(error)}`);
    return {};
  }
};

const problemsOf = (error: ConfigError.ConfigError, from: ReadonlyMap<string, string>): ReadonlyArray<string> => {
  if (error._op === "And" || error._op === "Or") return [...problemsOf(error.left, from), ...problemsOf(error.right, from)];
  const name = error.path.at(-1) ?? "";
  return [`${from.get(name) ?? name}: ${error.message}`];
};
