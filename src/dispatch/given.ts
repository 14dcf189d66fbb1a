import * as ParseResult from "effect/ParseResult";
import * as Schema from "effect/Schema";
import { type AllNames, checkNames, said, schemaProblems } from "../domain/names.ts";
import type { Order } from "../domain/task.ts";
import { InvalidOptions } from "../engine/index.ts";
import type { QueuePolicy, TaskChoice, TaskFilter, TaskPaging, WhenEndedOptions } from "./dispatcher.ts";
import type { DispatchMachinesOptions } from "./dispatch-machines.ts";
import type { Kind } from "./kinds.ts";
import type { DispatchOptions } from "./open.ts";
import { type TaskSpec, taskStates } from "./task-spec.ts";

/*
 * What a host gives to a dispatcher and its calls. What there is not is refused: a misspelled filter of `cancel` would be
 * every task, and a misspelled rule of a queue none.
 */
const demand = (problems: ReadonlyArray<string>): void => {
  if (problems.length > 0) throw new InvalidOptions({ problems });
};
const named = (where: string, problems: ReadonlyArray<string>): ReadonlyArray<string> => problems.map((problem) => `${where}: ${problem}`);

const machinesNames: AllNames<DispatchMachinesOptions> = { kinds: true, transports: true, folders: true, artifacts: true };
const kindNames: AllNames<Kind> = { input: true, defaults: true, run: true };

/** Throws `InvalidOptions`. */
export const demandMachinesOptions = (options: DispatchMachinesOptions): void => {
  const problems = [...named("dispatchMachines", checkNames(options, machinesNames))];
  for (const [name, kind] of Object.entries(options.kinds ?? {}) as ReadonlyArray<[string, unknown]>) {
    const where = `kind "${name}"`;
    if (typeof kind === "function") problems.push(`${where}: give { run: … } in place of the function alone`);
    else problems.push(...named(where, checkNames(kind, kindNames)));
    const { run } = (kind ?? {}) as { readonly run?: unknown };
    if (run !== undefined && typeof run !== "function") problems.push(`${where}: run must be a function, got ${said(run)}`);
  }
  demand(problems);
};

const may = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true });
const Count = Schema.Int.pipe(Schema.positive());
const Policy = Schema.Struct({
  slotsMax: may(Count),
  perKeyMax: may(Count),
  rate: may(Schema.Struct({ tasksMax: Count, perMs: Schema.Finite.pipe(Schema.positive()) })),
  ageingMs: may(Schema.Finite.pipe(Schema.nonNegative())),
  fairness: may(Schema.Literal("turns", "none")),
});
const readPolicy = Schema.decodeUnknownEither(Policy, { onExcessProperty: "error", errors: "all" });
const policyProblems = (name: string, policy: QueuePolicy): ReadonlyArray<string> => {
  const read = readPolicy(policy);
  return read._tag === "Right" ? [] : named(`queue "${name}"`, schemaProblems(ParseResult.ArrayFormatter.formatErrorSync(read.left)));
};
/** Throws `InvalidOptions` for rules by which a queue could not work. */
export const demandPolicy = (name: string, policy: QueuePolicy): void => demand(policyProblems(name, policy));

/** The fields of a task as it is submitted. */
export const taskNames: AllNames<TaskSpec> = {
  ...{ id: true, kind: true, input: true, queue: true, priority: true, key: true, debounce: true, needs: true, whenNeedFails: true, runAt: true, deadline: true, queueTimeoutMs: true },
  ...{ acceptanceTimeoutMs: true, executionTimeoutMs: true, heartbeatTimeoutMs: true, answerTimeoutMs: true, retry: true, budget: true, verification: true, notification: true },
  ...{ slots: true, concurrencyKey: true, folder: true, tags: true, attributes: true, traceparent: true, request: true },
};

const dispatchNames: AllNames<DispatchOptions> = { slots: true, functionSlots: true, slotsMax: true, defaults: true, queues: true };

/** Throws `InvalidOptions`. */
export const demandDispatchOptions = (options: DispatchOptions): void => {
  const problems = [...named("openDispatcher", checkNames(options, dispatchNames))];
  for (const name of ["slots", "functionSlots", "slotsMax"] as const) {
    const value = options[name];
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 0) && value !== Number.POSITIVE_INFINITY) problems.push(`openDispatcher: ${name} must be a whole number, got ${said(value)}`);
  }
  for (const [name, policy] of Object.entries(options.queues ?? {})) problems.push(...policyProblems(name, policy));
  demand(problems);
};

const whenEndedNames: AllNames<WhenEndedOptions> = { mayCome: true };
/** Throws `InvalidOptions`. */
export const demandWhenEnded = (options: WhenEndedOptions): void => demand(named("the options of whenEnded", checkNames(options, whenEndedNames)));

const filterNames: AllNames<TaskFilter> = { state: true, kind: true, queue: true, key: true, tag: true, attributes: true };
const listNames: AllNames<TaskFilter & TaskPaging> = { ...filterNames, cursor: true, limit: true, descending: true };
const filterProblems = (filter: TaskFilter, known: object): ReadonlyArray<string> => {
  const problems = named("the filter of tasks", checkNames(filter, known));
  if (problems.length > 0) return problems;
  const states: ReadonlyArray<unknown> = filter.state === undefined ? [] : Array.isArray(filter.state) ? filter.state : [filter.state];
  return states
    .filter((state) => !(taskStates as ReadonlyArray<unknown>).includes(state))
    .map((state) => `the filter of tasks: there is no state ${said(state)} (there are: ${taskStates.join(", ")})`);
};
/** Throws `InvalidOptions`. */
export const demandListFilter = (filter: TaskFilter & TaskPaging): void => demand(filterProblems(filter, listNames));
/** Throws `InvalidOptions`. */
export const demandChoice = (which: TaskChoice): void => {
  if (typeof which !== "string" && !Array.isArray(which)) demand(filterProblems(which as TaskFilter, filterNames));
};
/** Throws `InvalidOptions`. */
export const demandOrder = (order: Order): void => {
  const { by, why } = (order ?? {}) as Partial<Order>;
  if (typeof by !== "string" || typeof why !== "string") demand([`an order says who gives it and why: { by: "Ada", why: "…" }, got ${said(order)}`]);
};
