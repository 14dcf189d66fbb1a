import * as Effect from "effect/Effect";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { register } from "node:module";
import { join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { AnyStateMachine } from "xstate";
import { isMachine } from "../actor/index.ts";
import { type DurableMachine, isDurable } from "../engine/index.ts";
import { leftOut } from "./module-text.ts";
import { nearMatches } from "../domain/near.ts";
import { type Refused, refused } from "./refused.ts";

/** A machine that a module exports, with its options where they are exported with it. */
export interface FoundMachine {
  readonly machine: AnyStateMachine;
  readonly entry: AnyStateMachine | DurableMachine;
  /** The module, relative to the working folder; of the machines that come with the package `taskwright/machines`. */
  readonly file: string;
  /** Under which it is exported: `order`, `default`, `machines[1]`. */
  readonly name: string;
}

const readable = /(?<!\.d)\.(ts|mts|js|mjs)$/;
const isTest = /\.(test|spec)\.\w+$/;

/**
 * The machines that the modules export, each once. A folder stands for those modules in it and below that look as if they
 * exported a machine and did nothing else: a program is not run. `tell` hears of those that were left out for that.
 */
export const machinesOfFiles = (paths: ReadonlyArray<string>, tell: (leftOut: string) => void = () => {}): Effect.Effect<ReadonlyArray<FoundMachine>, Refused> =>
  Effect.gen(function* () {
    const files: Array<string> = [];
    const programs: Array<string> = [];
    for (const path of paths) {
      if (!existsSync(path)) return yield* refused(`there is no file or folder "${path}"`);
      if (!statSync(path).isDirectory()) files.push(path);
      else
        for (const file of modulesIn(path)) {
          const out = leftOut(readFileSync(file, "utf8"));
          if (out === undefined) files.push(file);
          else if (!out.silent) programs.push(`${file} was not loaded: ${out.why}`);
        }
    }
    for (const program of programs) tell(`${program}; to have it looked at, name the file itself\n`);
    const found = new Map<AnyStateMachine, FoundMachine>();
    for (const file of files) for (const one of yield* machinesOfModule(file)) if (!found.has(one.machine) || isDurable(one.entry)) found.set(one.machine, one);
    if (found.size === 0) {
      const makers = (yield* Effect.forEach(files, functionsOf)).flat();
      const call = makers.length === 0 ? "" : `; ${makers.join(", ")}: if one of these functions makes a machine, call it in a module of its own, and export what it returns`;
      return yield* refused(`no machine is exported by ${paths.join(", ")}; export what createMachine() or durable() returned${call}`, ...programs);
    }
    return [...found.values()];
  });

/** What an engine would be given of the modules; nothing where none is named. */
export const entriesOfFiles = (paths: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<AnyStateMachine | DurableMachine>, Refused> =>
  paths.length === 0 ? Effect.succeed([]) : Effect.map(machinesOfFiles(paths), (found) => found.map(({ entry }) => entry));

/** One machine: of a file, or by the name of one that comes with the package. `file#name` chooses among several of a file. */
export const machineNamed = (wanted: string): Effect.Effect<FoundMachine, Refused> =>
  Effect.gen(function* () {
    const [path = "", name] = wanted.split("#");
    if (!existsSync(path)) {
      const own = yield* Effect.promise(() => import("../../machines/index.ts"));
      const known = machinesIn(own, "taskwright/machines");
      const one = known.find(({ machine }) => machine.id === wanted);
      if (one !== undefined) return one;
      const near = nearMatches(
        wanted,
        known.map(({ machine }) => machine.id),
      );
      const hint =
        near.length > 0 ? `did you mean ${near.map((match) => JSON.stringify(match)).join(" or ")}?` : `those that come with the package are ${known.map(({ machine }) => machine.id).join(", ")}`;
      return yield* refused(`there is no file "${path}", and no machine of that name; ${hint}`);
    }
    const all = yield* machinesOfFiles([path]);
    const chosen = name === undefined ? all : all.filter((found) => found.name === name || found.machine.id === name);
    const [only] = chosen;
    if (only !== undefined && chosen.length === 1) return only;
    return yield* refused(`${path} exports ${all.length} machines; choose one: ${all.map((found) => `"${path}#${found.name}"`).join(", ")}`);
  });

const modulesIn = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { withFileTypes: true })
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return entry.name === "node_modules" || entry.name.startsWith(".") ? [] : modulesIn(path);
      return readable.test(entry.name) && !isTest.test(entry.name) ? [path] : [];
    });

const machinesOfModule = (file: string): Effect.Effect<ReadonlyArray<FoundMachine>, Refused> =>
  Effect.tryPromise({
    try: async () => {
      return machinesIn(await moduleOf(file), relative(process.cwd(), resolve(file)));
    },
    catch: (error) => refused(`${file} can't be loaded: ${error instanceof Error ? error.message : String(error)}`),
  });

/** The names of a module's functions. It was loaded before. */
const functionsOf = (file: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.promise(async () => Object.entries(await moduleOf(file)).flatMap(([name, value]) => (typeof value === "function" ? [name] : [])));

/** What a module exports; a Node that can't read TypeScript is helped. */
export const moduleOf = (file: string): Promise<object> => {
  if (/\.m?ts$/.test(file)) readTypeScript();
  return import(pathToFileURL(resolve(file)).href) as Promise<object>;
};

const machinesIn = (exported: object, file: string): ReadonlyArray<FoundMachine> =>
  Object.entries(exported).flatMap(([name, value]) =>
    (Array.isArray(value) ? value.map((item, index) => [`${name}[${index}]`, item] as const) : [[name, value] as const]).flatMap(([name, item]): ReadonlyArray<FoundMachine> => {
      if (isMachine(item)) return [{ machine: item, entry: item, file, name }];
      const entry = item as DurableMachine | null | undefined;
      return typeof entry === "object" && entry !== null && isDurable(entry) && isMachine(entry.machine) ? [{ machine: entry.machine, entry, file, name }] : [];
    }),
  );

let registered = false;

/** Once per process, and only where Node does not read TypeScript itself. What runs this from its source reads it anyway. */
const readTypeScript = (): void => {
  const hooks = new URL("./typescript-hooks.js", import.meta.url);
  if (registered || (process.features as { readonly typescript?: unknown }).typescript || !existsSync(hooks)) return;
  registered = true;
  register(hooks);
};
