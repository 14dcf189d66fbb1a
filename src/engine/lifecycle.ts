import { engine as engineMachine, engineActions, type EngineContext, type EngineEvent } from "../../machines/engine.ts";
import { type ActorState, define, nextDue, start, step } from "../actor/index.ts";
import type { Time } from "./time.ts";

/** The states of `machines/engine.ts`. */
export type EngineState = "recovering" | "running" | "degraded" | "draining" | "suspending" | "stopped";

export interface Lifecycle {
  readonly state: () => EngineState;
  readonly context: () => EngineContext;
  readonly tell: (event: EngineEvent) => void;
  /** Carries out what the first state asks for. */
  readonly begin: () => void;
}

/**
 * Runs the engine's own machine: in memory, with the same step as every durable one, its deadlines on the engine's
 * clock. `handlers` carry out what the chart asks for, after the transition.
 */
export const makeLifecycle = (time: Time, handlers: Readonly<Record<(typeof engineActions)[number], () => void>>): Lifecycle => {
  const definition = define(engineMachine, { actions: engineActions });
  let cancel = () => {};
  const settle = (result: { readonly state: ActorState; readonly commands: ReadonlyArray<{ readonly type: string }> }) => {
    state = result.state;
    cancel();
    const due = nextDue(state);
    if (due !== undefined) cancel = time.wakeAt(due, expire);
    for (const command of result.commands) {
      if (command.type === "act") handlers[(command as unknown as { action: (typeof engineActions)[number] }).action]();
    }
  };
  const expire = () => {
    const now = time.now();
    for (const [id, timer] of Object.entries(state.timers)) {
      if (timer.due <= now) settle(step(definition, state, { type: "taskwright.timer", id, token: timer.token }, now));
    }
  };
  const first = start(definition, "engine/self", undefined, undefined, time.now());
  let state = first.state;
  return {
    state: () => state.snapshot.value as EngineState,
    context: () => state.snapshot.context as EngineContext,
    begin: () => settle(first),
    tell: (event) => settle(step(definition, state, event, time.now())),
  };
};
