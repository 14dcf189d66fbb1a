import type { AnyStateMachine } from "xstate";
import { sourcesOf } from "../actor/index.ts";
import type { Action } from "./action.ts";
import { chartNodes, transitionsOf } from "./graph-of.ts";

/** An event that an action of a machine sends, as far as it can be read from the machine. */
export interface Send {
  readonly type: string;
  readonly to: "self" | "parent" | "child" | "elsewhere";
  /** Of a child: its id. */
  readonly child?: string;
  /** It comes after a delay. */
  readonly delayed: boolean;
  /** In words: the action's name, or where it stands. */
  readonly by: string;
}

export interface Sends {
  readonly certain: ReadonlyArray<Send>;
  /** Event types that stand in the text of a function which sends: it may send them to anybody. */
  readonly possible: ReadonlySet<string>;
}

interface Builtin {
  readonly type?: string;
  readonly resolve?: unknown;
  readonly event?: unknown;
  readonly to?: unknown;
  readonly delay?: unknown;
  readonly collect?: unknown;
}

/** What a machine sends. Events that a function makes are found by its text; those of a host's own code are not seen. */
export const sendsOf = (machine: AnyStateMachine): Sends => {
  const certain: Array<Send> = [];
  const possible = new Set<string>();
  const implemented = machine.implementations.actions as Readonly<Record<string, Action | undefined>>;
  const seen = new Set<string>();
  const read = (value: unknown): void => {
    if (typeof value === "function") for (const type of typesIn(value)) possible.add(type);
  };
  const look = (action: Action | undefined, by: string): void => {
    if (action === undefined) return;
    if (typeof action !== "function") {
      const name = typeof action === "string" ? action : action.type;
      if (!seen.has(name)) {
        seen.add(name);
        look(Object.hasOwn(implemented, name) ? implemented[name] : undefined, `action "${name}"`);
      }
      return;
    }
    const { type, resolve, event, to, delay, collect } = action as Builtin;
    if (resolve === undefined) return;
    if (type === "xstate.raise" || type === "xstate.sendTo") {
      read(event);
      read(to);
      const sent = typeof event === "string" ? event : (event as { readonly type?: unknown } | undefined)?.type;
      if (typeof event !== "function" && typeof sent === "string" && !sent.startsWith("xstate.")) {
        const target =
          type === "xstate.raise"
            ? { to: "self" as const }
            : to === "#_parent"
              ? { to: "parent" as const }
              : typeof to === "string"
                ? { to: "child" as const, child: to }
                : { to: "elsewhere" as const };
        certain.push({ type: sent, ...target, delayed: delay !== undefined, by });
        possible.add(sent);
      }
    } else read(collect);
    // Params and expressions may hold more, such as the id of a delayed event.
  };
  for (const node of chartNodes(machine)) {
    const where = `state "${node.path.join(".") || node.id}"`;
    const { entry, exit } = node as unknown as { readonly entry: ReadonlyArray<Action>; readonly exit: ReadonlyArray<Action> };
    for (const action of [...entry, ...exit, ...(node.initial?.actions ?? [])]) look(action, where);
    for (const { id, transition } of transitionsOf(node)) for (const action of transition.actions) look(action, id);
  }
  // Whatever else there is may be used by a function of the machine.
  for (const name of Object.keys(implemented)) look(name, name);
  // What a callback of the machine sends back is in its own text.
  for (const { logic } of sourcesOf(machine).values()) for (const type of typesIn((logic as { readonly config?: unknown }).config)) possible.add(type);
  return { certain, possible };
};

const typesIn = (value: unknown): ReadonlyArray<string> => (typeof value === "function" ? [...String(value).matchAll(/\btype:\s*["'`]([^"'`]+)["'`]/g)].map(([, type]) => type as string) : []);
