import { and, not, or, stateIn } from "xstate";

/** What XState takes as a guard: a name, a name with parameters, a function, or what `and`, `or`, `not` and `stateIn` make. */
export type Guard = string | { readonly type: string; readonly params?: unknown } | GuardFunction;

interface GuardFunction {
  (...args: ReadonlyArray<never>): unknown;
  readonly check?: unknown;
  readonly guards?: ReadonlyArray<Guard>;
  readonly stateValue?: unknown;
}

const checkOf = (made: unknown): unknown => (made as GuardFunction).check;
const checks = { and: checkOf(and([])), or: checkOf(or([])), not: checkOf(not("any")), stateIn: checkOf(stateIn("any")) };

/** A guard as text: its name; `and(a, not(b))` where it is joined of several; "inline" where it has none. */
export const guardText = (guard: Guard): string => {
  if (typeof guard === "string") return guard;
  if (typeof guard === "object") return guard.type;
  const { check, guards = [], stateValue } = guard;
  const joined = guards.map(guardText).join(", ");
  if (check === checks.and) return `and(${joined})`;
  if (check === checks.or) return `or(${joined})`;
  if (check === checks.not) return `not(${joined})`;
  if (check === checks.stateIn) return `stateIn(${typeof stateValue === "string" ? stateValue : JSON.stringify(stateValue)})`;
  return guard.name === "" || guard.name === "guard" ? "inline" : guard.name;
};

/** The names in a guard, those of joined ones included. */
export const guardNames = (guard: Guard | undefined): ReadonlyArray<string> => {
  if (guard === undefined) return [];
  if (typeof guard === "string") return [guard];
  if (typeof guard === "object") return [guard.type];
  return (guard.guards ?? []).flatMap(guardNames);
};
