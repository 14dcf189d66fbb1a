import type { AnyStateMachine } from "xstate";
import { type ActorState, define, nextDue, start, step } from "../actor/index.ts";
import type { Time } from "../engine/index.ts";

/** A machine that lives with this process alone: a connection, a session. */
export interface InMemory {
  readonly value: () => unknown;
  readonly context: () => unknown;
  readonly isOver: () => boolean;
  readonly tell: (event: { readonly type: string; readonly [key: string]: unknown }) => void;
  /** Its deadlines are given up; nothing is told any more. */
  readonly stop: () => void;
}

type Handlers = Readonly<Record<string, (params: unknown) => void>>;

/**
 * Runs a machine in memory, by the same step as every durable one, its deadlines on the engine's clock. `handlers`
 * carry out what the chart asks for, after the transition; what they tell the machine meanwhile is handled next.
 */
export const runInMemory = (machine: AnyStateMachine, input: unknown, time: Time, handlers: Handlers): InMemory => {
  const definition = definitionOf(machine, Object.keys(handlers));
  let state: ActorState;
  let cancel = () => {};
  let stopped = false;
  let busy = false;
  const waiting: Array<() => ReturnType<typeof step>> = [];
  const run = (make: () => ReturnType<typeof step>) => {
    waiting.push(make);
    if (busy) return;
    busy = true;
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      if (stopped) break;
      const result = next();
      state = result.state;
      cancel();
      const due = nextDue(state);
      if (due !== undefined && state.snapshot.status === "active") cancel = time.wakeAt(due, expire);
      for (const command of result.commands) if (command.type === "act") handlers[command.action]?.(command.params);
    }
    busy = false;
  };
  const expire = () => {
    const now = time.now();
    for (const [id, timer] of Object.entries(state.timers)) if (timer.due <= now) run(() => step(definition, state, { type: "taskwright.timer", id, token: timer.token }, time.now()));
  };
  run(() => start(definition, `${machine.id}/self`, undefined, input as never, time.now()));
  return {
    value: () => state.snapshot.value,
    context: () => state.snapshot.context,
    isOver: () => state.snapshot.status !== "active",
    tell: (event) => {
      if (!stopped && state.snapshot.status === "active") run(() => step(definition, state, event as never, time.now()));
    },
    stop: () => {
      stopped = true;
      cancel();
    },
  };
};

const definitions = new WeakMap<AnyStateMachine, ReturnType<typeof define>>();
const definitionOf = (machine: AnyStateMachine, actions: ReadonlyArray<string>) => {
  const known = definitions.get(machine) ?? define(machine, { actions });
  definitions.set(machine, known);
  return known;
};
