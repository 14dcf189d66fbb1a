import { fromPromise, setup } from "xstate";
import { counter } from "../machines.ts";

/** Places in which a host's code may end its own process. Each is a name of what is done there. */
export interface Deadly {
  readonly guard?: () => void;
  readonly action?: () => unknown;
  readonly work?: () => unknown;
}

/** The same chart, whatever its parts do: what one process stored, the next one reads. */
export const deadly = ({ guard, action, work }: Deadly) => [
  setup({
    guards: {
      look: () => {
        guard?.();
        return true;
      },
    },
    actions: { act: () => action?.() },
    actors: { work: fromPromise(async () => work?.()) },
  }).createMachine({
    id: "bad",
    initial: "idle",
    states: { idle: { on: { GO: { target: "working", guard: "look", actions: "act" } } }, working: { invoke: { src: "work", onDone: "done", onError: "failed" } }, done: {}, failed: {} },
  }),
  counter,
];

const never = () => new Promise(() => {});
const die = () => process.exit(3);

/** Ways to end a process, and how much of the event was stored by then. */
export const deaths: Readonly<Record<string, Deadly & { readonly stored: boolean }>> = {
  "process.exit in a guard": { guard: die, stored: false },
  "process.exit in a custom action": { action: die, stored: true },
  "process.exit in a promise": { work: die, stored: true },
  "SIGKILL in a custom action": { action: () => process.kill(process.pid, "SIGKILL"), stored: true },
  "an error that nobody catches, out of a timer": {
    action: () => {
      setTimeout(() => {
        throw new Error("out of nowhere");
      });
    },
    work: never,
    stored: true,
  },
  "a rejection that nobody handles": { work: () => [void Promise.reject(new Error("let go")), never()][1], stored: true },
  "process.abort in a promise": { work: () => process.abort(), stored: true },
};
