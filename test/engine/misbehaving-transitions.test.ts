import { describe, expect, test } from "vitest";
import { assign } from "xstate";
import { recordUncaught, refused, stands } from "./misbehaving/stand.ts";
import { failing, odd, onGo } from "./misbehaving/transitions.ts";
import { thrown, throwing, unstorable } from "./misbehaving/values.ts";

describe("engine > misbehaving code > transitions", () => {
  recordUncaught();

  for (const [what, make, cause] of thrown) {
    test(`an assign that throws ${what}`, () =>
      stands(onGo({ actions: assign({ n: () => throwing(make())() } as never) }), async (engine) => {
        await engine.start("bad", "1");
        await refused(engine, "bad/1", "GO", cause);
      }));
  }

  for (const [what, make] of unstorable) {
    test(`an assign that leaves ${what}`, () =>
      stands(onGo({ actions: assign({ n: make } as never) }), async (engine) => {
        await engine.start("bad", "1");
        await refused(engine, "bad/1", "GO");
        expect(await engine.send("bad/1", { type: "NUDGE" })).toMatchObject({ outcome: "handled" });
      }));
  }

  for (const [what, machine, cause] of failing) {
    test(what, () =>
      stands(machine, async (engine) => {
        await engine.start("bad", "1");
        await refused(engine, "bad/1", "GO", cause);
        expect(await engine.send("bad/1", { type: "NUDGE" })).toMatchObject({ outcome: "handled" });
        expect(await engine.snapshot("bad/1")).toMatchObject({ context: { n: 1, list: [1, 2] } });
      }),
    );
  }

  for (const [what, machine] of odd) {
    test(what, () =>
      stands(machine, async (engine) => {
        await engine.start("bad", "1");
        expect(await engine.send("bad/1", { type: "GO" })).toMatchObject({ outcome: "handled" });
        await engine.advance("1 hour");
        expect(await engine.taskwright.deadLetters()).toEqual([]);
        expect(await engine.snapshot("bad/1")).toMatchObject({ status: "active" });
      }),
    );
  }

  test("a guard that changes the context in place, and says no: what is stored stays as it was", () =>
    stands(
      onGo({ guard: "g" }, { guards: { g: ({ context }: { context: { list: Array<number> } }) => context.list.push(3) > 99 } }),
      async (engine) => {
        await engine.start("bad", "1");
        expect(await engine.send("bad/1", { type: "GO" })).toMatchObject({ outcome: "ignored" });
        await engine.restart();
        expect(await engine.snapshot("bad/1")).toMatchObject({ context: { list: [1, 2] } });
      },
      { impure: true },
    ));

  test("a guard whose promise rejects counts as a yes, and the host's process hears of it", () =>
    stands(
      onGo({ guard: "g", target: ".there" }, { guards: { g: () => Promise.reject(new Error("let go")) } }),
      async (engine) => {
        await engine.start("bad", "1");
        expect(await engine.send("bad/1", { type: "GO" })).toMatchObject({ outcome: "handled" });
      },
      { leaks: 1, impure: true },
    ));

  test("a guard that calls the engine again: that is done after it", () => {
    const calls: Array<() => unknown> = [];
    return stands(onGo({ guard: "g", target: ".there" }, { guards: { g: () => calls.map((call) => call()).length >= 0 } }), async (engine) => {
      await engine.start("bad", "1");
      calls.push(() => void engine.taskwright.send("bad/1", { type: "NUDGE" }));
      await engine.send("bad/1", { type: "GO" });
      calls.length = 0;
      await engine.settled();
      expect((await engine.taskwright.history("bad/1")).map(({ event }) => event.type)).toEqual(["taskwright.start", "GO", "NUDGE"]);
    });
  });
});
