import { useEffect, useRef } from "react";
import { createActor, setup, stateIn } from "xstate";

/**
 * Reads at once when something has moved, and then not before it has rested: what moves meanwhile is read together, after it.
 *
 *   ready ──MOVED──▶ resting.upToDate ──MOVED──▶ resting.behind
 *     ▲                    │ rest                    │ rest
 *     └────────────────────┘                         └──▶ resting.upToDate, having read again
 */
const reader = setup({
  types: { events: {} as { readonly type: "MOVED" } },
  actions: { read: () => {} },
  guards: { isBehind: stateIn({ resting: "behind" }) },
  // Where it stands the frames tell meanwhile.
  delays: { rest: 1_000 },
}).createMachine({
  id: "reader",
  version: "1",
  description: "Reads what has moved, not too often.",
  initial: "ready",
  states: {
    ready: { description: "What was read is how it is.", on: { MOVED: "resting" } },
    resting: {
      description: "It was read a moment ago.",
      entry: "read",
      initial: "upToDate",
      after: { rest: [{ guard: "isBehind", target: "resting", reenter: true }, { target: "ready" }] },
      states: { upToDate: { description: "Nothing has moved since.", on: { MOVED: "behind" } }, behind: { description: "Something has." } },
    },
  },
});

/** Answers what is to be called when something has moved; `read` is then called at once, or after a rest. */
export const useRested = (read: () => void): (() => void) => {
  const latest = useRef(read);
  latest.current = read;
  const actor = useRef<{ readonly send: (event: { readonly type: "MOVED" }) => void }>(undefined);
  useEffect(() => {
    const started = createActor(reader.provide({ actions: { read: () => latest.current() } })).start();
    actor.current = started;
    return () => void started.stop();
  }, []);
  return () => actor.current?.send({ type: "MOVED" });
};
