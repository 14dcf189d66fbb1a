import * as Effect from "effect/Effect";
import type * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import * as Runtime from "effect/Runtime";
import * as RuntimeFlags from "effect/RuntimeFlags";
import type * as Scope from "effect/Scope";

/** Runs the effects of hosts and machines. */
export interface Fibers {
  /** Returns how to interrupt it. `onExit` is called once. */
  readonly run: <A, E>(effect: Effect.Effect<A, E, unknown>, onExit: (exit: Exit.Exit<A, E>) => void) => () => void;
}

const fibersOf = (runtime: Runtime.Runtime<never>, running: Set<Fiber.RuntimeFiber<unknown, unknown>>): Fibers => ({
  run: (effect, onExit) => {
    // What it needs is in the context of the engine's layer; the type of `layer` and of `openEngine` demands it.
    const fiber = Runtime.runFork(runtime)(effect as Effect.Effect<never, never>);
    running.add(fiber);
    fiber.addObserver((exit) => {
      running.delete(fiber);
      onExit(exit as never);
    });
    return () => fiber.unsafeInterruptAsFork(fiber.id());
  },
});

/** With the services that are in the context here. At the end of the scope what still runs is interrupted, and waited for. */
export const makeFibers: Effect.Effect<Fibers, never, Scope.Scope> = Effect.gen(function* () {
  const running = new Set<Fiber.RuntimeFiber<unknown, unknown>>();
  const runtime = yield* Effect.runtime<never>();
  yield* Effect.addFinalizer(() => Fiber.interruptAll([...running]));
  // A layer is built where nothing may interrupt it.
  return fibersOf(Runtime.enableRuntimeFlag(runtime, RuntimeFlags.Interruption), running);
});

/** Outside of an engine: no services. */
export const plainFibers: Fibers = fibersOf(Runtime.defaultRuntime, new Set());
