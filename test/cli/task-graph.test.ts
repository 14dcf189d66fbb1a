import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type GraphNode, graphProblems } from "../../src/cli/task-graph.ts";

const nodes = (...needs: ReadonlyArray<readonly [id: string, ...needs: ReadonlyArray<string>]>): ReadonlyArray<GraphNode> =>
  needs.map(([id, ...wanted], index) => ({ line: index + 1, id, needs: wanted }));

/** The plain definition: take away what can run until nothing can. */
const hasCircle = (graph: ReadonlyArray<GraphNode>): boolean => {
  let left = [...graph];
  for (;;) {
    const ids = new Set(left.map(({ id }) => id));
    const next = left.filter(({ needs }) => needs.some((need) => ids.has(need)));
    if (next.length === left.length) return left.length > 0;
    left = next;
  }
};

describe("cli > task graph", () => {
  it("shows a circle from its earliest line, and each circle that shares no task with another", () => {
    expect(graphProblems(nodes(["x", "b"], ["c", "a"], ["a", "b"], ["b", "c"], ["s", "s"], ["y", "x", "s"]))).toEqual([
      { line: 2, message: "the tasks need each other in a circle: c → a → b → c" },
      { line: 5, message: '"s" needs itself' },
    ]);
  });

  it("finds a circle exactly where there is one, and shows one that is real", () => {
    const graphs = fc.array(fc.array(fc.nat(7), { maxLength: 3 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(graphs, (lists) => {
        const graph = nodes(...lists.map((list, index) => [String(index), ...list.filter((need) => need < lists.length).map(String)] as const));
        const problems = graphProblems(graph);
        expect(problems.length > 0).toBe(hasCircle(graph));
        for (const { message } of problems) {
          const [, path] = /circle: (.*)/.exec(message) ?? [];
          const steps = path?.split(" → ") ?? [];
          for (const [index, id] of steps.slice(0, -1).entries()) expect(graph[Number(id)]?.needs).toContain(steps[index + 1]);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it("walks a chain of 100,000 tasks, and one task that 100,000 others need", () => {
    const count = 100_000;
    const chain = Array.from({ length: count }, (_, index): GraphNode => ({ line: index + 1, id: `t${index}`, needs: index + 1 < count ? [`t${index + 1}`] : [] }));
    expect(graphProblems(chain)).toEqual([]);
    expect(graphProblems(chain.map((node) => ({ ...node, needs: node.id === "t0" ? [] : ["t0"] })))).toEqual([]);
    expect(graphProblems([...chain.slice(0, -1), { line: count, id: `t${count - 1}`, needs: ["t0"] }]).length).toBe(1);
  });

  it("suggests an id that is nearly the one that is needed", () => {
    expect(graphProblems(nodes(["build"], ["test", "biuld"]))).toEqual([{ line: 2, message: 'needs "biuld", which is the id of no line (did you mean "build"?)' }]);
  });
});
