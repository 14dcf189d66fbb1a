import type { StateValue } from "xstate";
import type { RawMicrostep, RawNode, RawTransition } from "./scope.ts";

/** One microstep, readable: which transitions were taken on what, and where that led. */
export interface Microstep {
  readonly event: string;
  readonly value: StateValue;
  readonly transitions: ReadonlyArray<{
    readonly source: string;
    /** The descriptor that matched; empty for `always`. */
    readonly on: string;
    readonly targets: ReadonlyArray<string>;
    readonly guard?: string;
    readonly reenter?: true;
  }>;
}

export const traceOf = (microsteps: ReadonlyArray<RawMicrostep>): ReadonlyArray<Microstep> =>
  microsteps.map((microstep) => ({
    event: microstep.event.type,
    value: microstep.snapshot.value as StateValue,
    transitions: takenOf(microstep).map((transition) => {
      const guard = guardName(transition.guard);
      return {
        source: transition.source.id,
        on: transition.eventType,
        targets: (transition.target ?? []).map((node) => node.id),
        ...(guard === undefined ? {} : { guard }),
        ...(transition.reenter ? { reenter: true as const } : {}),
      };
    }),
  }));

/**
 * The transitions that a microstep took. XState reports those that were enabled; of two that leave the same states it
 * takes the one whose source lies within that of the other, else the first.
 */
export const takenOf = ({ _transitions: enabled }: RawMicrostep): ReadonlyArray<RawTransition> => {
  if (enabled.length < 2) return enabled;
  const taken: Array<RawTransition> = [];
  for (const transition of enabled) {
    const rivals = taken.filter((other) => leaveTheSame(transition, other));
    if (rivals.some((other) => !isBelow(transition.source, other.source))) continue;
    for (const rival of rivals) taken.splice(taken.indexOf(rival), 1);
    taken.push(transition);
  }
  return taken;
};

/** The same of a whole step, in order. */
export const allTaken = (microsteps: ReadonlyArray<RawMicrostep>): ReadonlyArray<RawTransition> => {
  const [first] = microsteps;
  return first !== undefined && microsteps.length === 1 ? takenOf(first) : microsteps.flatMap(takenOf);
};

/** What an enabled transition leaves is what is active below its domain; something is, unless the domain is atomic. */
const leaveTheSame = (left: RawTransition, right: RawTransition): boolean => {
  const [one, other] = [domainOf(left), domainOf(right)];
  if (one === undefined || other === undefined) return false;
  const [outer, inner] = one === other || isBelow(other, one) ? [one, other] : [other, one];
  return (outer === inner || isBelow(inner, outer)) && Object.keys(inner.states).length > 0;
};

/** The state within which everything is left; nothing for a transition without a target, which leaves nothing. */
const domainOf = ({ source, target = [], reenter }: RawTransition): RawNode | undefined => {
  if (target.length === 0) return undefined;
  if (!reenter && target.every((node) => node === source || isBelow(node, source))) return source;
  for (let above = target[0]?.parent; above !== undefined; above = above.parent) {
    const ancestor = above;
    if ([...target, source].every((node) => isBelow(node, ancestor))) return ancestor;
  }
  return rootOf(source);
};

const isBelow = (node: RawNode, ancestor: RawNode): boolean => node.parent !== undefined && (node.parent === ancestor || isBelow(node.parent, ancestor));
const rootOf = (node: RawNode): RawNode => (node.parent === undefined ? node : rootOf(node.parent));

const guardName = (guard: unknown): string | undefined => {
  if (typeof guard === "string") return guard;
  if (typeof guard === "function") return guard.name === "" ? "inline" : guard.name;
  if (typeof guard === "object" && guard !== null && "type" in guard) return String(guard.type);
  return undefined;
};
