import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { fixtures } from "./machines.ts";
import { walk } from "./walk.ts";
import { type Counts, definitionOf } from "./world.ts";

const stepsPerMachine = Math.ceil(100_000 / fixtures.length) + 1;
const choices = fc.array(fc.nat({ max: 0xffff }), { minLength: 1, maxLength: 300, size: "max" });
let total = 0;

describe("step > conformance with XState", () => {
  // A live actor warns of events for children that are over.
  beforeAll(() => void vi.spyOn(console, "warn").mockImplementation(() => {}));
  for (const fixture of fixtures) {
    const { id } = fixture.machine;
    test(`random walks over "${id}" do what transition() and a live actor do, in memory and through JSON`, async () => {
      const counts: Counts = { steps: 0, states: new Set(), transitions: new Set() };
      while (counts.steps < stepsPerMachine) {
        fc.assert(
          fc.property(choices, fc.boolean(), (chosen, throughJson) => walk(fixture, chosen, { counts, throughJson })),
          { numRuns: 10 },
        );
        await setImmediate(); // lets the test runner report
      }
      total += counts.steps;
      const { machine } = definitionOf(fixture.machine);
      const nodes = [...(machine.root.machine as unknown as { idMap: Map<string, { type: string; transitions: Map<string, ReadonlyArray<unknown>>; always?: ReadonlyArray<unknown> }> }).idMap];
      expect(
        nodes.filter(([state, node]) => node.type !== "history" && !counts.states.has(state)).map(([state]) => state),
        "states that no walk reached",
      ).toEqual([]);
      const untaken = nodes.flatMap(([state, node]) =>
        [...node.transitions.values(), node.always ?? []]
          .flat()
          .filter((transition) => !counts.transitions.has(transition))
          .map((transition) => `${state} on "${(transition as { eventType: string }).eventType}"`),
      );
      expect(untaken, "transitions that no walk took").toEqual([]);
    });
  }
  test("the walks compared at least 100,000 steps", () => expect(total).toBeGreaterThanOrEqual(100_000));
});
