import { describe, expect, test } from "vitest";
import { type AnyStateMachine, createMachine } from "xstate";
import * as machines from "../../machines/index.ts";
import { type Graph, graphOf, pictureOf, scxmlOf, statelyOf } from "../../src/analysis/index.ts";
import { fixtures } from "../actor/machines.ts";
import { everything } from "./machines.ts";

const all: ReadonlyArray<{ readonly id: string; readonly machine: AnyStateMachine }> = [
  everything,
  ...(Object.values(machines) as ReadonlyArray<AnyStateMachine>),
  ...fixtures.map(({ machine }) => machine),
].map((machine) => ({
  id: machine.id,
  machine,
}));

describe("analysis > pictures > stately", () => {
  const shapeOf = ({ nodes, edges }: Graph) => ({
    nodes: nodes.map(({ id, type, parent, initial, entry, exit, invokes, description, tags, default: leads }) => ({ id, type, parent, initial, entry, exit, invokes, description, tags, leads })),
    edges: edges.map(({ id, targets, guard, actions, reenter, description }) => ({ id, targets, guard, actions, reenter, description })),
  });
  test.each(all)("is a config from which createMachine makes the same chart: $id", ({ machine }) => {
    const config = JSON.parse(pictureOf(machine, "stately")) as object;
    expect(shapeOf(graphOf(createMachine(config as never)))).toEqual(shapeOf(graphOf(machine)));
  });

  test("leaves functions out and keeps parameters", () => {
    const given = createMachine({ id: "a", context: () => ({}), entry: [{ type: "greet", params: { name: "x" } }, () => {}], output: () => 1 } as never);
    expect(statelyOf(given)).toEqual({ id: "a", entry: [{ type: "greet", params: { name: "x" } }, { type: "inline" }] });
  });
});

describe("analysis > pictures > scxml", () => {
  test.each(all)("is well-formed, with each state and transition once, and leads to states that are there: $id", ({ machine }) => {
    const graph = graphOf(machine);
    const elements = elementsOf(scxmlOf(graph));
    const states = elements.filter(({ tag }) => ["state", "parallel", "final", "history"].includes(tag));
    const ids = states.map(({ attributes }) => attributes.get("id"));
    expect(new Set(ids).size).toBe(ids.length);
    expect(graph.nodes.length - ids.length, "the root may be the document itself").toBeLessThanOrEqual(1);
    const histories = graph.nodes.filter(({ type }) => type === "history").length;
    expect(elements.filter(({ tag }) => tag === "transition").length).toBe(graph.edges.length + histories);
    for (const { attributes } of elements) for (const named of ["target", "initial"]) for (const id of (attributes.get(named) ?? "").split(" ")) if (id !== "") expect(ids).toContain(id);
    for (const id of ids) expect(id).toMatch(/^[A-Za-z_][\w.-]*$/);
  });

  test("says in the standard's words what waits for what", () => {
    const text = scxmlOf(graphOf(everything));
    for (const line of [
      '<scxml xmlns="http://www.w3.org/2005/07/scxml" xmlns:tw="urn:taskwright" version="1.0" name="everything"',
      '<send id="after.patience.everything.working" event="after.patience.everything.working" delay="5000ms"/>',
      '<send id="after.growing.everything.working" event="after.growing.everything.working" tw:delay="growing"/>',
      '<cancel sendid="after.patience.everything.working"/>',
      '<invoke id="clerk" src="clerk"/>',
      '<transition event="done.invoke.clerk" target="everything.checking"/>',
      '<transition cond="isFresh" target="everything.idle"/>',
      '<transition event="done.state.everything.both" target="everything.over"/>',
      '<history id="everything.both.right.memory" type="deep">',
      '<parallel id="everything.both"',
      '<tw:action name="greet"/>',
    ])
      expect(text).toContain(line);
  });

  test("escapes what XML would read as something else", () => {
    const text = scxmlOf(graphOf(createMachine({ id: "a", description: 'x "<&>"\n', on: { "<b>": {} }, states: {} } as never)));
    expect(text).toContain('tw:description="x &quot;&lt;&amp;&gt;&quot;&#10;"');
    expect(
      elementsOf(text)
        .find(({ tag }) => tag === "transition")
        ?.attributes.get("event"),
    ).toBe("&lt;b&gt;");
    expect(() => elementsOf("<a><b></a>")).toThrow();
  });
});

/** The elements of a document, in order. Throws where it is not well-formed. */
const elementsOf = (text: string) => {
  const open: Array<string> = [];
  const elements: Array<{ readonly tag: string; readonly attributes: ReadonlyMap<string, string> }> = [];
  const body = text.replace(/^<\?xml version="1.0" encoding="UTF-8"\?>\n/, "");
  const rest = body.replace(/<(\/?)([\w:]+)((?: [\w:]+="[^"<]*")*)(\/?)>/g, (_, closing: string, tag: string, attributes: string, single: string) => {
    if (closing !== "") expect(open.pop()).toBe(tag);
    else {
      elements.push({ tag, attributes: new Map([...attributes.matchAll(/ ([\w:]+)="([^"]*)"/g)].map(([, key, value]) => [key as string, value as string])) });
      if (single === "") open.push(tag);
    }
    return "";
  });
  expect(rest.trim()).toBe("");
  expect(open).toEqual([]);
  return elements;
};
