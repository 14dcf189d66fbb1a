import { isDeepStrictEqual } from "node:util";
import { type AnyStateMachine, matchesState, type StateValue } from "xstate";
import type { Outcome } from "../domain/envelope.ts";
import type { ActorView, DurableMachine } from "../engine/index.ts";
import { type History, replayOn } from "../replay/index.ts";

interface Verdict {
  readonly pass: boolean;
  readonly message: () => string;
}

const verdict = (pass: boolean, what: string, found: unknown): Verdict => ({ pass, message: () => `expected the actor ${pass ? "not " : ""}to ${what}; it has ${JSON.stringify(found)}` });

/** Matchers for what an engine answers: `expect.extend(matchers)`. */
export const matchers = {
  /** The actor stands in this state, or below it. */
  toBeIn: (view: ActorView, state: StateValue): Verdict => verdict(matchesState(state, view.value), `be in ${JSON.stringify(state)}`, view.value),
  toHaveTag: (view: ActorView, tag: string): Verdict => verdict(view.tags.includes(tag), `have the tag "${tag}"`, view.tags),
  /** The actor has ended with this output. */
  toHaveEndedWith: (view: ActorView, output: unknown): Verdict =>
    verdict(view.status === "done" && isDeepStrictEqual(view.output, output), `have ended with ${JSON.stringify(output)}`, { status: view.status, output: view.output, error: view.error?.message }),
  /** The receipt or history entry says that this became of the event. */
  toHaveBeen: (receipt: { readonly outcome: Outcome }, outcome: Outcome): Verdict => ({
    pass: receipt.outcome === outcome,
    message: () => `expected the event to have been ${outcome}; it was ${receipt.outcome}`,
  }),
  /** The actor waits for a deadline that is due then (milliseconds since 1970). */
  toWaitUntil: (view: ActorView, due: number): Verdict =>
    verdict(
      Object.values(view.timers ?? {}).some((timer) => timer.due === due),
      `wait until ${new Date(due).toISOString()}`,
      Object.fromEntries(Object.entries(view.timers ?? {}).map(([id, timer]) => [id, new Date(timer.due).toISOString()])),
    ),
  /** The machine, told what stands in the history, goes the same way, state by state, whatever form of it wrote that. */
  toReplayOn: (history: History, machine: AnyStateMachine | DurableMachine): Verdict => {
    const { verified, difference } = replayOn(history, [machine]);
    if (difference === undefined) return { pass: true, message: () => `expected the history of ${history.address} not to replay; all its ${verified} entries do` };
    const { seq, event, detail, why, fields } = difference;
    const places = fields.map(({ path, left, right }) => `\n  ${path}: stored ${JSON.stringify(left) ?? "-"}, now ${JSON.stringify(right) ?? "-"}`).join("");
    return { pass: false, message: () => `expected the history of ${history.address} to replay; entry ${seq} (${event}) differs: ${detail}\n  ${why}${places}` };
  },
};

interface Matchers<R> {
  toBeIn(state: StateValue): R;
  toHaveTag(tag: string): R;
  toHaveEndedWith(output: unknown): R;
  toHaveBeen(outcome: Outcome): R;
  toWaitUntil(due: number): R;
  toReplayOn(machine: AnyStateMachine | DurableMachine): R;
}

declare module "vitest" {
  // biome-ignore lint/suspicious/noExplicitAny: Vitest's own signature
  interface Assertion<T = any> extends Matchers<T> {}
  interface AsymmetricMatchersContaining extends Matchers<unknown> {}
}
