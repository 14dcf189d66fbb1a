import { encode, parseState, type StoredState } from "../actor/index.ts";
import type { Outcome } from "../domain/envelope.ts";
import { hashOf, type SentEvent } from "../engine/index.ts";
import { WhatIfRefused } from "./errors.ts";
import { recordedOf } from "./fork.ts";
import type { Machines } from "./forms.ts";
import type { History } from "./history.ts";
import { type Answer, type MarkedInput, retell, type Tale } from "./retell.ts";

export interface MinimiseOptions {
  /**
   * What the shorter history must lead to. `failure`: the machine throws the same. `state`: it ends in the same state with the
   * same status. Default: the failure if there is one, else the state.
   */
  readonly goal?: "failure" | "state" | ((end: { readonly state: StoredState; readonly failure: string | undefined }) => boolean);
  /** Retellings that may be tried. Default 10,000. */
  readonly triesMax?: number;
}

/** The shortest list of events that was found. */
export interface Minimal {
  /** A history of its own, with fingerprints: it can be exported and replayed. */
  readonly history: History;
  /** What comes from outside in it, and when, in milliseconds after the start. */
  readonly events: ReadonlyArray<{ readonly at: number; readonly event: SentEvent }>;
  /** What children answer in it, by their source, in the order in which they are started. Nothing: it does not answer. */
  readonly answers: Readonly<Record<string, ReadonlyArray<Answer | null>>>;
  readonly input: unknown;
  readonly state: StoredState;
  /** What the machine threw last, if it did. */
  readonly failure: string | undefined;
  /** Entries before, and now. */
  readonly entries: { readonly before: number; readonly after: number };
  readonly tries: number;
}

/** Something that may be left out: an input, or the answer of a child. */
type Part = { readonly input: MarkedInput } | { readonly answer: number };

/**
 * Leaves out of a history whatever is not needed for how it ends: events from outside and answers of children, in ever smaller
 * pieces, until nothing more can go. Throws as `fork` does, and `WhatIfRefused` where the goal is not reached to begin with.
 */
export const minimise = (history: History, machines: Machines, { goal, triesMax = 10_000 }: MinimiseOptions = {}): Minimal => {
  const { definition, recorded } = recordedOf(history, machines);
  const first = recorded.inputs.filter(({ event }) => event.type === "taskwright.start").slice(0, 1);
  const all: ReadonlyArray<Part> = [...recorded.inputs.filter((input) => !first.includes(input)).map((input) => ({ input })), ...recorded.answers.map((answer) => ({ answer }))];
  let tries = 0;
  const told = (parts: ReadonlyArray<Part>): Tale => {
    tries++;
    const kept = new Set(parts.flatMap((part) => ("answer" in part ? [part.answer] : [])));
    const silent = new Map(recorded.answers.flatMap((seq) => (kept.has(seq) ? [] : [[seq, undefined] as const])));
    return retell(definition, history, recorded, {
      inputs: [...first, ...parts.flatMap((part) => ("input" in part ? [part.input] : []))],
      answers: silent,
      restMs: restOf(recorded.lastAt, recorded.inputs),
    });
  };
  const whole = told(all);
  const wanted = endOf(whole);
  const isReached = (tale: Tale): boolean => {
    const end = endOf(tale);
    if (end === undefined || wanted === undefined) return false;
    if (typeof goal === "function") return goal(end);
    if (goal === "failure" || (goal === undefined && wanted.failure !== undefined)) return wanted.failure !== undefined && end.failure === wanted.failure;
    return end.state.status === wanted.state.status && JSON.stringify(end.state.value) === JSON.stringify(wanted.state.value) && end.state.error?.message === wanted.state.error?.message;
  };
  if (!isReached(whole))
    throw new WhatIfRefused({ address: history.address, seq: whole.told.at(-1)?.seq ?? 0, detail: "the whole history does not lead there, so that none of its parts is looked for" });
  let parts = all;
  for (let size = Math.ceil(parts.length / 2); size >= 1 && tries < triesMax; ) {
    let isShorter = false;
    for (let from = 0; from < parts.length && tries < triesMax; ) {
      const shorter = [...parts.slice(0, from), ...parts.slice(from + size)];
      if (isReached(told(shorter))) {
        parts = shorter;
        isShorter = true;
      } else from += size;
    }
    if (size === 1 && !isShorter) break;
    size = isShorter ? Math.min(size, Math.max(1, Math.ceil(parts.length / 2))) : Math.floor(size / 2);
  }
  const tale = told(parts);
  return minimalOf(history, tale, recorded.begin?.at, tries, parts);
};

/** All answers and deadlines of the last event may come. */
const restOf = (lastAt: number, inputs: ReadonlyArray<MarkedInput>): number => Math.max(0, lastAt - Math.min(...inputs.map(({ at }) => at), lastAt));

const endOf = ({ told, state }: Tale): { readonly state: StoredState; readonly failure: string | undefined } | undefined =>
  state === undefined ? undefined : { state: parseState(encode(state)), failure: told.findLast(({ outcome }) => outcome === "failed")?.threw };

const minimalOf = (history: History, { told, state }: Tale, begin: number | undefined, tries: number, parts: ReadonlyArray<Part>): Minimal => {
  const beginAt = begin ?? told[0]?.at ?? 0;
  const entries = told.map(({ at, event, outcome, from, after, before }, index) => ({
    seq: index + 1 + (begin === undefined ? 0 : (history.start?.seq ?? 0)),
    at,
    event: event as SentEvent,
    outcome: outcome as Outcome,
    from,
    stateHash: hashOf(encode((after ?? before) as NonNullable<typeof after>)),
  }));
  const isFromOutside = (type: string) => !type.startsWith("taskwright.");
  const answers: Record<string, Array<Answer | null>> = {};
  const started: Array<{ readonly src: string; readonly place: number; readonly id: string; readonly token: number; readonly at: number }> = [];
  for (const { at, event, commands } of told) {
    if (event.type === "taskwright.done" || event.type === "taskwright.error") {
      const { child, token, output, error } = event as { readonly child: string; readonly token: number; readonly output?: unknown; readonly error?: unknown };
      const start = started.find((one) => one.id === child && one.token === token);
      if (start !== undefined) (answers[start.src] as Array<Answer | null>)[start.place] = { ...(error === undefined ? { output } : { error }), afterMs: at - start.at };
    }
    for (const command of commands) {
      if (command.type !== "child.start") continue;
      const list = (answers[command.src] ??= []);
      started.push({ src: command.src, place: list.length, id: command.id, token: command.token, at });
      list.push(null);
    }
  }
  const final = parseState(encode(state as NonNullable<typeof state>));
  const { state: _, ...rest } = history;
  return {
    history: { ...rest, entries, state: final },
    events: parts.flatMap((part) => ("input" in part && isFromOutside(part.input.event.type) ? [{ at: part.input.at - beginAt, event: part.input.event as SentEvent }] : [])),
    answers,
    input: (told[0]?.event as { readonly input?: unknown } | undefined)?.input,
    state: final,
    failure: told.findLast(({ outcome }) => outcome === "failed")?.threw,
    entries: { before: history.entries.length, after: entries.length },
    tries,
  };
};
