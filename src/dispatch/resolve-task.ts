import * as ParseResult from "effect/ParseResult";
import * as Schema from "effect/Schema";
import { wrongId } from "../domain/address.ts";
import { checkNames, schemaProblems } from "../domain/names.ts";
import { didYouMean } from "../domain/near.ts";
import { Backoff } from "../domain/retry.ts";
import { runOutcomes, type TaskEnvelope } from "../domain/task.ts";
import { isTraceparent } from "../domain/traceparent.ts";
import type { Check } from "../engine/index.ts";
import { taskNames } from "./given.ts";
import { commandKind, type Kinds } from "./kinds.ts";
import type { TaskSpec } from "./task-spec.ts";

/** What holds for tasks that don't say otherwise. Times in milliseconds. */
export interface TaskDefaults extends Omit<Partial<TaskSpec>, "id" | "kind" | "input" | "key" | "needs" | "whenNeedFails" | "runAt" | "deadline" | "traceparent" | "request"> {
  /** How often the worker of a task may be lost under it before the task itself counts as the cause. */
  readonly lossesMax?: number;
}

const hour = 60 * 60 * 1000;
const fallback = {
  queue: "default",
  priority: 0,
  acceptanceTimeoutMs: 30_000,
  executionTimeoutMs: hour,
  answerTimeoutMs: 24 * hour,
  retry: { outcomes: ["error", "timeout"], attemptsMax: 1, backoff: { kind: "exponential", baseMs: 500, capMs: 30_000 }, jitter: { min: 0.5, max: 1 } },
  verification: { when: "never", graceMs: 120_000 },
  slots: 1,
  lossesMax: 5,
} as const;

const may = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true });
const Word = Schema.String.pipe(Schema.filter((word) => word !== "" && word.length <= 200 && !/[\u0000-\u001f\u007f]/.test(word))).annotations({
  message: () => ({ message: "must be a text of 1 to 200 characters without control characters", override: true }),
});
const Ms = Schema.Finite.pipe(Schema.positive());
const Amount = Schema.Finite.pipe(Schema.nonNegative());
const Count = Schema.Int.pipe(Schema.positive());

/** All that a task may say, but for the input, which is its kind's matter. */
const Spec = Schema.Struct({
  id: may(Schema.String.pipe(Schema.filter((id) => wrongId(id)))),
  kind: may(Word),
  input: may(Schema.Unknown),
  queue: may(Word),
  priority: may(Schema.Finite),
  key: may(Schema.String.pipe(Schema.filter((key) => key !== "" && key.length <= 1_000))),
  debounce: may(Schema.Struct({ ms: Ms, maxMs: may(Ms) })),
  needs: may(Schema.Array(Schema.String)),
  whenNeedFails: may(Schema.Literal("cancel", "ignore")),
  runAt: may(Schema.Finite),
  deadline: may(Schema.Finite),
  queueTimeoutMs: may(Ms),
  acceptanceTimeoutMs: may(Ms),
  executionTimeoutMs: may(Ms),
  heartbeatTimeoutMs: may(Ms),
  answerTimeoutMs: may(Ms),
  retry: may(
    Schema.Struct({
      outcomes: may(Schema.Array(Schema.Literal(...runOutcomes))),
      attemptsMax: may(Count),
      backoff: may(Backoff),
      jitter: may(Schema.Struct({ min: Amount, max: Amount })),
    }),
  ),
  budget: may(Schema.Struct({ turns: may(Amount), costUsd: may(Amount), tokens: may(Amount), wallMs: may(Ms) })),
  verification: may(Schema.Struct({ when: may(Schema.Literal("never", "always", "receipt")), graceMs: may(Ms) })),
  notification: may(Schema.Struct({ policy: may(Schema.Literal("always", "never", "ifSignificant")), criteria: may(Schema.Array(Schema.String)), outbox: may(Word) })),
  slots: may(Count),
  concurrencyKey: may(Word),
  folder: may(Schema.Boolean),
  tags: may(Schema.Array(Word)),
  attributes: may(Schema.Record({ key: Word, value: Schema.Union(Schema.String, Schema.Finite, Schema.Boolean) })),
  traceparent: may(Schema.String.pipe(Schema.filter((text) => isTraceparent(text) || 'must be like "00-<32 hex digits>-<16 hex digits>-01" (W3C Trace Context)'))),
  request: may(Word),
});
const decode = Schema.decodeUnknownEither(Spec, { errors: "all", onExcessProperty: "error" });

