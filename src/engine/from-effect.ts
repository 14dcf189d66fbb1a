import * as Cause from "effect/Cause";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Schema from "effect/Schema";
import { fromPromise, type NonReducibleUnknown, type PromiseActorLogic } from "xstate";
import { type Failure, failureOf, RevivedError } from "../domain/json.ts";
import { type ActivityInfo, currentFibers, currentActivity } from "./activities.ts";
import { plainFibers } from "./fibers.ts";

/** What the effect of an activity can ask about itself: its address, attempt, details and heartbeat. Always there. */
export const Activity = Context.GenericTag<ActivityInfo>("taskwright/Activity");
export type Activity = typeof Activity.Identifier;

/** Marks logic that an effect carries out, with its failures and its requirements as types alone. */
export declare const EffectTypes: unique symbol;

/** Promise logic that an effect carries out. */
export interface EffectLogic<A, I, E, R> extends PromiseActorLogic<A, I> {
  readonly [EffectTypes]?: { readonly failure: E; readonly services: R };
}

export interface FromEffectOptions<A, Output, E, Failure> {
  /** How the result is stored: `onDone` gets the encoded form. Without it the result must be JSON. */
  readonly output?: Schema.Schema<A, Output>;
  /** How a typed failure is stored: `onError` gets the encoded fields. Without it those fields that are JSON. */
  readonly error?: Schema.Schema<E, Failure>;
}

/**
 * An effect as promise logic: for `setup({ actors })`, as an activity of the engine or with XState alone. In an engine
 * it runs with the services of the engine's layer. It is interrupted when its state is left, when an attempt times out
 * and when the engine closes.
 *
 * A failure arrives in `onError` with its `_tag`, `code`, `message` and fields. A defect arrives with `defect: true`,
 * and is retried only where the policy names it.
 */
export const fromEffect = <Work extends Effect.Effect<A, E, unknown>, A = unknown, E = unknown, I = NonReducibleUnknown, Output = Effect.Effect.Success<Work>, Failure = Effect.Effect.Error<Work>>(
  run: (input: I, activity: ActivityInfo) => Work,
  options: FromEffectOptions<A, Output, E, Failure> = {},
): EffectLogic<Output, I, Failure, Exclude<Effect.Effect.Context<Work>, Activity>> => {
  const encodeOutput = options.output === undefined ? undefined : Schema.encode(options.output);
  const encodeError = options.error === undefined ? undefined : Schema.encodeUnknownEither(options.error);
  const logic = fromPromise<Output, I>(({ input, signal }) => {
    const activity = currentActivity() ?? alone(signal);
    const work = Effect.suspend((): Effect.Effect<unknown, unknown, unknown> => run(input, activity));
    const stored = encodeOutput === undefined ? work : Effect.flatMap(work, (output) => Effect.orDie(encodeOutput(output as A)));
    const effect = Effect.provideService(stored, Activity, activity);
    const fibers = currentFibers() ?? plainFibers;
    return new Promise((resolve, reject) => {
      let isOver = false;
      let interrupt = () => {};
      const stop = () => interrupt();
      interrupt = fibers.run(effect, (exit) => {
        isOver = true;
        signal.removeEventListener("abort", stop);
        if (exit._tag === "Success") resolve(exit.value as Output);
        else reject(new RevivedError(failureOfCause(exit.cause, encodeError)));
      });
      // An effect that waits for nothing has ended by now.
      if (isOver) return;
      if (signal.aborted) stop();
      else signal.addEventListener("abort", stop, { once: true });
    });
  });
  return logic as EffectLogic<Output, I, Failure, Exclude<Effect.Effect.Context<Work>, Activity>>;
};

/** A typed failure as `onError` gets it: an `Error` with the tag and the fields that were stored. */
export type Failed<E> = Error & { readonly [Key in Exclude<keyof E, keyof Error | symbol>]: E[Key] };
type Tagged = { readonly _tag: string };
type FailureIn<Logic> = Logic extends { readonly [EffectTypes]?: { readonly failure: infer E } } ? E : never;
type TagIn<E> = E extends Tagged ? E["_tag"] : never;

/**
 * Whether what `onError` got is this failure of the logic; a defect never is. For guards and assigns:
 * `guard: ({ event }) => failedWith(event.error, charge, "Declined")`.
 */
export const failedWith = <Logic extends { readonly [EffectTypes]?: { readonly failure: unknown } }, Tag extends TagIn<FailureIn<Logic>>>(
  error: unknown,
  _logic: Logic,
  tag: Tag,
): error is Failed<Extract<FailureIn<Logic>, { readonly _tag: Tag }>> => error instanceof RevivedError && error.failure.tag === tag && error.failure.defect !== true;

type Encode = (error: unknown) => { readonly _tag: "Right"; readonly right: unknown } | { readonly _tag: "Left" };

/** What is told of an effect that failed: its failure goes before a defect, and that before an interruption. */
export const failureOfCause = (cause: Cause.Cause<unknown>, encode?: Encode): Failure => {
  const failure = Cause.failureOption(cause);
  if (failure._tag === "Some") return failureOf(encoded(failure.value, encode));
  const defect = Cause.dieOption(cause);
  if (defect._tag === "Some") return { ...failureOf(defect.value), defect: true };
  return { name: "Interrupted", code: "interrupted", message: "the effect was interrupted, by itself or by what it waited for" };
};

/** A failure with the fields that its schema stores, beside what every error has. */
const encoded = (error: unknown, encode: Encode | undefined): unknown => {
  const result = encode?.(error);
  if (result?._tag !== "Right" || typeof result.right !== "object" || result.right === null) return error;
  const { name, message, code, stack, _tag, cause } = error as Record<string, unknown>;
  const fields = { name, message, code, stack, _tag, cause, ...result.right };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
};

/** Without an engine there is one attempt, and nobody who hears a heartbeat. */
const alone = (signal: AbortSignal): ActivityInfo => ({ address: "", key: "", attempt: 1, details: null, heartbeat: () => {}, signal });
