import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Event } from "../../src/domain/event.ts";
import { type Actor, elapsed, done, failed, type Stimulus } from "./actor.ts";
import type { Chart } from "./chart.ts";

/** One thing that happens in a state, and what comes of it. */
export type Case = (Handled | Ignored) & {
  readonly told: Stimulus;
  /** How it came to the state, where the row's own way is not meant. */
  readonly way?: ReadonlyArray<Stimulus>;
  readonly input?: unknown;
};
interface Handled {
  readonly to: string;
}
interface Ignored {
  /** Why it is right that nothing comes of it. */
  readonly ignored: string;
}

type Cases = Case | ReadonlyArray<Case>;

/** A state in which the actor can rest: how it gets there, and each event that there is. */
export interface Row<Told extends Event> {
  readonly way: ReadonlyArray<Stimulus>;
  readonly input?: unknown;
  readonly on: { readonly [Type in Told["type"]]: Cases };
  /** Its delays, by name. */
  readonly after?: Readonly<Record<string, Cases>>;
  /** Its children's ends: "done child" and "error child". */
  readonly children?: Readonly<Record<string, Cases>>;
}
/** A final state: nothing is handled there. */
export interface LastRow {
  readonly way: ReadonlyArray<Stimulus>;
  readonly input?: unknown;
  readonly over: string;
}

export interface Table<Told extends Event> {
  readonly input: unknown;
  /** One event of each type, for the states in which nothing is handled. */
  readonly samples: { readonly [Type in Told["type"]]: Extract<Told, { readonly type: Type }> };
  readonly rows: Readonly<Record<string, Row<Told> | LastRow>>;
}

export const to = (state: string, told: Stimulus, more: Partial<Case> = {}): Case => ({ to: state, told, ...more }) as Case;
export const ignored = (because: string, told: Stimulus, more: Partial<Case> = {}): Case => ({ ignored: because, told, ...more }) as Case;

const listOf = <A>(value: A | ReadonlyArray<A> | undefined): ReadonlyArray<A> => (value === undefined ? [] : Array.isArray(value) ? value : [value as A]);
const isLast = <Told extends Event>(row: Row<Told> | LastRow): row is LastRow => "over" in row;

/**
 * Registers the tests of a transition table: that it has a word on every event in every state in which an actor can
 * rest, and that each word is true. A new state, event, delay or child is missing here until somebody considered it.
 */
export const describeTable = <Told extends Event>(chart: Chart, table: Table<Told>): void => {
  const begin = (row: { readonly way: ReadonlyArray<Stimulus>; readonly input?: unknown }): Actor => {
    const actor = chart.begin(row.input ?? table.input);
    for (const stimulus of row.way) expect(actor.tell(stimulus).outcome, `on the way: ${JSON.stringify(stimulus)}`).toBe("handled");
    return actor;
  };
  const check = (state: string, row: Row<Told> | LastRow, expected: Case) => {
    const actor = begin({ way: expected.way ?? row.way, input: expected.input ?? row.input });
    expect(actor.value).toBe(state);
    const before = actor.json;
    const { outcome, commands } = actor.tell(expected.told);
    const what = `${state}, ${JSON.stringify(expected.told)}`;
    if ("to" in expected) expect({ what, outcome, state: actor.value }).toEqual({ what, outcome: "handled", state: expected.to });
    else {
      expect(expected.ignored).toMatch(/\w+ \w+/);
      expect(["ignored", "stale", "ended"]).toContain(outcome);
      expect({ what, state: actor.json, commands }).toEqual({ what, state: before, commands: [] });
    }
  };

  describe("table", () => {
    test("has a row for every state, and for no other", () => {
      expect(Object.keys(table.rows).sort()).toEqual(chart.resting.map(({ path }) => path).sort());
    });
    test("has every event of the chart, and no other", () => {
      // What a wildcard takes is shown by a test of its own.
      expect(Object.keys(table.samples).sort()).toEqual(chart.eventTypes.filter((type) => type !== "*").sort());
    });
    for (const node of chart.resting) {
      const state = node.path;
      const row = table.rows[state];
      if (row === undefined) continue;
      test(`${state}: every event leads somewhere or is ignored with a reason`, () => {
        if (isLast(row)) {
          expect(node.type).toBe("final");
          for (const told of Object.values(table.samples)) check(state, row, ignored(row.over, told as Told));
        } else {
          expect(Object.keys(row.on).sort()).toEqual(Object.keys(table.samples).sort());
          for (const cases of Object.values(row.on)) for (const expected of listOf(cases as Cases)) check(state, row, expected);
        }
      });
      test(`${state}: its delays and children lead on, those of other states are stale`, () => {
        const { after: delays = {}, children = {} } = isLast(row) ? {} : row;
        const [ownDelays, ownChildren] = node.type === "final" ? [[], []] : [chart.delaysIn(node), chart.childrenIn(node)];
        expect(Object.keys(delays).sort()).toEqual([...new Set(ownDelays)].sort());
        expect(Object.keys(children).sort()).toEqual(ownChildren.flatMap((child) => [`done ${child}`, `error ${child}`]).sort());
        for (const cases of [...Object.values(delays), ...Object.values(children)]) for (const expected of listOf(cases)) check(state, row, expected);
        for (const delay of chart.delaysIn()) if (!(delay in delays)) check(state, row, ignored("its state was left, and the timer with it", elapsed(delay)));
        for (const child of chart.childrenIn()) {
          if (`done ${child}` in children) continue;
          check(state, row, ignored("the child is over", done(child, {})));
          check(state, row, ignored("the child is over", failed(child, { name: "Error", message: "late" })));
        }
      });
    }
  });
};

