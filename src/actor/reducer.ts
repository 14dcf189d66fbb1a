import { type AnyActorLogic, type AnyStateMachine, enqueueActions, type EventObject, setup } from "xstate";

interface TransitionLogic {
  readonly transition: (snapshot: { readonly context: unknown }, event: EventObject, scope: unknown) => { readonly context: unknown };
  readonly getInitialSnapshot: (scope: unknown, input: unknown) => { readonly context: unknown };
}

interface Types {
  readonly context: { readonly state: unknown };
  readonly events: EventObject;
  readonly emitted: EventObject;
  readonly input: unknown;
}

/** The id under which the reducer of a machine is known: no machine of a user's can have it by accident. */
export const reducerId = (machine: string, src: string): string => `${machine}#${src}`;

/**
 * What `fromTransition` made, as a machine of one state: so it is stepped, stored, replayed and drawn like every other.
 * The reducer's own state stands in `context.state`.
 */
export const reducerMachine = (id: string, version: string, logic: AnyActorLogic): AnyStateMachine => {
  const { transition, getInitialSnapshot } = logic as unknown as TransitionLogic;
  return setup({
    types: {} as Types,
    actions: {
      reduce: enqueueActions(({ context, event, self, system, enqueue }) => {
        const scope = { self, system, id: self.id, sessionId: self.sessionId, emit: (emitted: EventObject) => enqueue.emit(emitted) };
        const { context: state } = transition({ context: context.state }, event, scope);
        enqueue.assign({ state });
      }),
    },
  }).createMachine({
    id,
    version,
    description: "A reducer: every event makes its next state.",
    context: ({ input, self }) => ({ state: getInitialSnapshot({ self }, input).context }),
    initial: "reducing",
    states: {
      reducing: { description: "No limit: it lives as long as the state that invoked it.", on: { "*": { actions: "reduce" } } },
    },
  }) as unknown as AnyStateMachine;
};
