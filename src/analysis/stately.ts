import type { AnyStateMachine } from "xstate";
import { isMachine } from "../actor/index.ts";
import type { Json } from "../domain/json.ts";
import { type Action, actionText } from "./action.ts";
import { type ChartNode, chartNodes, listOf } from "./graph-of.ts";
import { type Guard, guardText } from "./guard.ts";

type Config = Readonly<Record<string, unknown>>;

/**
 * A machine's config as JSON, as `createMachine` and Stately's tools read it: guards, actions and actors by name,
 * functions (context, input, output) left out.
 */
export const statelyOf = (machine: AnyStateMachine): Json =>
  ({ ...(machine.version === undefined ? {} : { version: machine.version }), ...(stateOf(machine.root as unknown as ChartNode, sourceNames(machine)) as object) }) as Json;

/** The names of inline logic, by the state and place in which it stands. */
const sourceNames = (machine: AnyStateMachine): ReadonlyMap<string, string> =>
  new Map(chartNodes(machine).flatMap((node) => node.invoke.map(({ src }, index) => [`${node.id} ${index}`, String(src)] as const)));

const stateOf = (node: ChartNode, sources: ReadonlyMap<string, string>): unknown => {
  const config = node.config as Config;
  return kept({
    id: node.parent === undefined ? node.id : config.id,
    type: config.type,
    description: config.description,
    tags: config.tags,
    meta: plain(config.meta),
    history: config.history,
    target: config.target,
    context: typeof config.context === "function" ? undefined : plain(config.context),
    initial: typeof config.initial === "object" && config.initial !== null ? transitionOf(config.initial) : config.initial,
    entry: actionsOf(config.entry),
    exit: actionsOf(config.exit),
    invoke: listOf(config.invoke as Config | ReadonlyArray<Config> | undefined).map((invoke, index) =>
      kept({
        id: invoke.id,
        src: sources.get(`${node.id} ${index}`) ?? (isMachine(invoke.src) ? invoke.src.id : "inline"),
        systemId: invoke.systemId,
        onDone: transitionsOf(invoke.onDone),
        onError: transitionsOf(invoke.onError),
        onSnapshot: transitionsOf(invoke.onSnapshot),
      }),
    ),
    always: transitionsOf(config.always),
    on: mapped(config.on, transitionsOf),
    after: mapped(config.after, transitionsOf),
    onDone: transitionsOf(config.onDone),
    states: mapped(node.states, (child) => stateOf(child as ChartNode, sources)),
  });
};

const transitionsOf = (given: unknown): unknown => {
  if (given === undefined) return undefined;
  return Array.isArray(given) ? given.map(transitionOf) : transitionOf(given);
};

const transitionOf = (given: unknown): unknown => {
  if (typeof given === "string" || typeof given !== "object" || given === null) return given;
  const { target, guard, actions, reenter, description, meta } = given as Config;
  return kept({ target, guard: guard === undefined ? undefined : named(guard, guardText(guard as Guard)), actions: actionsOf(actions), reenter, description, meta: plain(meta) });
};

const actionsOf = (given: unknown): unknown => {
  const actions = listOf(given as Action | ReadonlyArray<Action> | undefined).map((action) => named(action, actionText(action)));
  return actions.length === 0 ? undefined : actions;
};

/** An object with static parameters keeps them. */
const named = (given: unknown, type: string): unknown => {
  const params = typeof given === "object" && given !== null ? (given as Config).params : undefined;
  return kept({ type, params: typeof params === "function" ? undefined : plain(params) });
};

const mapped = (given: unknown, change: (value: unknown) => unknown): unknown => {
  const entries = Object.entries((given ?? {}) as Config);
  return entries.length === 0 ? undefined : Object.fromEntries(entries.map(([key, value]) => [key, change(value)]));
};

const kept = (fields: Config): Config => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0)));

const plain = (value: unknown): unknown => {
  try {
    return value === undefined ? undefined : JSON.parse(JSON.stringify(value) ?? "null");
  } catch {
    return undefined;
  }
};