/** What tasks are resolved with. */
export interface Resolution {
  readonly kinds: Kinds;
  readonly checks: ReadonlyMap<string, Check>;
  readonly defaults: TaskDefaults;
  readonly filesArtifact: boolean;
}

/** The task with every default filled in, or all that is wrong with it. `id` is given to it later where it has none. */
export const resolveTask = (spec: TaskSpec, { kinds, checks, defaults, filesArtifact }: Resolution, now: number): { readonly envelope: TaskEnvelope } | { readonly wrong: ReadonlyArray<string> } => {
  const unknown = checkNames(spec, taskNames);
  if (unknown.length > 0) return { wrong: unknown };
  const decoded = decode(spec);
  if (decoded._tag === "Left") return { wrong: schemaProblems(ParseResult.ArrayFormatter.formatErrorSync(decoded.left)) };
  const kind = spec.kind ?? commandKind;
  const declared = kinds[kind];
  const check = checks.get(kind);
  if (declared === undefined || check === undefined)
    return { wrong: [`kind: no kind "${kind}" is declared${didYouMean(kind, Object.keys(kinds))} (declared: ${Object.keys(kinds).join(", ")}); pass it in the kinds of dispatchMachines`] };
  const input = check(spec.input ?? null);
  const all = [spec, declared.defaults ?? {}, defaults, fallback] as ReadonlyArray<TaskDefaults>;
  const first = <Name extends keyof TaskDefaults>(name: Name): TaskDefaults[Name] | undefined => all.find((layer) => layer[name] !== undefined)?.[name];
  const merged = <Name extends "retry" | "verification" | "notification" | "budget" | "attributes">(name: Name) => Object.assign({}, ...all.map((layer) => layer[name]).reverse());
  const notification = merged("notification");
  const wrong = [
    ...("value" in input ? [] : [`input${input.path === "" ? "" : `.${input.path}`}: ${input.detail}${spec.kind === undefined ? ` (its kind is "${commandKind}", as no kind was given)` : ""}`]),
    ...(spec.deadline !== undefined && spec.deadline <= now ? ["deadline: has passed already"] : []),
    ...(spec.deadline !== undefined && spec.runAt !== undefined && spec.deadline <= spec.runAt ? ["deadline: is not after runAt"] : []),
    ...(spec.debounce !== undefined && spec.key === undefined ? ["debounce: needs a key, which says what is the same work"] : []),
    ...(spec.debounce !== undefined && spec.runAt !== undefined ? ["debounce: says when it is begun, and so does runAt"] : []),
    ...(Object.keys(notification).length > 0 && notification.outbox === undefined ? ["notification.outbox: is missing; name the outbox that delivers"] : []),
  ];
  if (wrong.length > 0 || !("value" in input)) return { wrong };
  const optional = Object.fromEntries(
    (["queueTimeoutMs", "heartbeatTimeoutMs", "concurrencyKey", "folder"] as const).flatMap((name) => {
      const value = first(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  return {
    envelope: {
      id: spec.id ?? "",
      kind,
      queue: first("queue") as string,
      input: input.value,
      priority: first("priority") as number,
      ...(spec.key === undefined ? {} : { key: spec.key }),
      ...(spec.debounce === undefined ? {} : { debounce: spec.debounce }),
      needs: [...new Set(spec.needs)],
      whenNeedFails: spec.whenNeedFails ?? "cancel",
      ...(spec.runAt === undefined ? {} : { runAt: spec.runAt }),
      ...(spec.deadline === undefined ? {} : { deadline: spec.deadline }),
      ...optional,
      acceptanceTimeoutMs: first("acceptanceTimeoutMs") as number,
      executionTimeoutMs: first("executionTimeoutMs") as number,
      answerTimeoutMs: first("answerTimeoutMs") as number,
      retry: merged("retry"),
      lossesMax: defaults.lossesMax ?? fallback.lossesMax,
      budget: merged("budget"),
      verification: merged("verification"),
      ...(Object.keys(notification).length === 0 ? {} : { notification: { policy: "always", criteria: [], ...notification } }),
      slots: first("slots") as number,
      ...(filesArtifact ? { filesArtifact } : {}),
      tags: first("tags") ?? [],
      attributes: merged("attributes"),
      ...(spec.traceparent === undefined ? {} : { traceparent: spec.traceparent }),
      ...(spec.request === undefined ? {} : { request: spec.request }),
    },
  };
};
