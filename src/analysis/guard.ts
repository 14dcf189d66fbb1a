import { type AnyMachineSnapshot, type AnyStateMachine, and, not, or, stateIn } from "xstate";

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

/** What a guard says of an event that carries nothing but its type: `depends` where it looks at what else the event carries. */
export interface GuardVerdict {
  readonly says: "holds" | "fails" | "depends" | "throws";
  /** What of the event it looked at. */
  readonly reads: ReadonlyArray<string>;
}

interface Situation {
  readonly machine: AnyStateMachine;
  readonly snapshot: AnyMachineSnapshot;
  readonly self: unknown;
}

/** Asks a guard about an event. With `known` the event is whole; without, only its type is known. */
export const askGuard = (guard: Guard, event: { readonly type: string }, { machine, snapshot, self }: Situation, known: boolean): GuardVerdict => {
  const reads = new Set<string>();
  const seen = known ? event : unknownEvent(event.type, reads);
  const named = machine.implementations.guards as Readonly<Record<string, Guard | undefined>>;
  const args = { context: snapshot.context, event: seen, self, system: undefined };
  const ask = (asked: Guard, params?: unknown): boolean => {
    if (typeof asked !== "function") {
      const name = typeof asked === "string" ? asked : asked.type;
      const given = typeof asked === "string" ? undefined : asked.params;
      const implementation = Object.hasOwn(named, name) ? named[name] : undefined;
      if (implementation === undefined) throw new Error(`nothing implements the guard "${name}"`);
      return ask(implementation, typeof given === "function" ? given({ context: snapshot.context, event: seen }) : given);
    }
    const { check, guards = [], stateValue } = asked;
    if (check === checks.and) return guards.every((one) => ask(one));
    if (check === checks.or) return guards.some((one) => ask(one));
    if (check === checks.not) return !guards.some((one) => ask(one));
    if (check === checks.stateIn) return typeof stateValue === "string" && stateValue.startsWith("#") ? isIn(snapshot, stateValue.slice(1)) : snapshot.matches(stateValue as never);
    return Boolean((asked as (args: unknown, params: unknown) => unknown)(args, params));
  };
  try {
    const holds = ask(guard);
    return { says: reads.size > 0 ? "depends" : holds ? "holds" : "fails", reads: [...reads] };
  } catch {
    return { says: reads.size > 0 ? "depends" : "throws", reads: [...reads] };
  }
};

const isIn = (snapshot: AnyMachineSnapshot, id: string): boolean => (snapshot as unknown as { readonly _nodes: ReadonlyArray<{ readonly id: string }> })._nodes.some((node) => node.id === id);

/** An event of which only the type is known: it notes what else is looked for. */
const unknownEvent = (type: string, reads: Set<string>): { readonly type: string } =>
  new Proxy(
    { type },
    {
      get: (target, key) => {
        if (key === "type" || typeof key === "symbol") return Reflect.get(target, key);
        reads.add(key);
        return undefined;
      },
      has: (target, key) => {
        if (key !== "type" && typeof key === "string") reads.add(key);
        return Reflect.has(target, key);
      },
      ownKeys: (target) => {
        reads.add("everything");
        return Reflect.ownKeys(target);
      },
    },
  );
