import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";

export type StopSignal = "SIGINT" | "SIGTERM";

/** The first signal asks to end, the second one insists. */
export interface Interrupts {
  readonly first: Effect.Effect<StopSignal>;
  readonly second: Effect.Effect<StopSignal>;
}

/** Where signals come from: takes a listener, returns how to stop listening. */
export type SignalSource = (listener: (signal: StopSignal) => void) => () => void;

export const processSignals: SignalSource = (listener) => {
  const onInt = () => listener("SIGINT");
  const onTerm = () => listener("SIGTERM");
  process.on("SIGINT", onInt).on("SIGTERM", onTerm);
  return () => process.off("SIGINT", onInt).off("SIGTERM", onTerm);
};

/** As a shell reports it: 128 and the number of the signal. */
export const exitCodeOfSignal = (signal: StopSignal): 130 | 143 => (signal === "SIGINT" ? 130 : 143);

export const makeInterrupts = (source: SignalSource): Effect.Effect<Interrupts, never, Scope.Scope> =>
  Effect.gen(function* () {
    const first = yield* Deferred.make<StopSignal>();
    const second = yield* Deferred.make<StopSignal>();
    let seen = 0;
    const listen = Effect.sync(() => source((signal) => Effect.runSync(Deferred.succeed(++seen === 1 ? first : second, signal))));
    yield* Effect.acquireRelease(listen, (stop) => Effect.sync(stop));
    return { first: Deferred.await(first), second: Deferred.await(second) };
  });
