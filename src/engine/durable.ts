import type * as Schema from "effect/Schema";
import type { AnyStateMachine, ContextFrom, EmittedFrom, InputFrom, OutputFrom, StateMachine } from "xstate";
import type { EventOf } from "./handle.ts";
import type { EventSchemas } from "./contract.ts";
import type { ActionInfo, ActivityOptions, MachineOptions } from "./registry.ts";
import type { AnySchema, StandardSchema } from "./schema.ts";

/** What a schema returns, and what it takes. */
type Made<S> = S extends StandardSchema<infer _In, infer Out> ? Out : S extends Schema.Schema<infer A, infer _I, infer _R> ? A : unknown;
type Taken<S> = S extends StandardSchema<infer In, infer _Out> ? In : S extends Schema.Schema<infer _A, infer I, infer _R> ? I : unknown;

/** Where options don't fit their machine the compiler shows one of these texts. */
type Misfit<Text extends string> = Text;

type Fields<E, Type> = Omit<Extract<E, { readonly type: Type }>, "type" | "replyTo">;
/** Where a machine declares no events, any will do. */
type EventsFit<E extends { readonly type: string }, S, Way extends "made" | "taken"> = S extends AnySchema
  ? Fit<S, E, Way>
  : {
      readonly [Type in keyof S]: Type extends "*"
        ? unknown
        : string extends E["type"]
          ? unknown
          : Type extends E["type"]
            ? Fit<S[Type], Fields<E, Type>, Way>
            : Misfit<"the machine's types have no such event">;
    };
type Fit<S, T, Way extends "made" | "taken"> = Way extends "made"
  ? [Made<S>] extends [T]
    ? unknown
    : Misfit<"this schema does not return what the machine's types say">
  : [T] extends [Taken<S>]
    ? unknown
    : Misfit<"this schema does not take what the machine's types say">;

type NamesOf<M> =
  M extends StateMachine<
    infer _Context,
    infer _Event,
    infer _Children,
    infer Actor,
    infer Action,
    infer _Guard,
    infer _Delay,
    infer _Value,
    infer _Tag,
    infer _Input,
    infer _Output,
    infer _Emitted,
    infer _Meta,
    infer _Schema,
    infer _TransitionMeta
  >
    ? { readonly actors: Actor["src"]; readonly actions: Action["type"] }
    : never;

/** The options of one machine, with the names that it has. */
type OptionsOf<M extends AnyStateMachine, Events, Input, Kept, Output, Emitted, Action extends string, Result> = Omit<
  MachineOptions,
  "events" | "input" | "context" | "output" | "emitted" | "activities" | "actions"
> & {
  readonly events?: Events & EventsFit<EventOf<M>, Events, "made">;
  readonly input?: Input & Fit<Input, InputFrom<M>, "made">;
  readonly context?: Kept & Fit<Kept, ContextFrom<M>, "taken">;
  readonly output?: Output & Fit<Output, OutputFrom<M>, "taken">;
  readonly emitted?: Emitted & EventsFit<EmittedFrom<M>, Emitted, "taken">;
  readonly activities?: { readonly [Name in NamesOf<M>["actors"]]?: ActivityOptions };
  readonly actions?: { readonly [Name in Action]: (info: ActionInfo) => Result };
};

/** What `durable` makes: an entry for the engine's list of machines that has kept the machine's types. */
export interface Durable<M extends AnyStateMachine, Result> extends MachineOptions {
  readonly machine: M;
  readonly actions?: Readonly<Record<string, (info: ActionInfo) => Result>>;
}

/**
 * A machine with its options, checked by the compiler: schemas must return (events, input) or take (context, output,
 * emitted) what the machine's types say, and activities and actions must have the names that the machine has.
 * `{ machine, … }` does the same without the checks.
 */
export const durable = <
  M extends AnyStateMachine,
  Events extends EventSchemas = never,
  Input extends AnySchema = never,
  Kept extends AnySchema = never,
  Output extends AnySchema = never,
  Emitted extends EventSchemas = never,
  Action extends NamesOf<M>["actions"] = never,
  Result = never,
>(
  machine: M,
  options: OptionsOf<M, Events, Input, Kept, Output, Emitted, Action, Result> = {},
): Durable<M, Result> => ({ machine, ...(options as MachineOptions) }) as Durable<M, Result>;
