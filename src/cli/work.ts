import * as path from "node:path";
import { type Dispatcher, dispatchMachines, type Kinds, openDispatcher } from "../dispatch/index.ts";
import type { Failure } from "../domain/json.ts";
import { openEngine } from "../engine/index.ts";
import { functionSlots } from "./task-line.ts";

/** A journal with an engine and a dispatcher on it. */
export interface Work {
  readonly dispatcher: Dispatcher;
  readonly health: () => Health;
  /** Ends the workers and gives the journal up. */
  readonly close: () => Promise<void>;
}

export interface Health {
  readonly state: "well" | "degraded" | "stopped";
  readonly cause: Failure | undefined;
}

export type OpenWork = (options: { readonly database: string; readonly slots: number; readonly kinds?: Kinds | undefined }) => Promise<Work>;

export const openWork: OpenWork = async ({ database, slots, kinds = {} }) => {
  const dispatch = dispatchMachines({ kinds, folders: `${path.resolve(database)}.folders` });
  const engine = await openEngine({ database, machines: [], plugins: [dispatch] });
  try {
    const dispatcher = await openDispatcher(engine, dispatch, { slots, functionSlots });
    return {
      dispatcher,
      health: () => {
        const { state, cause } = engine.status();
        return { state: state === "degraded" || state === "stopped" ? state : "well", cause };
      },
      close: async () => {
        await dispatcher.stop();
        await engine.close();
      },
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
};
