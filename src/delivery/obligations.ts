import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import { fromPromise } from "xstate";
import { type ObligationsContext, type ObligationsInput, obligations as machine, type Reading } from "../../machines/obligations.ts";
import { type Address, childId, parentAddress, rootAddress } from "../domain/address.ts";
import type { Json } from "../domain/json.ts";
import { type AllNames, checkNames, said } from "../domain/names.ts";
import { type ActivityOptions, currentActivity, type Doors, type Engine, EngineClosed, InvalidOptions, type Plugin, type Receipt, type SendError, whenOpened } from "../engine/index.ts";
import type { JournalError } from "../journal/index.ts";

export interface ObligationsOptions extends ObligationsInput {
  /** Asks the other system. What it throws is tried again after the back-off. */
  readonly read: (signal: AbortSignal) => Json | PromiseLike<Json> | Effect.Effect<Json, unknown>;
}

/** What is known of the other system, without asking it. */
export interface KnownObligations {
  /** The last good value; undefined before the first one. */
  readonly value: Json | undefined;
  /** When that was read, in milliseconds since 1970. */
  readonly readAt: number | undefined;
  /** False where the latest reading failed, or a hint says that it changed since. */
  readonly isCurrent: boolean;
  /** Why the latest reading failed, if it did. */
  readonly error: string | undefined;
}

/**
 * Values of other systems that are refreshed in the background and can be looked at at any time, also while those
 * systems are down and after a restart. One reading of each at a time.
 */
export interface Obligations extends Plugin {
  /** What is known now. Asks nobody but the engine. */
  readonly current: (name: string) => Effect.Effect<KnownObligations, SendError | JournalError>;
  /** It changed over there: it is read again, once for any number of hints that come meanwhile. */
  readonly hint: (name: string) => Effect.Effect<Receipt, SendError>;
}

export const obligationsAddress = (name: string): Address => rootAddress(machine.id, name);

const readMs = 30_000;
/** History entries that are kept of each: every reading is one. */
const historyMax = 1_000;

const optionNames: AllNames<ObligationsOptions> = { read: true, refreshMs: true, backoff: true };

const problemsOf = (name: string, given: ObligationsOptions): ReadonlyArray<string> => {
  const wrong = typeof given === "function" ? ["give { read: … } in place of the function alone"] : [...checkNames(given, optionNames)];
  if (wrong.length === 0 && typeof given.read !== "function") wrong.push(`read must be a function, got ${said(given.read)}`);
  return wrong.map((problem) => `obligations "${name}": ${problem}`);
};

/** Obligations by name, for `openEngine({ plugins: [obligations] })`. `activity`: how a reading is carried out; it may take 30 s unless it says otherwise. */
export const makeObligations = (options: Readonly<Record<string, ObligationsOptions>>, activity: ActivityOptions = {}): Obligations => {
  const problems = Object.entries(options).flatMap(([name, given]) => problemsOf(name, given));
  if (problems.length > 0) throw new InvalidOptions({ problems });
  let bound: { readonly engine: Engine; readonly doors: Doors } | undefined;
  const use = Effect.suspend(() =>
    bound === undefined ? Effect.fail(new EngineClosed({ detail: "these obligations are not part of an open engine: pass them in its plugins" })) : Effect.succeed(bound),
  );
  const read = fromPromise<Reading, null>(async ({ signal }) => {
    const name = childId(parentAddress(currentActivity()?.address ?? "") ?? "");
    const option = options[name];
    if (option === undefined) throw new Error(`nobody reads the obligations "${name}"; pass them to makeObligations and open the engine again`);
    const at = bound?.doors.time.now() ?? 0;
    const answer = option.read(signal);
    if (!Effect.isEffect(answer)) return { value: await answer, at };
    const exit = await Effect.runPromiseExit(answer as Effect.Effect<Json, unknown>, { signal });
    if (exit._tag === "Failure") throw Cause.squash(exit.cause);
    return { value: exit.value, at };
  });
  return {
    machines: [{ machine: machine.provide({ actors: { read } }), activities: { read: { timeoutMs: readMs, ...activity } }, retention: { historyMax } }],
    followers: {},
    opened: (engine, doors) => {
      bound = { engine, doors };
      const all = Object.entries(options).map(([id, { refreshMs, backoff }]) => ({
        machine: machine.id,
        id,
        input: { ...(refreshMs === undefined ? {} : { refreshMs }), ...(backoff === undefined ? {} : { backoff }) },
      }));
      return whenOpened("the obligations", doors, engine.startAll(all));
    },
    current: (name) =>
      Effect.gen(function* () {
        const { engine } = yield* use;
        // Right after the opening it may not be there yet.
        const known = yield* Effect.catchTag(engine.snapshot(obligationsAddress(name)), "UnknownActor", (error) => (options[name] === undefined ? Effect.fail(error) : Effect.succeed(undefined)));
        if (known === undefined) return { value: undefined, readAt: undefined, isCurrent: false, error: undefined };
        const { context } = known;
        const { reading, hints, seen, error } = context as ObligationsContext;
        return { value: reading?.value, readAt: reading?.at, isCurrent: reading !== null && hints === seen && error === null, error: error ?? undefined };
      }),
    hint: (name) => Effect.flatMap(use, ({ engine }) => engine.send(obligationsAddress(name), { type: "DIRTY" })),
  };
};
