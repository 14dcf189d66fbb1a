import { isDeepStrictEqual } from "node:util";
import type { OutboxContext } from "../../machines/outbox.ts";
import type { Turn } from "../journal/index.ts";
import { fieldDifferences } from "../replay/index.ts";
import { type TestEngine, type TestEngineOptions, testEngine } from "./test-engine.ts";

/** A place at which the process may end. */
export interface CrashPoint {
  /** Counted from 1 over the whole scenario. */
  readonly commit: number;
  /** `before`: nothing of the turn is stored. `after`: all of it is, and nobody has heard of it. */
  readonly when: "before" | "after";
  /** What the turn stores, in words. */
  readonly what: string;
}

/** Says when an engine must end, and remembers where it could have. */
export class CrashPlan {
  readonly reached: Array<CrashPoint> = [];
  readonly #at: number | undefined;
  #commits = 0;
  #isOver = false;

  /** `at`: the index of the place at which to crash, once; absent: never. */
  constructor(at?: number) {
    this.#at = at;
  }

  /** Called before and after every commit; true where the process ends. */
  reach(when: CrashPoint["when"], turn: Turn): boolean {
    if (this.#isOver) return false;
    if (when === "before") this.#commits++;
    this.reached.push({ commit: this.#commits, when, what: inWords(turn) });
    this.#isOver = this.reached.length - 1 === this.#at;
    return this.#isOver;
  }
}

const inWords = ({ created, history, effects, effectsDone, mail }: Turn): string => {
  const addresses = new Map(created.map((row) => [row.id, row.address]));
  const told = history.slice(0, 5).map(({ actor, type }) => `${type} of ${addresses.get(actor) ?? `actor ${actor}`}`);
  const more = history.length > 5 ? [`${history.length - 5} more entries`] : [];
  const rest = [
    [effects.length, "actions owed"],
    [effectsDone.length, "actions struck"],
    [mail.length, "messages kept"],
  ] as const;
  return [...told, ...more, ...rest.flatMap(([count, what]) => (count === 0 ? [] : [`${count} ${what}`]))].join(", ") || "nothing but clocks";
};

export interface CrashBench {
  /** Opens the scenario's engine; once per run. */
  readonly engine: (options: TestEngineOptions) => Promise<TestEngine>;
}

export interface CrashReport {
  /** The places that were tried, in order. */
  readonly points: ReadonlyArray<CrashPoint>;
}

interface Outcome {
  readonly returned: unknown;
  /** The host's actors by address: where they stand and what they know. */
  readonly actors: Readonly<Record<string, unknown>>;
}

/**
 * Runs a scenario once without a fault, and then again for each place at which the process could have ended: before and
 * after every commit, which is before and after every effect, and before every acknowledgement. A crashed engine is
 * opened again on the same store, and the call that was under way is repeated with the same idempotency key, as a client
 * would. What the scenario returns, and how all actors stand at its end, must be the same each time; rejects with the
 * place and what differs if not. Of an outbox it is what became of its entries.
 *
 * Use the test engine's own `start`, `send`, `advance`, `settled` and `snapshot`, and make everything else that has a
 * memory (stand-ins, receivers) inside of the scenario. What may happen more than once (activities, actions) may be
 * counted, but not returned.
 */
export const crashEverywhere = async (scenario: (bench: CrashBench) => Promise<unknown>): Promise<CrashReport> => {
  const calm = new CrashPlan();
  const expected = await run(scenario, calm);
  for (const [index, point] of calm.reached.entries()) {
    const where = `crashed ${point.when} commit ${point.commit} (${point.what})`;
    let found: Outcome;
    try {
      found = await run(scenario, new CrashPlan(index));
    } catch (cause) {
      throw new Error(`${where}, the scenario failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
    if (!isDeepStrictEqual(found, expected)) throw new Error(`${where}, the outcome is another one:\n${differences(found, expected).join("\n")}`);
  }
  return { points: calm.reached };
};

/** What differs, actor by actor and field by field. */
const differences = (found: Outcome, expected: Outcome): ReadonlyArray<string> => {
  const pairs = [
    ["returned", found.returned, expected.returned] as const,
    ...[...new Set([...Object.keys(expected.actors), ...Object.keys(found.actors)])].map((address) => [address, found.actors[address], expected.actors[address]] as const),
  ];
  return pairs.flatMap(([name, now, calm]) =>
    fieldDifferences(calm, now).map(({ path, left, right }) => `  ${name}${path === "" ? "" : `, ${path}`}: ${inJson(right)}; without a crash: ${inJson(left)}`),
  );
};
const inJson = (value: unknown): string => (value === undefined ? "nothing" : JSON.stringify(value));

const run = async (scenario: (bench: CrashBench) => Promise<unknown>, plan: CrashPlan): Promise<Outcome> => {
  let engine: TestEngine | undefined;
  try {
    const returned = await scenario({
      engine: async (options) => {
        if (engine !== undefined) throw new Error("a scenario has one engine; open it once");
        engine = await testEngine({ ...options, plan });
        return engine;
      },
    });
    const actors: Record<string, unknown> = {};
    if (engine !== undefined) {
      await engine.settled();
      for (const { address, machine, status, value, context, output } of await everybody(engine)) {
        // How often an attempt was interrupted is no part of the outcome.
        if (!address.includes("~") && !engines.has(machine)) actors[address] = machine === "outbox" ? { status, ...entriesOf(context as OutboxContext) } : { status, value, context, output };
      }
      await engine.end();
      engine = undefined;
    }
    return { returned, actors };
  } finally {
    await engine?.dispose();
  }
};

/** What became of an outbox's entries. How often it looked, and when, is no part of the outcome. */
const entriesOf = ({ pending, poisoned, unknown, delivered, refused, dropped }: OutboxContext) => ({ entries: { pending, poisoned, unknown, delivered, refused, dropped } });

const engines: ReadonlySet<string> = new Set(["activity", "live", "supervisor"]);

const everybody = async (engine: TestEngine) => {
  const all = [];
  for (let after = 0; ; ) {
    const page = await engine.taskwright.list({ after, limit: 1_000 });
    all.push(...page);
    if (page.length < 1_000) return all;
    after = page.at(-1)?.id ?? after;
  }
};
