import * as Schema from "effect/Schema";
import { type AnySchema, type Check, checkOf } from "../engine/index.ts";
import type { TaskFunction } from "./task-function.ts";
import type { TaskSpec } from "./task-spec.ts";

/** A kind of task: what it takes, what holds for its tasks where they don't say otherwise, and who carries it out. */
export interface Kind {
  /** What the schema returns is what is stored. Absent: anything that JSON carries. */
  readonly input?: AnySchema;
  readonly defaults?: Omit<Partial<TaskSpec>, "id" | "kind" | "input" | "key" | "needs">;
  /** Carried out in this process. Absent: by workers that say that they carry out this kind. */
  readonly run?: TaskFunction<never>;
}
export type Kinds = Readonly<Record<string, Kind>>;

const CommandInput = Schema.Struct({
  command: Schema.Union(Schema.Struct({ argv: Schema.NonEmptyArray(Schema.String) }), Schema.Struct({ shell: Schema.NonEmptyString })),
  cwd: Schema.optionalWith(Schema.String, { exact: true, default: () => process.cwd() }),
  env: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.String }), { exact: true, default: () => ({}) }),
});

/** The kind of commands: programs that worker processes run. */
export const commandKind = "command";
export const withCommands = (kinds: Kinds): Kinds => ({ [commandKind]: { input: CommandInput }, ...kinds });

/** The check of an input by its kind, made once. */
export const inputChecks = (kinds: Kinds): ReadonlyMap<string, Check> =>
  new Map(Object.entries(kinds).map(([name, { input }]) => [name, input === undefined ? (value: unknown) => ({ value }) : checkOf(input)]));
