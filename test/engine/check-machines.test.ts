import { describe, expect, test } from "vitest";
import { assign, fromPromise, setup } from "xstate";
import { checkMachines } from "../../src/engine/index.ts";
import { inMemory } from "../../src/testing/index.ts";

const child = setup({}).createMachine({ id: "child", context: {}, entry: assign({}) });
const inline = setup({}).createMachine({ id: "inline" });
const parent = setup({ actors: { child } }).createMachine({
  id: "parent",
  version: "1",
  initial: "a",
  states: {
    a: {
      invoke: [
        { id: "child", src: "child" },
        { id: "inline", src: inline as never },
      ],
      after: { 10: "b" },
    },
    b: {},
  },
});
const smooth = setup({ actors: { work: fromPromise(async () => 1) } }).createMachine({ id: "smooth", version: "1", invoke: { src: "work", id: "work" } });
const rival = setup({}).createMachine({ id: "rival", version: "1" });
const twin = setup({}).createMachine({ id: "rival", version: "1", initial: "a", states: { a: {} } });
const refused = setup({}).createMachine({ id: "refused", initial: "a", states: { a: { entry: () => {} } } });

describe("checkMachines", () => {
  test("tells problems and hints of all machines and their children at once, without an engine", () => {
    const { problems, hints } = checkMachines([
      parent,
      smooth,
      smooth,
      { machine: refused, supervision: { strategy: "pray" as never }, input: {} as never },
      { machine: rival, activities: { wrok: {} } },
      { machine: twin },
    ]);
    expect(problems).toEqual([
      'the machine "smooth" is listed twice; keep the entry with its options',
      expect.stringContaining('machine "refused", supervision: strategy'),
      expect.stringContaining('machine "refused", input: this is no schema'),
      expect.stringContaining('state "a", entry'),
      expect.stringContaining("wrok"),
      expect.stringContaining('two machines have the id "rival"'),
    ]);
    expect(hints.map(({ machine, where, what }) => `${machine}, ${where}: ${what.slice(0, 20)}`)).toEqual([
      'parent, state "a", after: an inline delay (10 ',
      'parent, state "a", invoke: inline invoked logic',
      "child, machine: it has no version",
      'child, state "child", entry: an inline assign',
      "inline, machine: it has no version",
      "refused, machine: it has no version",
    ]);
  });

  test("has nothing to say of what is fine, and takes what is no machine for a problem", () => {
    expect(checkMachines([smooth])).toEqual({ problems: [], hints: [] });
    expect(checkMachines([null, { machine: 5 }] as never)).toEqual({ problems: [expect.stringContaining("not an XState machine"), expect.stringContaining("not an XState machine")], hints: [] });
  });

  inMemory("the engine logs one line per machine, as information, and opens", async (bench) => {
    const engine = await bench.engine({ machines: [parent, smooth] });
    expect(engine.logged.map(({ level, message }) => [level, message.replace(/;.*\((?=and)/, "; … (")])).toEqual([
      ["info", 'machine "parent", state "a", after: an inline delay (10 ms); … (and 1 more; checkMachines() lists them)'],
      ["info", 'machine "child", machine: it has no version; … (and 1 more; checkMachines() lists them)'],
      ["info", expect.stringContaining('machine "inline", machine: it has no version; add version')],
    ]);
  });
});
