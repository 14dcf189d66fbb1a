import type { AnyStateMachine, AnyStateNode } from "xstate";
import { type Early, earlyPolicies } from "../domain/envelope.ts";
import type { Source } from "./definition.ts";

interface Known {
  readonly sources: ReadonlyMap<string, Source>;
  /** Custom actions that the host implements outside the machine. */
  readonly actions: ReadonlySet<string> | "any";
}

type Guard = string | { readonly type: string } | ((...args: ReadonlyArray<never>) => unknown);
type Action = string | { readonly type: string } | ((...args: ReadonlyArray<never>) => unknown);

/**
 * Lists what would keep a machine from being durable, with state paths and remedies: side effects and spawned logic
 * without a stable name (they could not be found again after a restart), names that nothing implements, children
 * without an id. XState itself takes an unknown delay for none at all, and meets an unknown guard only in passing.
 */
export const checkMachine = (machine: AnyStateMachine, known: Known): ReadonlyArray<string> => {
  const problems: Array<string> = [];
  if (machine.id === "(machine)" || machine.id === "") problems.push('the machine has no id: add `id: "order"` to its config, because addresses and stored rows begin with it');
  else if (/[\u0000-\u001f\u007f/]/.test(machine.id)) problems.push(`the machine id "${machine.id}" has a slash or a control character: addresses are paths`);
  const implemented = machine.implementations.actions as Record<string, Action | undefined>;
  const { guards, delays } = machine.implementations as { guards: Record<string, Guard | undefined>; delays: Record<string, unknown> };
  const seen = new Set<unknown>();

  const checkGuard = (guard: Guard | undefined, where: string): void => {
    if (guard === undefined) return;
    if (typeof guard === "function") {
      // and(), or() and not() carry the guards that they join.
      for (const joined of (guard as { readonly guards?: ReadonlyArray<Guard> }).guards ?? []) checkGuard(joined, where);
      return;
    }
    const name = typeof guard === "string" ? guard : guard.type;
    const implementation = Object.hasOwn(guards, name) ? guards[name] : undefined;
    if (implementation === undefined) problems.push(`${where}: nothing implements the guard "${name}"; add it to setup({ guards })`);
    else if (!seen.has(implementation)) {
      seen.add(implementation);
      checkGuard(implementation, `guard "${name}"`);
    }
  };
  const checkDelay = (delay: unknown, where: string): void => {
    if (typeof delay === "string" && !Object.hasOwn(delays, delay)) problems.push(`${where}: nothing implements the delay "${delay}"; add it to setup({ delays })`);
  };
  const checkAction = (action: Action, where: string): void => {
    if (typeof action === "function" && !("resolve" in action)) {
      const name = action.name === "" ? "an inline function" : `the inline function "${action.name}"`;
      problems.push(`${where}: ${name} is a side effect without a stable name; move it to setup({ actions: { someName } }) and write actions: "someName"`);
      return;
    }
    if (typeof action === "function") return checkBuiltin(action as unknown as Builtin, where);
    const name = typeof action === "string" ? action : action.type;
    const implementation = implemented[name];
    if (implementation === undefined) {
      if (known.actions !== "any" && !known.actions.has(name)) problems.push(`${where}: nothing implements the action "${name}"; add it to setup({ actions }) or to the actions given at registration`);
      return;
    }
    if (typeof implementation === "function" && "resolve" in implementation && !seen.has(implementation)) {
      seen.add(implementation);
      checkBuiltin(implementation as unknown as Builtin, `action "${name}"`);
    }
  };
  const checkBuiltin = (action: Builtin, where: string): void => {
    checkDelay(action.delay, where);
    if (action.type !== "xstate.spawnChild") return;
    if (typeof action.src !== "string")
      problems.push(`${where}: spawnChild() of inline logic has no stable name; move the logic to setup({ actors: { someName } }) and write spawnChild("someName", { id })`);
    else checkSource(action.src, `${where}: the spawned actor`, where);
    if (action.id === undefined) problems.push(`${where}: spawnChild() without an id can't be addressed; write spawnChild(…, { id: "someId" })`);
  };
  const checkSource = (src: string, what: string, where: string): void => {
    const source = known.sources.get(src);
    if (source === undefined) problems.push(`${where}: nothing implements the actor "${src}"; add it to setup({ actors })`);
    else if (source.kind === "unknown") problems.push(`${what} "${src}" is no logic that XState 5 makes (fromPromise, fromCallback, …, createMachine)`);
  };
  const checkNode = (node: AnyStateNode): void => {
    const where = `state "${node.path.length === 0 ? node.id : node.path.join(".")}"`;
    for (const action of node.entry as ReadonlyArray<Action>) checkAction(action, `${where}, entry`);
    for (const action of node.exit as ReadonlyArray<Action>) checkAction(action, `${where}, exit`);
    for (const [on, transitions] of [...node.transitions, ["", node.always ?? []] as const]) {
      const what = `${where}, ${on === "" ? "always" : `on "${on}"`}`;
      for (const transition of transitions) {
        checkGuard(transition.guard as Guard | undefined, what);
        for (const action of transition.actions as ReadonlyArray<Action>) checkAction(action, what);
      }
    }
    for (const action of (node.initial?.actions ?? []) as ReadonlyArray<Action>) checkAction(action, `${where}, initial`);
    const ids = new Set<string>();
    for (const { src, id } of node.invoke) {
      checkSource(String(src), `${where}: the invoked actor`, where);
      if (ids.has(id)) problems.push(`${where}: two invoked actors have the id "${id}": they would have one address; give each its own`);
      ids.add(id);
    }
    for (const child of Object.values(node.states)) checkNode(child);
  };
  checkNode(machine.root);
  return problems;
};

/** Lists what is wrong with the policies for early events. */
export const checkEarly = (machine: AnyStateMachine, early: Readonly<Record<string, Early>>): ReadonlyArray<string> =>
  Object.entries(early).flatMap(([type, policy]) => {
    if (!earlyPolicies.includes(policy)) return [`early event "${type}": the policy must be one of ${earlyPolicies.join(", ")}, got ${JSON.stringify(policy)}`];
    if (machine.events.includes(type)) return [];
    return [`early event "${type}": no state of the machine takes it (events: ${machine.events.filter((known) => !known.startsWith("xstate.")).join(", ") || "none"})`];
  });

interface Builtin {
  readonly type: string;
  readonly src?: unknown;
  readonly id?: unknown;
  readonly delay?: unknown;
}
