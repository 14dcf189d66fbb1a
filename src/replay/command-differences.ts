import { isDeepStrictEqual } from "node:util";
import type { Command } from "../actor/index.ts";

/** A command that one machine asks for and the other does not, or asks for differently. */
export interface CommandDifference {
  readonly what: "added" | "removed" | "changed";
  /** `timer`: a deadline is set, for another moment, or not at all. */
  readonly of: "command" | "timer";
  /** Names it within the step: `child.start charge`, `act mail`, `timer.set after.1000.order.shipping`. */
  readonly name: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** A command without generations and what is only talk: what of it another machine must ask for, too. */
const plain = (command: Command): { readonly name: string; readonly told: unknown } | undefined => {
  switch (command.type) {
    case "timer.set":
      return { name: `timer.set ${command.id}`, told: command.due };
    case "child.start":
      return { name: `child.start ${command.id}`, told: { src: command.src, input: command.input } };
    case "child.stop":
      return { name: `child.stop ${command.id}`, told: null };
    case "send":
      return { name: `send ${command.event.type} to ${targetOf(command.to)}`, told: command.event };
    case "emit":
      return { name: `emit ${command.event.type}`, told: command.event };
    case "act":
      return { name: `act ${command.action}`, told: command.params };
    default:
      return undefined;
  }
};

const targetOf = (to: Extract<Command, { type: "send" }>["to"]): string => (to.kind === "child" ? `child ${to.id}` : to.kind === "address" ? "an address" : to.kind);

/** What one step asked for and asks for now, in the order of the names. */
export const commandDifferences = (asked: ReadonlyArray<Command>, asks: ReadonlyArray<Command>): ReadonlyArray<CommandDifference> => {
  if (asked.length === 0 && asks.length === 0) return [];
  const left = byName(asked);
  const right = byName(asks);
  const found: Array<CommandDifference> = [];
  for (const name of new Set([...left.keys(), ...right.keys()])) {
    const before = left.get(name) ?? [];
    const after = right.get(name) ?? [];
    const of = name.startsWith("timer.") ? "timer" : "command";
    for (let index = 0; index < Math.max(before.length, after.length); index++) {
      if (index >= before.length) found.push({ what: "added", of, name, after: after[index] });
      else if (index >= after.length) found.push({ what: "removed", of, name, before: before[index] });
      else if (!isDeepStrictEqual(plainData(before[index]), plainData(after[index]))) found.push({ what: "changed", of, name, before: before[index], after: after[index] });
    }
  }
  return found;
};

const byName = (commands: ReadonlyArray<Command>): ReadonlyMap<string, ReadonlyArray<unknown>> => {
  const named = new Map<string, Array<unknown>>();
  for (const command of commands) {
    const one = plain(command);
    if (one === undefined) continue;
    const list = named.get(one.name);
    if (list === undefined) named.set(one.name, [one.told]);
    else list.push(one.told);
  }
  return named;
};

const plainData = (value: unknown): unknown => (typeof value === "object" && value !== null ? (JSON.parse(JSON.stringify(value)) as unknown) : value);
