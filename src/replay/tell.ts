import type { AnyStateMachine } from "xstate";
import { definitionOf, encode, parseState, type StoredState } from "../actor/index.ts";
import type { EngineEvent, Event } from "../domain/event.ts";
import type { Json } from "../domain/json.ts";
import type { DurableMachine, SentEvent } from "../engine/index.ts";
import type { Minimal } from "./minimise.ts";
import { Recorded } from "./recorded.ts";
import { type Answer, retell } from "./retell.ts";

/** What a machine is told, from its start. */
export interface Script {
  readonly input?: unknown;
  /** `at`: milliseconds after the start. */
  readonly events: ReadonlyArray<{ readonly at: number; readonly event: SentEvent }>;
  /** What children answer, by their name in `setup({ actors })`, in the order in which they are started; null: nothing. */
  readonly answers?: Readonly<Record<string, ReadonlyArray<Answer | null>>>;
  /** Goes on so many milliseconds behind the last event. Default 0. */
  readonly restMs?: number;
}

/** Where a machine ends that is told a script. */
export interface Told {
  readonly state: StoredState | undefined;
  /** What the machine threw last, if it did. */
  readonly failure: string | undefined;
  /** The states after each event. */
  readonly values: ReadonlyArray<StoredState["value"]>;
}

/** Tells a machine a script, in no time: the answers are given, nothing runs. */
export const tell = (machine: AnyStateMachine | DurableMachine, { input, events, answers = {}, restMs = 0 }: Script): Told => {
  const definition = definitionOf(machine);
  const address = `${definition.id}/script`;
  const history = { address, livedAt: address, machine: definition.id, version: definition.version, hash: definition.hash, createdAt: 0, entries: [] };
  const start: EngineEvent = { type: "taskwright.start", ...(input === undefined ? {} : { input: input as Json }) };
  const inputs = [{ at: 0, event: start as Event }, ...events.map(({ at, event }) => ({ at, event: event as Event }))];
  const counts = new Map<string, number>();
  const standIns = Object.fromEntries(
    Object.entries(answers).map(([src, list]) => [
      src,
      () => {
        const nth = counts.get(src) ?? 0;
        counts.set(src, nth + 1);
        return list[nth] ?? undefined;
      },
    ]),
  );
  const tale = retell(definition, history, new Recorded([]), { inputs: inputs.map(({ at, event }, order) => ({ seq: 0, at, order, event, from: "", outcome: "handled" as const })), standIns, restMs });
  return {
    state: tale.state === undefined ? undefined : parseState(encode(tale.state)),
    failure: tale.told.findLast(({ outcome }) => outcome === "failed")?.threw,
    values: tale.told.flatMap(({ after }) => (after === undefined ? [] : [after.snapshot.value as StoredState["value"]])),
  };
};

export interface TestFileOptions {
  /** What the test imports the machine from, and under which name. */
  readonly from: string;
  readonly name: string;
  /** The test's title. */
  readonly title: string;
}

/** A minimal history as the text of a test: it says where the machine ends today. Turn it round when that is mended. */
export const testFileOf = ({ input, events, answers, state, failure, history, ...rest }: Minimal, { from, name, title }: TestFileOptions): string => {
  const last = Math.max(0, ...events.map(({ at }) => at));
  const end = (history.entries.at(-1)?.at ?? 0) - (history.entries[0]?.at ?? 0);
  const script = { ...(input === undefined ? {} : { input }), events, ...(Object.keys(answers).length === 0 ? {} : { answers }), ...(end > last ? { restMs: end - last } : {}) };
  return [
    'import { expect, test } from "vitest";',
    'import { tell } from "taskwright/replay";',
    `import { ${name} } from ${JSON.stringify(from)};`,
    "",
    `// ${rest.entries.before} entries of ${history.address}, of which ${rest.entries.after} are needed.`,
    `test(${JSON.stringify(title)}, () => {`,
    `  const { state, failure } = tell(${name}, ${JSON.stringify(script, null, 2).replaceAll("\n", "\n  ")});`,
    `  expect(state).toMatchObject(${JSON.stringify({ status: state.status, value: state.value })});`,
    failure === undefined ? "  expect(failure).toBeUndefined();" : `  expect(failure).toBe(${JSON.stringify(failure)});`,
    "});",
    "",
  ].join("\n");
};
