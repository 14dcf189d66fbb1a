import { type AnyStateMachine, type AnyStateNode, StateMachine } from "xstate";

/** Something that works, and would be easier to follow, to find again or to change if it had a name. */
export interface Hint {
  readonly machine: string;
  /** The state and the place in it: `state "charging", on "PAY"`. */
  readonly where: string;
  readonly what: string;
  readonly remedy: string;
}

type Guard = string | { readonly type: string } | (((...args: ReadonlyArray<never>) => unknown) & { readonly check?: unknown; readonly guards?: ReadonlyArray<Guard> });
type Action = string | { readonly type: string } | (((...args: ReadonlyArray<never>) => unknown) & { readonly type?: string; readonly id?: unknown; readonly delay?: unknown });
interface Config {
  readonly after?: Readonly<Record<string, unknown>>;
  readonly invoke?: Invoke | ReadonlyArray<Invoke>;
}
interface Invoke {
  readonly src: unknown;
  readonly id?: string;
}

const known = new WeakMap<AnyStateMachine, ReadonlyArray<Hint>>();

/** What a machine could say better: names for the pictures and the rows, ids for what one may want to address, a version. */
export const hintsOf = (machine: AnyStateMachine): ReadonlyArray<Hint> => {
  const hints = known.get(machine) ?? lookAt(machine);
  known.set(machine, hints);
  return hints;
};

const lookAt = (machine: AnyStateMachine): ReadonlyArray<Hint> => {
  const hints: Array<Hint> = [];
  const hint = (where: string, what: string, remedy: string) => hints.push({ machine: machine.id, where, what, remedy });
  const implemented = machine.implementations.actions as Readonly<Record<string, Action | undefined>>;
  const seen = new Set<string>();

  const lookAtGuard = (guard: Guard | undefined, where: string): void => {
    if (typeof guard !== "function") return;
    // and(), or(), not() and stateIn() say what they are; those that they join may not.
    if (guard.check === undefined) hint(where, "an inline guard", "move it to setup({ guards: { isSomething } }) and write its name");
    else for (const joined of guard.guards ?? []) lookAtGuard(joined, where);
  };
  const lookAtAction = (action: Action, where: string): void => {
    if (typeof action !== "function") {
      const name = typeof action === "string" ? action : action.type;
      const implementation = Object.hasOwn(implemented, name) ? implemented[name] : undefined;
      if (typeof implementation !== "function" || seen.has(name)) return;
      seen.add(name);
      return lookAtSend(implementation, `action "${name}"`);
    }
    if (action.type === "xstate.assign") hint(where, "an inline assign", "move it to setup({ actions: { recordSomething: assign(…) } }) and write its name");
    if (action.type === "xstate.enqueueActions") hint(where, "inline enqueueActions", "move it to setup({ actions: { doSomething: enqueueActions(…) } }) and write its name");
    lookAtSend(action, where);
  };
  const lookAtSend = (action: Exclude<Action, string | { readonly type: string }>, where: string): void => {
    const { delay, id, type } = action;
    // What `after` sets has a name of its own; it is looked at where it stands.
    if (delay === undefined || (typeof id === "string" && id.startsWith("xstate.after."))) return;
    if (typeof delay !== "string") hint(where, `an inline delay${typeof delay === "number" ? ` (${delay} ms)` : ""}`, "move it to setup({ delays: { someTimeout } }) and write its name");
    const call = type === "xstate.raise" ? "raise" : "sendTo";
    if (id === undefined) hint(where, `a delayed ${call}() without an id: it can't be cancelled, and its timer is called "auto.<number>"`, `write ${call}(…, { delay, id: "someId" })`);
  };
  const lookAtNode = (node: AnyStateNode): void => {
    const where = `state "${node.path.length === 0 ? node.id : node.path.join(".")}"`;
    const { after = {}, invoke = [] } = node.config as Config;
    for (const action of node.entry as ReadonlyArray<Action>) lookAtAction(action, `${where}, entry`);
    for (const action of node.exit as ReadonlyArray<Action>) lookAtAction(action, `${where}, exit`);
    for (const [on, transitions] of [...node.transitions, ["", node.always ?? []] as const]) {
      const what = `${where}, ${on === "" ? "always" : `on "${on}"`}`;
      for (const transition of transitions) {
        lookAtGuard(transition.guard as Guard | undefined, what);
        for (const action of transition.actions as ReadonlyArray<Action>) lookAtAction(action, what);
      }
    }
    for (const action of (node.initial?.actions ?? []) as ReadonlyArray<Action>) lookAtAction(action, `${where}, initial`);
    for (const delay of Object.keys(after)) if (/^\d+$/.test(delay)) hint(`${where}, after`, `an inline delay (${delay} ms)`, "move it to setup({ delays: { someTimeout } }) and write its name");
    (Array.isArray(invoke) ? (invoke as ReadonlyArray<Invoke>) : [invoke as Invoke]).forEach(({ src, id }, index) => {
      if (typeof src !== "string")
        hint(`${where}, invoke`, "inline invoked logic: it is found again by its state's path, and lost where that changes", "move it to setup({ actors: { someName } }) and write its name");
      if (id === undefined)
        hint(`${where}, invoke`, `an invoked actor without an id: its address ends in "${index}.${node.id}", and changes with the state's path`, 'write invoke: { id: "someId", … }');
    });
    for (const child of Object.values(node.states)) lookAtNode(child);
  };

  if (machine.version === undefined) hint("machine", "it has no version", 'add version: "1" to its config: actors are stored with it, and a later version can tell them apart');
  lookAtNode(machine.root);
  return hints;
};

export const isMachine = (logic: unknown): logic is AnyStateMachine => logic instanceof StateMachine;