export interface Walk<Context> {
  readonly input: fc.Arbitrary<unknown>;
  /** What may happen; it sees the actor so that reports can be timely. Timers and children are added by themselves. */
  readonly told: fc.Arbitrary<(context: Context) => Stimulus>;
  /** What a child may end with, by its name. */
  readonly outputs?: Readonly<Record<string, fc.Arbitrary<unknown>>>;
  /** By the words that stand in the machine's comments. */
  readonly invariants: Readonly<Record<string, (seen: Seen<Context>) => boolean>>;
  readonly runs?: number;
}
export interface Seen<Context> {
  readonly actor: Actor;
  readonly state: string;
  readonly context: Context;
}

/** Registers a test that lets anything happen in any order, and looks at the invariants after each step. */
export const describeWalk = <Context>(chart: Chart, walk: Walk<Context>): void => {
  const stimulus = fc.oneof(
    { weight: 8, arbitrary: walk.told },
    {
      weight: 3,
      arbitrary: fc.nat(5).map((index) => (_: Context, actor: Actor): Stimulus => {
        const delays = Object.keys(actor.state.timers).map((id) => id.split(".")[1] as string);
        return elapsed(delays.length === 0 ? "none" : (delays[index % delays.length] as string));
      }),
    },
    ...Object.entries(walk.outputs ?? {}).map(([child, output]) => ({
      weight: 4,
      arbitrary: fc
        .oneof({ weight: 9, arbitrary: output.map((value): Stimulus => done(child, value)) }, { weight: 1, arbitrary: fc.constant<Stimulus>(failed(child, { name: "Error", message: "it broke" })) })
        .map((ended) => () => ended),
    })),
  ) as fc.Arbitrary<(context: Context, actor: Actor) => Stimulus>;
  test("keeps its invariants whatever happens", () => {
    fc.assert(
      fc.property(walk.input, fc.array(stimulus, { maxLength: 40, size: "max" }), fc.nat(3), (input, stimuli, hour) => {
        const actor = chart.begin(input);
        const look = () => {
          const seen = { actor, state: actor.value, context: actor.context<Context>() };
          expect(chart.transient.map(({ path }) => path)).not.toContain(seen.state);
          for (const [words, holds] of Object.entries(walk.invariants)) if (!holds(seen)) throw new Error(`${words}: does not hold in ${actor.json}`);
        };
        look();
        for (const make of stimuli) {
          actor.now += hour * 1_000;
          actor.tell(make(actor.context<Context>(), actor));
          look();
        }
      }),
      { numRuns: walk.runs ?? 200 },
    );
  });
};

/** Registers the last test of a machine's file: its tests together took every transition that the chart has. */
export const describeCoverage = (chart: Chart): void => {
  test("every transition was taken by some test", () => {
    expect(chart.graph.edges.map(({ id }) => id).filter((id) => !chart.taken.has(id))).toEqual([]);
  });
};
