import type * as Effect from "effect/Effect";
import type * as Layer from "effect/Layer";
import type { StateMachine } from "xstate";
import type { EffectTypes } from "./from-effect.ts";

type IsAny<T> = 0 extends 1 & T ? true : false;

/**
 * The services that a registered machine's effects need, as a union: those of its `fromEffect` actors, of its child
 * machines, and of the actions given at registration that return effects. What a type has forgotten (a machine as
 * `AnyStateMachine`, logic that stands in an `invoke` itself) is not seen: a service that is missing then is a defect.
 */
export type ServicesOf<Entry> =
  IsAny<Entry> extends true ? never : Entry extends { readonly machine: infer Machine } ? ServicesOfMachine<Machine> | ServicesOfActions<Entry> : ServicesOfMachine<Entry>;

type ServicesOfMachine<Machine> =
  IsAny<Machine> extends true
    ? never
    : Machine extends StateMachine<
          infer _Context,
          infer _Event,
          infer _Children,
          infer Actor,
          infer _Action,
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
      ? ServicesOfActor<Actor>
      : never;

type ServicesOfActor<Actor> = IsAny<Actor> extends true ? never : Actor extends { readonly logic: infer Logic } ? ServicesOfLogic<Logic> : never;

type ServicesOfLogic<Logic> = IsAny<Logic> extends true ? never : typeof EffectTypes extends keyof Logic ? ServicesIn<NonNullable<Logic[typeof EffectTypes]>> : ServicesOfMachine<Logic>;

type ServicesIn<Types> = Types extends { readonly services: infer Services } ? Services : never;

type ServicesOfActions<Entry> = Entry extends { readonly actions?: infer Actions } ? ServicesOfResult<ResultOf<NonNullable<Actions>[keyof NonNullable<Actions>]>> : never;
type ResultOf<Action> = IsAny<Action> extends true ? never : Action extends (...args: never) => infer Result ? Result : never;
type ServicesOfResult<Result> = IsAny<Result> extends true ? never : Result extends Effect.Effect<infer _A, infer _E, infer Services> ? Services : never;

/** The option of `openEngine` that gives the services: required where the machines need some. */
export type ServicesOption<Entry> = [ServicesOf<Entry>] extends [never]
  ? { readonly services?: Layer.Layer<never, unknown> }
  : {
      /** The services that the machines' effects use; built when the engine opens, released when it is closed. */
      readonly services: Layer.Layer<ServicesOf<Entry>, unknown>;
    };
