import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AnyStateMachine, createMachine } from "xstate";
import { type ActorState, decode, definitionOf, encode, type Step, start, step } from "../../src/actor/index.ts";
import { activeStates, checkCharts, edgesOfStep, findingText, graphOf } from "../../src/analysis/index.ts";
import { flowOf } from "../../src/analysis/flow.ts";
import type { EngineEvent, Event } from "../../src/domain/event.ts";
import { fixtures } from "../actor/machines.ts";
import { planted, sound } from "./defects.ts";
import { everything } from "./machines.ts";

describe("analysis > check", () => {
  test.each(planted)("finds $name, and nothing else", ({ entries, finds }) => {
    const found = checkCharts(entries).findings;
    expect(found.map(({ rule, at }) => ({ rule, at }))).toEqual(finds);
    for (const { what, remedy } of found) expect(`${what}; ${remedy}`).toMatch(/^\S.{20,}; \S.{9,}$/s);
  });

  test("finds nothing in the same machines as they should be", () => {
    expect(checkCharts(sound).findings.map(findingText)).toEqual([]);
  });

  test("shows the way to a leak", () => {
    const [leak] = checkCharts(planted.find(({ name }) => name.startsWith("a way out that"))?.entries ?? []).findings;
    expect(leak?.way).toEqual(["m.a:event CANCEL:0"]);
    expect(findingText(leak as never)).toBe(
      'machine "m", m.b: the actor ends with the resource "slot", which nobody gives back then (by m.a:event CANCEL:0); do "freeSlot" on that way, best on exit of the states that hold it',
    );
  });

  test("says so where a chart has too many combinations to walk through all", () => {
    const region = (name: string) => ({ initial: "a", states: Object.fromEntries([..."abcdefgh"].map((key, index) => [key, { on: { [`GO${name}`]: "abcdefgh"[(index + 1) % 8] as string } }])) });
    const wide = { id: "wide", type: "parallel", states: Object.fromEntries([..."12345"].map((key) => [key, region(key)])) };
    const [only] = checkCharts([graphMachine(wide)]).machines;
    expect(only).toMatchObject({ complete: false });
  });
});

const graphMachine = (config: object): AnyStateMachine => createMachine(config as never) as AnyStateMachine;

describe("analysis > flow", () => {
  const all = [...fixtures, { machine: everything as unknown as AnyStateMachine, events: ["GO", "STOP", "BACK"].map((type) => ({ type })) }];
  test.each(all.map(({ machine, events }) => ({ id: machine.id, machine, events })))("has all that an actor ever does: $id", ({ machine, events }) => {
    const definition = definitionOf(machine);
    const flow = flowOf(graphOf(machine));
    expect(flow.complete).toBe(true);
    const inputs = fixtures.find((fixture) => fixture.machine === machine)?.inputs ?? [undefined];
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.array(fc.nat(), { minLength: 30, maxLength: 60 }), fc.constantFrom(...inputs), (choices, input) => {
        let state: ActorState | undefined;
        let now = 1_000;
        const keep = (result: Step) => {
          state = decode(definition, result.state.self.address, undefined, encode(result.state));
          for (const id of edgesOfStep(definition, result)) seen.add(id);
          for (const id of activeStates(state)) if (!flow.reached.has(id)) throw new Error(`"${id}" was reached, and the walk says that it can't be`);
        };
        keep(start(definition, `${machine.id}/1`, undefined, input, now));
        for (const choice of choices) {
          if (state === undefined || state.snapshot.status !== "active") return;
          const told = [...events, ...endsOf(state)];
          const event = told[choice % told.length] as Event | EngineEvent;
          if (event.type === "taskwright.timer") now = Math.max(now, state.timers[(event as { readonly id: string }).id]?.due ?? 0);
          try {
            keep(step(definition, state, event, now));
          } catch (error) {
            if ((error as Error).name !== "TransitionFailed") throw error;
          }
        }
      }),
      { numRuns: 60 },
    );
    expect([...seen].filter((id) => !flow.taken.has(id))).toEqual([]);
  });
});

/** What may come by itself: a deadline, the end of a child. */
const endsOf = (state: ActorState): ReadonlyArray<EngineEvent> => [
  ...Object.entries(state.timers).map(([id, { token }]) => ({ type: "taskwright.timer" as const, id, token })),
  ...Object.entries(state.children).flatMap(
    ([child, { token }]): ReadonlyArray<EngineEvent> => [
      { type: "taskwright.done", child, token, output: { total: 3 } },
      { type: "taskwright.error", child, token, error: { name: "Error", message: "it broke" } },
    ],
  ),
];
