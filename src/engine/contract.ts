import { ActorReference, type Step } from "../actor/index.ts";
import type { Address } from "../domain/address.ts";
import type { Event } from "../domain/event.ts";
import { NotJson, normalize } from "../domain/json.ts";
import type { Limits } from "../domain/limits.ts";
import { InvalidEvent } from "./errors.ts";
import { bounded } from "./intake.ts";
import { type AnySchema, type Check, checkOf, isSchema, notJson } from "./schema.ts";

/** One schema for all of them (a union), or one per event type. In such a map `"*"` stands for every other type; without it those are refused. */
export type EventSchemas = AnySchema | Readonly<Record<string, AnySchema>>;

/** What a machine takes and makes, as schemas. Each may be absent; what is not declared is not checked and costs nothing. */
export interface Schemas {
  /**
   * Events from the host and messages from other actors, checked when they reach the actor. What the schema returns is
   * what is stored. The schema sees the event whole, with its `type`, but for the `replyTo` of an `ask`.
   */
  readonly events?: EventSchemas;
  /** The input at `start` and of child machines. What the schema returns is what is stored. */
  readonly input?: AnySchema;
  /** Looked at after every transition that changes the context; it only accepts or refuses. */
  readonly context?: AnySchema;
  /** Looked at when the machine ends. */
  readonly output?: AnySchema;
  /** What the machine emits. */
  readonly emitted?: EventSchemas;
}

/** The schemas of one machine, made ready. */
export interface Contract {
  /** What is stored of an event, with its text. Throws `InvalidEvent` or `PayloadTooLarge`. */
  readonly event: ((address: Address, event: Event) => { readonly value: Event; readonly json: string }) | undefined;
  /** What is stored of an input. Throws `InvalidEvent` or `PayloadTooLarge`. */
  readonly input: ((address: Address, input: unknown) => unknown) | undefined;
  /** Throws `ContractBroken` where a step left what the machine's own schemas refuse. `before` is the context before it. */
  readonly step: ((before: unknown, step: Step) => void) | undefined;
}

/** A machine made something that its own schema refuses. The actor did not move. */
export class ContractBroken extends Error {
  readonly code = "contract_broken";
  readonly what: string;
  readonly path: string;
  constructor(what: string, path: string, detail: string) {
    super(`its ${what} would not fit the schema: ${path === "" ? "" : `${path}: `}${detail}`);
    this.name = "ContractBroken";
    this.what = what;
    this.path = path;
  }
}

export const contractOf = (schemas: Schemas, limits: Limits): Contract | undefined => {
  const { context, output, emitted } = schemas;
  const event = schemas.events === undefined ? undefined : eventsCheck(schemas.events);
  const input = schemas.input === undefined ? undefined : checkOf(schemas.input);
  const checks = {
    context: context === undefined ? undefined : checkOf(context),
    output: output === undefined ? undefined : checkOf(output),
    emitted: emitted === undefined ? undefined : eventsCheck(emitted),
  };
  const checksStep = context !== undefined || output !== undefined || emitted !== undefined;
  if (event === undefined && input === undefined && !checksStep) return undefined;
  return {
    event: event === undefined ? undefined : (address, told) => admitted(address, told, event, limits),
    input:
      input === undefined
        ? undefined
        : (address, given) => {
            const value = stored(address, "input", given, input, limits);
            if (value !== undefined) bounded(address, JSON.stringify(value), limits);
            return value;
          },
    step: checksStep ? (before, step) => checkStep(before, step, checks) : undefined,
  };
};

