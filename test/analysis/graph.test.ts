import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { AnyStateMachine } from "xstate";
import * as machines from "../../machines/index.ts";
import { graphOf, mermaidOf } from "../../src/analysis/index.ts";
import { define } from "../../src/actor/index.ts";
import { codeIn, readPage, root, tableAfter } from "../docs/page.ts";
import { everything } from "./machines.ts";

const ours: ReadonlyArray<AnyStateMachine> = Object.values(machines);

describe("analysis > graph", () => {
  const graph = graphOf(everything);
  const node = (path: string) => graph.nodes.find((found) => found.path === path);
  const edge = (id: string) => graph.edges.find((found) => found.id === id);

  test("names the machine, its form and what it can start", () => {
    const { format, formatVersion, machine, version, hash, description, root, events, actors, delays } = graph;
    expect({ format, formatVersion, machine, version, description, root, events, actors, delays }).toEqual({
      format: "taskwright.graph",
      formatVersion: 1,
      machine: "everything",
      version: "3",
      description: "All of it.",
      root: "everything",
      events: ["STOP", "GO", "LOOK", "BACK"],
      actors: [
        { src: "clerk", kind: "machine", machine: "clerk" },
        { src: "fetch", kind: "promise" },
      ],
      delays: [{ name: "patience", ms: 5_000 }, { name: "growing" }],
    });
    expect(hash).toBe(define(everything).hash);
  });

  test("has every state with what it does", () => {
    expect(graph.nodes.map(({ path, type }) => `${path} ${type}`)).toEqual([
      " compound",
      "idle atomic",
      "working atomic",
      "checking atomic",
      "both parallel",
      "both.left compound",
      "both.left.a atomic",
      "both.left.b final",
      "both.right compound",
      "both.right.a atomic",
      "both.right.b final",
      "both.right.memory history",
      "over final",
    ]);
    expect(node("idle")).toEqual({
      id: "everything.idle",
      key: "idle",
      path: "idle",
      parent: "everything",
      type: "atomic",
      description: "Nothing happens.",
      tags: ["busy"],
      entry: ["greet"],
      exit: ["part"],
    });
    expect(node("working")).toMatchObject({ invokes: [{ id: "clerk", src: "clerk" }], meta: { since: 3 } });
    expect(node("working")).not.toHaveProperty("entry");
    expect(node("both.right.memory")).toMatchObject({ history: "deep", default: ["everything.both.right.a"] });
    expect(node("both.right")).toMatchObject({ initial: ["everything.both.right.a"] });
    expect(node("both")).not.toHaveProperty("initial");
  });

  test("has every edge with its cause, in the order in which they are tried", () => {
    expect(
      graph.edges.map(({ id, targets, guard }) => `${id}${guard === undefined ? "" : ` [${guard}]`} → ${targets.map((target) => target.slice("everything.".length)).join(" ") || "stays"}`),
    ).toEqual([
      "everything:event STOP:0 → over",
      "everything.idle:event GO:0 [and(isFresh, not(isDeep))] → working",
      "everything.idle:event GO:1 [stateIn(idle)] → both",
      "everything.idle:event GO:2 → idle",
      "everything.idle:event LOOK:0 [inline] → stays",
      "everything.working:done clerk:0 → checking",
      "everything.working:error clerk:0 → over",
      "everything.working:snapshot clerk:0 → stays",
      "everything.working:after 100:0 → stays",
      "everything.working:after patience:0 → over",
      "everything.working:after growing:0 → idle",
      "everything.checking:always:0 [isFresh] → idle",
      "everything.checking:always:1 → both",
      "everything.both:event BACK:0 → both.right.memory",
      "everything.both:stateDone everything.both:0 → over",
      "everything.both.left.a:event GO:0 → both.left.b",
      "everything.both.right.a:event GO:0 → both.right.b",
    ]);
    expect(edge("everything.working:after patience:0")).toEqual({
      id: "everything.working:after patience:0",
      source: "everything.working",
      targets: ["everything.over"],
      kind: "after",
      delay: "patience",
      delayMs: 5_000,
      actions: ["part"],
      internal: false,
      reenter: false,
      index: 0,
    });
    expect(edge("everything.working:after 100:0")).toMatchObject({ delay: "100", delayMs: 100, internal: true, actions: ["count"] });
    expect(edge("everything.working:after growing:0")).not.toHaveProperty("delayMs");
    expect(edge("everything.working:done clerk:0")).toMatchObject({ kind: "done", child: "clerk" });
    expect(edge("everything.idle:event GO:2")).toMatchObject({ reenter: true, internal: false });
    expect(edge("everything.idle:event LOOK:0")).toMatchObject({ actions: ["assign"], internal: true });
    expect(edge("everything.both:event BACK:0")).toMatchObject({ internal: true });
    expect(edge("everything:event STOP:0")).toMatchObject({ description: "Enough." });
  });

  test.each(ours.map((machine) => ({ id: machine.id, machine })))("of $id holds together, and is plain JSON", ({ machine }) => {
    const { nodes, edges, root, hash } = graphOf(machine);
    const ids = nodes.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(new Set(edges.map(({ id }) => id)).size).toBe(edges.length);
    expect(ids[0]).toBe(root);
    expect(hash).toMatch(/^[0-9a-f]{16}$/);
    for (const [index, { parent, initial = [] }] of nodes.entries()) {
      if (index > 0) expect(ids.slice(0, index)).toContain(parent);
      expect(ids).toEqual(expect.arrayContaining([...initial]));
    }
    for (const { source, targets } of edges) expect(ids).toEqual(expect.arrayContaining([source, ...targets]));
    const graph = graphOf(machine);
    expect(JSON.parse(JSON.stringify(graph))).toEqual(graph);
  });
});

describe("analysis > graph > page", () => {
  const fieldsOf = (name: string) => {
    const [, body = ""] = new RegExp(`export interface ${name} \\{\\n([\\s\\S]*?)\\n\\}`).exec(readFileSync(join(root, "src/analysis/graph.ts"), "utf8")) ?? [];
    return [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, field]) => field);
  };
  test.each(["Graph", "Node", "Edge"])("lists the fields of %s, in their order", (name) => {
    const listed = tableAfter(readPage("docs/reference/graph.md"), `## ${name}`).map(([field]) => codeIn(field));
    expect(listed).toEqual(fieldsOf(name === "Graph" ? name : `Graph${name}`));
  });
});

describe("analysis > mermaid", () => {
  test("draws regions, and tells states of one name apart", () => {
    expect(mermaidOf(graphOf(everything))).toMatchInlineSnapshot(`
      "stateDiagram-v2
        [*] --> idle
        idle --> working: GO [and(isFresh, not(isDeep))]
        idle --> both: GO [stateIn(idle)]
        idle --> idle: GO [else]
        idle --> over: STOP
        working --> checking: clerk ended
        working --> over: clerk failed, after patience, STOP
        working --> idle: after growing
        checking --> idle: [isFresh]
        checking --> both: [else]
        checking --> over: STOP
        state both {
          state left {
            [*] --> s_both_left_a
            state "a" as s_both_left_a
            s_both_left_a --> s_both_left_b: GO
            state "b" as s_both_left_b
            s_both_left_b --> [*]
          }
          --
          state right {
            [*] --> s_both_right_a
            state "a" as s_both_right_a
            s_both_right_a --> s_both_right_b: GO
            state "b" as s_both_right_b
            s_both_right_b --> [*]
            state "H*" as memory
          }
        }
        both --> memory: BACK
        both --> over: both finished, STOP
        over --> [*]
      "
    `);
  });
});
