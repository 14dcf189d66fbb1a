import type { Failure, Json } from "./json.ts";

/** What a machine is told: an object with a `type`, otherwise anything that JSON carries. */
export interface Event {
  readonly type: string;
  readonly [key: string]: unknown;
}

/**
 * The engine's own events. Their names are ours, not XState's: stored histories must outlive a version of XState.
 * Nobody outside may send them; `token` tells the generation of a timer or a child that they belong to.
 */
export type EngineEvent =
  | { readonly type: "taskwright.start"; readonly input?: Json; readonly token?: number; readonly sync?: true }
  | { readonly type: "taskwright.stop"; readonly token?: number }
  | { readonly type: "taskwright.restart"; readonly input?: Json; readonly scope?: string }
  | { readonly type: "taskwright.fail"; readonly error: Failure }
  /** The actor goes on by another form of its machine. `state` is its stored state after that: a replay can begin here. */
  | {
      readonly type: "taskwright.migrate";
      readonly from: MachineForm;
      readonly to: MachineForm;
      /** `structure`: the state fits as it is. `migrate`: the machine's own `migrate` made it. */
      readonly by: "structure" | "migrate";
      readonly state: Json;
      /** Timers and children that have no place in the new form. */
      readonly dropped?: { readonly timers?: ReadonlyArray<string>; readonly children?: ReadonlyArray<string> };
    }
  | { readonly type: "taskwright.timer"; readonly id: string; readonly token: number }
  /** A timer whose transition threw is set aside, or it would be due for ever. It can be delivered again. */
  | { readonly type: "taskwright.hold"; readonly id: string; readonly token: number }
  /** A timer that was set aside is taken away: its dead letter was dropped. */
  | { readonly type: "taskwright.cancel"; readonly id: string; readonly token: number }
  /** An event that was kept is told again, because the state takes it now. */
  | { readonly type: "taskwright.offer"; readonly token: number }
  /** An event that was kept and on which the transition threw is given up, or it would be told for ever. */
  | { readonly type: "taskwright.forget"; readonly token: number }
  /** A child whose parent wants to see its snapshots (`onSnapshot`, `syncSnapshot`) was told something. */
  | { readonly type: "taskwright.snapshot"; readonly child: string; readonly token: number; readonly snapshot: Json }
  | { readonly type: "taskwright.done"; readonly child: string; readonly token: number; readonly output?: Json }
  | { readonly type: "taskwright.error"; readonly child: string; readonly token: number; readonly error: Failure };

/** One form of a machine: its version, and the hash of its chart. */
export interface MachineForm {
  readonly version: string;
  readonly hash: string;
}

/** Event types with one of these beginnings are the engine's and XState's own: a host's event may not use them. */
export const reservedPrefixes = ["taskwright.", "xstate.", "@xstate."] as const;

export const isReserved = (type: string): boolean => reservedPrefixes.some((prefix) => type.startsWith(prefix));
