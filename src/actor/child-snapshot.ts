import { matchesState, type StateValue } from "xstate";
import { failureOf, type Json, RevivedError } from "../domain/json.ts";
import type { ActorState } from "./state.ts";

/** What a parent that listens to its child's snapshots is told of them, as JSON. */
export const snapshotToTell = ({ snapshot }: ActorState): Json => {
  const { status, value, context, output, error } = snapshot as { status: string; value: StateValue; context: Json; output: Json | undefined; error: unknown };
  return {
    status,
    value: value as Json,
    context,
    ...(output === undefined ? {} : { output }),
    ...(error === undefined ? {} : { error: failureOf(error) as unknown as Json }),
    ...(snapshot.tags.size === 0 ? {} : { tags: [...snapshot.tags] }),
  };
};

/**
 * The child's snapshot as XState would show it in `event.snapshot`: its data, and the questions that one asks of a
 * machine's snapshot. The questions are not enumerable, so that a context may keep it.
 */
export const childSnapshot = (told: Json): object => {
  const { tags = [], error, ...data } = told as { readonly value?: StateValue; readonly tags?: ReadonlyArray<string>; readonly error?: never; readonly [key: string]: unknown };
  const snapshot = { output: undefined, ...data, error: error === undefined ? undefined : new RevivedError(error) };
  const known = new Set(tags);
  return Object.defineProperties(snapshot, {
    tags: { value: known },
    hasTag: { value: (tag: string) => known.has(tag) },
    matches: { value: (state: StateValue) => data.value !== undefined && matchesState(state, data.value) },
  });
};
