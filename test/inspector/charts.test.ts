import { createRequire } from "node:module";
import { describe, expect, it } from "vitest";
import type { AnyStateMachine } from "xstate";
import * as machines from "../../machines/index.ts";
import { graphOf } from "../../src/analysis/index.ts";
import { type Box, type Layout, layoutOf } from "../../src/inspector/app/chart/layout.ts";
import { estimate } from "../../src/inspector/app/chart/plan.ts";
import { nextOrderMachine } from "./shop.ts";

const Elk = createRequire(import.meta.url)("elkjs") as new () => Parameters<typeof layoutOf>[0];
const elk = new Elk();

const overlap = (one: Box, other: Box): boolean =>
  one.x < other.x + other.width - 0.5 && other.x < one.x + one.width - 0.5 && one.y < other.y + other.height - 0.5 && other.y < one.y + one.height - 0.5;

/** Boxes and labels that lie over each other, where neither is within the other by the machine's own order. */
const overlaps = ({ nodes }: ReturnType<typeof graphOf>, { boxes, arrows }: Layout): ReadonlyArray<string> => {
  const parents = new Map(nodes.map(({ id, parent }) => [id, parent]));
  const parentOf = (id: string) => (id.endsWith("#initial") ? id.slice(0, -"#initial".length) : parents.get(id));
  const isAbove = (above: string, id: string): boolean => {
    for (let at = parentOf(id); at !== undefined; at = parentOf(at)) if (at === above) return true;
    return false;
  };
  const inner = new Set(nodes.map(({ parent }) => parent));
  const all = [...boxes.values()];
  const labels = arrows.flatMap(({ label }) => label ?? []);
  return [
    ...all.flatMap((one, index) => all.slice(index + 1).flatMap((other) => (overlap(one, other) && !isAbove(one.id, other.id) && !isAbove(other.id, one.id) ? [`${one.id} over ${other.id}`] : []))),
    ...labels.flatMap((label, index) => labels.slice(index + 1).flatMap((other) => (overlap(label, other) ? [`${label.id} over ${other.id}`] : []))),
    ...labels.flatMap((label) => all.flatMap((box) => (!inner.has(box.id) && overlap(label, box) ? [`${label.id} over ${box.id}`] : []))),
  ];
};

const all = [...Object.values(machines).filter((value): value is AnyStateMachine => typeof value === "object" && "root" in value), nextOrderMachine as unknown as AnyStateMachine];

describe("inspector > charts", () => {
  it.each(all.map((machine) => ({ id: machine.id, machine })))("of $id have every state and edge, and nothing lies over anything else", async ({ machine }) => {
    const graph = graphOf(machine);
    const layout = await layoutOf(elk, graph, estimate);
    expect(overlaps(graph, layout)).toEqual([]);
    expect(graph.nodes.map(({ id }) => id).filter((id) => !layout.boxes.has(id))).toEqual([]);
    const written = new Set([...layout.plan.rows.values()].flatMap((rows) => rows.flatMap(({ edge }) => edge?.id ?? [])));
    const drawn = new Set(layout.arrows.filter(({ points, label }) => points.length > 1 && label !== undefined).flatMap(({ id }) => (layout.plan.bundles.get(id) ?? []).map((edge) => edge.id)));
    expect(graph.edges.map(({ id }) => id).filter((id) => !written.has(id) && !drawn.has(id))).toEqual([]);
  });

  it("find a box that is planted over another one", async () => {
    const graph = graphOf(machines.task as unknown as AnyStateMachine);
    const layout = await layoutOf(elk, graph, estimate);
    const queued = layout.boxes.get("task.queued") as Box;
    const planted: Layout = { ...layout, boxes: new Map([...layout.boxes, ["task.waiting", { ...queued, id: "task.waiting" }]]) };
    expect(overlaps(graph, planted)).toContain("task.waiting over task.queued");
  });

  it("of the same form are laid out the same each time", async () => {
    const graph = graphOf(machines.assignment as unknown as AnyStateMachine);
    const [one, other] = [await layoutOf(elk, graph, estimate), await layoutOf(elk, graph, estimate)];
    expect([...one.boxes.values()]).toEqual([...other.boxes.values()]);
  });
});
