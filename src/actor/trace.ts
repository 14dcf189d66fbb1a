import type { StateValue } from "xstate";
import type { RawMicrostep } from "./scope.ts";

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
    transitions: microstep._transitions.map((transition) => {
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

const guardName = (guard: unknown): string | undefined => {
  if (typeof guard === "string") return guard;
  if (typeof guard === "function") return guard.name === "" ? "inline" : guard.name;
  if (typeof guard === "object" && guard !== null && "type" in guard) return String(guard.type);
  return undefined;
};