const admitted = (address: Address, told: Event, check: Check, limits: Limits): { readonly value: Event; readonly json: string } => {
  const { replyTo } = told;
  // The address of a question is the engine's addition: a schema need not know of it, and may not lose it.
  const isAsked = replyTo instanceof ActorReference && replyTo.address.startsWith("ask/");
  const { replyTo: _, ...bare } = told;
  const made = stored(address, "", isAsked ? bare : told, check, limits) as Event | undefined;
  if (typeof made !== "object" || made === null || Array.isArray(made)) throw new InvalidEvent({ address, path: "", detail: "its schema returns no object; an event is an object with a type" });
  // A schema for one type may leave the type out, as most do that list only the fields; another type would be another event.
  if (made.type !== undefined && made.type !== told.type)
    throw new InvalidEvent({ address, path: "type", detail: `its schema makes a "${String(made.type)}" of it; a schema may not change the type` });
  const event: Event = { ...made, type: told.type };
  const value = isAsked ? { ...event, replyTo } : event;
  return { value, json: bounded(address, JSON.stringify(value), limits) };
};

/** What the schema makes of a value, as it will be stored: a copy that JSON carries. */
const stored = (address: Address, where: "" | "input", given: unknown, check: Check, limits: Limits): unknown => {
  const verdict = check(given);
  const join = (path: string) => (where === "" || path === "" ? where + path : path.startsWith("[") ? where + path : `${where}.${path}`);
  const what = where === "" ? {} : { what: where };
  if (!("value" in verdict)) throw new InvalidEvent({ address, path: join(verdict.path), detail: verdict.detail, ...what });
  try {
    return normalize(verdict.value, undefined, { depthMax: limits.payloadDepthMax, copy: true, convert: (value) => (value instanceof ActorReference ? value : undefined) });
  } catch (error) {
    if (!(error instanceof NotJson)) throw error;
    throw new InvalidEvent({ address, path: join(error.path), detail: `what its schema returns can't be stored: ${error.what}`, ...what });
  }
};

const eventsCheck = (schemas: EventSchemas): Check => {
  if (isSchema(schemas)) return checkOf(schemas);
  const checks = new Map(Object.entries(schemas).map(([type, schema]) => [type, checkOf(schema)]));
  const known = [...checks.keys()].filter((type) => type !== "*");
  const other: Check = checks.get("*") ?? ((event) => ({ path: "type", detail: `"${(event as Event).type}" is none of the declared types (${known.join(", ") || "none"})` }));
  checks.delete("*");
  return (event) => (checks.get((event as Event).type) ?? other)(event);
};

interface StepChecks {
  readonly context: Check | undefined;
  readonly output: Check | undefined;
  readonly emitted: Check | undefined;
}

const checkStep = (before: unknown, { state, commands }: Step, { context, output, emitted }: StepChecks): void => {
  const { snapshot } = state;
  const demand = (check: Check, what: string, value: unknown) => {
    const verdict = check(value);
    if (!("value" in verdict)) throw new ContractBroken(what, verdict.path, verdict.detail);
  };
  if (context !== undefined && snapshot.context !== before) demand(context, "context", snapshot.context);
  if (output !== undefined && snapshot.status === "done") demand(output, "output", snapshot.output);
  if (emitted !== undefined) for (const command of commands) if (command.type === "emit") demand(emitted, `emitted "${command.event.type}"`, command.event);
};

/** What is wrong with schemas before anything is checked by them, in words. */
export const wrongSchemas = (machine: string, schemas: Schemas): ReadonlyArray<string> => {
  const problems: Array<string> = [];
  const look = (where: string, schema: unknown, isStored: boolean) => {
    if (!isSchema(schema)) return problems.push(`machine "${machine}", ${where}: this is no schema; give one of Effect (effect/Schema), or of a library that implements Standard Schema`);
    const wrong = isStored ? notJson(schema) : undefined;
    if (wrong !== undefined) problems.push(`machine "${machine}", ${where}: ${wrong}; keep the encoded form (Schema.encodedSchema), because what it returns is stored`);
  };
  for (const name of ["events", "emitted"] as const) {
    const given: unknown = schemas[name];
    if (given === undefined) continue;
    if (isSchema(given) || typeof given !== "object" || given === null) look(name, given, name === "events");
    else for (const [type, schema] of Object.entries(given)) look(`${name}.${type}`, schema, name === "events");
  }
  for (const name of ["input", "context", "output"] as const) if (schemas[name] !== undefined) look(name, schemas[name], name === "input");
  return problems;
};
