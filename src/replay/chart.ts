import { type AnyStateMachine, StateMachine } from "xstate";
import { type Definition, definitionOf } from "../actor/index.ts";
import type { DurableMachine } from "../engine/index.ts";

/** A chart cannot become a machine again: something in it has no name. */
class Nameless extends Error {}

/**
 * The machine that a stored chart describes, with the functions of another form of it: what was there before a deploy, when
 * only the new program is at hand. Nothing where the chart has inline functions for which the other form has none at the
 * same place. Whether the functions are the same as then, the fingerprints of a history tell.
 */
export const machineOfChart = (chart: string, form: Pick<Definition, "hash">, like: AnyStateMachine | DurableMachine): Definition | undefined => {
  const entry: DurableMachine = "implementations" in like ? { machine: like as AnyStateMachine } : (like as DurableMachine);
  const { machine } = entry;
  try {
    const config = revived(JSON.parse(chart), machine.config);
    const definition = definitionOf({ ...entry, machine: new StateMachine(config as never, machine.implementations as never) as unknown as AnyStateMachine });
    return definition.hash === form.hash ? definition : undefined;
  } catch {
    // Something is missing that the old chart names: what cannot be made is not guessed.
    return undefined;
  }
};

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null;

/** The chart as a config. What JSON can't carry is taken from the same place of the other config. */
const revived = (chart: unknown, like: unknown): unknown => {
  if (Array.isArray(chart)) return chart.map((item, index) => revived(item, Array.isArray(like) ? like[index] : index === 0 ? like : undefined));
  if (!isObject(chart)) return chart;
  const [key] = Object.keys(chart);
  if (Object.keys(chart).length === 1 && (key === "function" || key === "logic" || key === "machine" || key === "repeated")) {
    // Where a function stands alone there was one; an object of the user's with such a key is not like that.
    if (typeof like === "function" || (isObject(like) && "transition" in like)) return like;
    if (key !== "machine" || typeof chart.machine !== "string") throw new Nameless();
  }
  return Object.fromEntries(Object.entries(chart).map(([name, value]) => [name, revived(value, isObject(like) ? like[name] : undefined)]));
};
