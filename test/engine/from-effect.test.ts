import * as Context from "effect/Context";
import * as Data from "effect/Data";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Schema from "effect/Schema";
import { describe, expect, test } from "vitest";
import { type AnyStateMachine, assign, createActor, type NonReducibleUnknown, setup, toPromise } from "xstate";
import { Activity, type EffectLogic, Engine, failedWith, fromEffect, layer, MemoryJournal } from "../../src/effect.ts";
import { type DurableMachine, openEngine } from "../../src/engine/index.ts";
import { inBothJournals, inThreeModes, VirtualTime } from "../../src/testing/index.ts";

class Declined extends Data.TaggedError("Declined")<{ readonly left: number }> {}
class Late extends Schema.TaggedError<Late>()("Late", { since: Schema.Date }) {
  readonly code = "too_late";
}
class Bank extends Context.Tag("test/Bank")<Bank, { readonly charge: (cents: number) => Effect.Effect<string, Declined> }>() {}

/** A while in which everything that does not wait for it would be over. */
const rounds = Effect.repeatN(
  Effect.promise(() => new Promise(setImmediate)),
  20,
);

/** Runs one effect with its input, and keeps what came of it as it is stored. */
const errand = (work: object): AnyStateMachine =>
  setup({ types: { context: {} as { seen: unknown; input: unknown }, input: {} as unknown }, actors: { work: work as EffectLogic<unknown, NonReducibleUnknown, unknown, never> } }).createMachine({
    id: "errand",
    context: ({ input }) => ({ seen: null, input: input ?? null }),
    initial: "working",
    states: {
      working: {
        invoke: {
          id: "work",
          src: "work",
          input: ({ context }) => context.input,
          onDone: { target: "done", actions: assign({ seen: ({ event }) => event.output }) },
          onError: {
            target: "failed",
            actions: assign({
              seen: ({ event }) => {
                const { _tag, code, message, name, defect, left, since } = event.error as Record<string, unknown>;
                return { _tag, code, message, name, defect, left, since };
              },
            }),
          },
        },
        on: { LEAVE: "left" },
      },
      done: {},
      failed: {},
      left: {},
    },
  }) as unknown as AnyStateMachine;

const seen = async (engine: { readonly snapshot: (address: string) => Promise<{ readonly value: unknown; readonly context: unknown }> }) => {
  const { value, context } = await engine.snapshot("errand/1");
  return [value, (context as { seen: unknown }).seen];
};

describe("engine > effects as activities", () => {
  inThreeModes("a result and a typed failure reach the machine as they were stored", async (bench) => {
    const work = fromEffect((cents: number) => (cents > 5 ? Effect.fail(new Declined({ left: 5 })) : Effect.succeed({ paid: cents })));
    const engine = await bench.engine({ machines: [errand(work)] });
    await engine.start("errand", "1", 3);
    await engine.settled();
    expect(await seen(engine)).toEqual(["done", { paid: 3 }]);
    await engine.start("errand", "2", 8);
    await engine.settled();
    expect(await engine.snapshot("errand/2")).toMatchObject({ value: "failed", context: { seen: { _tag: "Declined", code: "Declined", name: "Declined", left: 5 } } });
  });

  inThreeModes("schemas say how a result and a failure are stored", async (bench) => {
    const work = fromEffect((ok: boolean) => (ok ? Effect.succeed(new Date(5)) : Effect.fail(new Late({ since: new Date(7) }))), { output: Schema.Date, error: Late });
    const engine = await bench.engine({ machines: [errand(work)] });
    await engine.start("errand", "1", true);
    await engine.start("errand", "2", false);
    await engine.settled();
    expect(await seen(engine)).toEqual(["done", new Date(5).toISOString()]);
    expect((await engine.snapshot("errand/2")).context).toMatchObject({ seen: { _tag: "Late", code: "too_late", since: new Date(7).toISOString() } });
  });

  inBothJournals("a defect is told apart from a failure, and is not tried again", async (bench) => {
    let runs = 0;
    const work = fromEffect((_: unknown) =>
      Effect.suspend(() => {
        runs++;
        return Effect.die(new TypeError("a bug"));
      }),
    );
    const engine = await bench.engine({ machines: [{ machine: errand(work), activities: { work: { retry: { attemptsMax: 3, backoff: { kind: "fixed", baseMs: 10 } } } } }] });
    await engine.start("errand", "1");
    await engine.advance(1_000);
    expect(await seen(engine)).toEqual(["failed", { message: "a bug", name: "TypeError", defect: true }]);
    expect(runs).toBe(1);
  });

  inBothJournals("a policy names the tags that are tried again, and may name a defect", async (bench) => {
    const tried: Array<string> = [];
    const work = fromEffect((kind: string, { attempt }) => {
      tried.push(`${kind} ${attempt}`);
      if (kind === "declined") return Effect.fail(new Declined({ left: attempt }));
      return kind === "late" ? Effect.fail(new Late({ since: new Date(0) })) : Effect.die(new TypeError("a bug"));
    });
    const retry = { attemptsMax: 2, backoff: { kind: "fixed" as const, baseMs: 10 }, retryOn: ["Declined", "TypeError"] };
    const engine = await bench.engine({ machines: [{ machine: errand(work), activities: { work: { retry } } }] });
    for (const kind of ["declined", "late", "bug"]) await engine.start("errand", kind, kind);
    await engine.advance(1_000);
    expect(tried.sort()).toEqual(["bug 1", "bug 2", "declined 1", "declined 2", "late 1"]);
  });

  inBothJournals("failedWith tells a failure by its logic and tag, never a defect or another error", async (bench) => {
    const work = fromEffect((kind: string): Effect.Effect<never, Declined | Late> => (kind === "declined" ? Effect.fail(new Declined({ left: 1 })) : Effect.die(new Declined({ left: 2 }))));
    const machine = setup({ types: { input: {} as string, context: {} as { kind: string } }, actors: { work } }).createMachine({
      id: "guarded",
      context: ({ input }) => ({ kind: input }),
      initial: "working",
      states: {
        working: {
          invoke: {
            src: "work",
            input: ({ context }) => context.kind,
            onError: [{ guard: ({ event }) => failedWith(event.error, work, "Declined") && event.error.left === 1, target: "declined" }, { target: "broken" }],
          },
        },
        declined: {},
        broken: {},
      },
    });
    const engine = await bench.engine({ machines: [machine] });
    await engine.start("guarded", "1", "declined");
    await engine.start("guarded", "2", "defect");
    await engine.settled();
    expect([(await engine.snapshot("guarded/1")).value, (await engine.snapshot("guarded/2")).value]).toEqual(["declined", "broken"]);
  });

  inBothJournals("an effect is interrupted when its state is left", async (bench) => {
    const signs: Array<string> = [];
    const work = fromEffect((_: unknown) => Effect.never.pipe(Effect.onInterrupt(() => Effect.sync(() => signs.push("interrupted")))));
    const engine = await bench.engine({ machines: [errand(work)] });
    await engine.start("errand", "1");
    await engine.settled();
    expect(signs).toEqual([]);
    await engine.send("errand/1", { type: "LEAVE" });
    await engine.settled();
    expect(signs).toEqual(["interrupted"]);
  });

  inBothJournals("an effect that the engine was closed under is interrupted, and begins again at the next open", async (bench) => {
    const signs: Array<string> = [];
    const work = fromEffect((_: unknown, { attempt }) => (attempt > 1 ? Effect.succeed(attempt) : Effect.never.pipe(Effect.onInterrupt(() => Effect.sync(() => signs.push("interrupted"))))));
    const engine = await bench.engine({ machines: [errand(work)] });
    await engine.start("errand", "1");
    await engine.settled();
    await engine.taskwright.close({ grace: 0 });
    expect(signs).toEqual(["interrupted"]);
    await engine.restart();
    expect(await seen(engine)).toEqual(["done", 2]);
  });

  inBothJournals("an attempt knows its address, its number and what the one before it said", async (bench) => {
    const work = fromEffect((_: unknown, given) =>
      Effect.gen(function* () {
        const activity = yield* Activity;
        if (activity.attempt === 2) return { address: activity.address, details: activity.details, same: activity === given };
        activity.heartbeat({ page: 7 });
        return yield* Effect.fail(new Declined({ left: 0 }));
      }),
    );
    const engine = await bench.engine({ machines: [{ machine: errand(work), activities: { work: { retry: { attemptsMax: 2, backoff: { kind: "fixed", baseMs: 10 } } } } }] });
    await engine.start("errand", "1");
    await engine.advance(1_000);
    expect(await seen(engine)).toEqual(["done", { address: "errand/1/work", details: { page: 7 }, same: true }]);
  });

  test("it runs with the services of the engine's layer, which are released after it", async () => {
    const signs: Array<string> = [];
    const bank = Layer.scoped(
      Bank,
      Effect.acquireRelease(Effect.succeed({ charge: (cents: number) => Effect.succeed(`charged ${cents}`) }), () => Effect.sync(() => signs.push("bank closed"))),
    );
    const charge = fromEffect((cents: number) => Effect.flatMap(Bank, (it) => it.charge(cents)));
    const hang = fromEffect((_: unknown) =>
      Effect.zipRight(Bank, Effect.never).pipe(
        Effect.onInterrupt(() =>
          Effect.zipRight(
            rounds,
            Effect.sync(() => signs.push("interrupted")),
          ),
        ),
      ),
    );
    const machine = setup({ actors: { charge, hang }, types: { context: {} as { receipt: string } } }).createMachine({
      id: "order",
      context: { receipt: "" },
      initial: "charging",
      states: {
        charging: { invoke: { src: "charge", input: 5, onDone: { target: "hanging", actions: assign({ receipt: ({ event }) => event.output }) } } },
        hanging: { invoke: { src: "hang", input: 1 } },
      },
    });
    const live = layer({ machines: [machine] }).pipe(Layer.provide(Layer.merge(MemoryJournal.layer(), bank)));
    const program = Effect.gen(function* () {
      const orders = yield* Effect.flatMap(Engine, (engine) => engine.actor(machine));
      yield* orders.start("1");
      const { context } = yield* orders.waitFor("1", (view) => view.matches("hanging"));
      yield* (yield* Engine).close({ grace: 0 });
      return context.receipt;
    });
    expect(await Effect.runPromise(Effect.provide(program, live))).toBe("charged 5");
    expect(signs).toEqual(["interrupted", "bank closed"]);
  });

  test("openEngine takes the services as a layer", async () => {
    const bank = Layer.succeed(Bank, { charge: (cents) => Effect.succeed(`charged ${cents}`) });
    const machine = errand(fromEffect((cents: number) => Effect.flatMap(Bank, (it) => it.charge(cents))));
    const engine = await openEngine({ machines: [machine], services: bank, time: new VirtualTime() });
    await engine.start("errand", "1", 4);
    expect(await engine.waitFor("errand/1", ({ value }) => value !== "working")).toMatchObject({ value: "done", context: { seen: "charged 4" } });
    await engine.close();
  });

  inThreeModes("a test engine takes the services too", async (bench) => {
    const bank = Layer.sync(Bank, () => ({ charge: (cents) => Effect.succeed(`charged ${cents}`) }));
    const engine = await bench.engine({ machines: [errand(fromEffect((cents: number) => Effect.flatMap(Bank, (it) => it.charge(cents))))], services: bank });
    await engine.start("errand", "1", 4);
    await engine.settled();
    expect(await seen(engine)).toEqual(["done", "charged 4"]);
  });

  test("services that can't be built reject the opening with their failure", async () => {
    await expect(openEngine({ machines: [], services: Layer.fail(new Declined({ left: 3 })) as Layer.Layer<never, unknown> })).rejects.toMatchObject({ _tag: "Declined", left: 3 });
  });

  test("with XState alone it does the same, and is interrupted with its actor", async () => {
    const signs: Array<string> = [];
    const work = fromEffect((kind: string) =>
      kind === "hang" ? Effect.never.pipe(Effect.onInterrupt(() => Effect.sync(() => signs.push("interrupted")))) : kind === "fail" ? Effect.fail(new Declined({ left: 2 })) : Effect.succeed(kind),
    );
    expect(await toPromise(createActor(work, { input: "well" }).start())).toBe("well");
    await expect(toPromise(createActor(work, { input: "fail" }).start())).rejects.toMatchObject({ _tag: "Declined", left: 2, name: "Declined" });
    const hanging = createActor(work, { input: "hang" }).start();
    await new Promise(setImmediate);
    hanging.stop();
    await new Promise(setImmediate);
    expect(signs).toEqual(["interrupted"]);
  });
});

describe("engine > actions as effects", () => {
  const noting = (note: (word: string) => unknown): DurableMachine => ({
    machine: setup({ actions: { note: () => {} } }).createMachine({ id: "noting", on: { NOTE: { actions: "note" } } }),
    actions: { note: ({ event }) => note(String(event.word)) },
  });

  test("they run with the services of the engine's layer", async () => {
    const said: Array<string> = [];
    const bank = Layer.succeed(Bank, { charge: (cents) => Effect.succeed(`charged ${cents}`) });
    const machine = noting((word) => Effect.flatMap(Bank, (it) => Effect.map(it.charge(1), (text) => said.push(`${word}: ${text}`))));
    const engine = await openEngine({ machines: [machine], services: bank });
    await engine.start("noting", "1");
    await engine.send("noting/1", { type: "NOTE", word: "a" });
    await engine.settled();
    expect(said).toEqual(["a: charged 1"]);
    await engine.close();
  });

  inBothJournals("one that fails is a dead letter with its tag", async (bench) => {
    const engine = await bench.engine({ machines: [noting(() => Effect.fail(new Declined({ left: 9 })))] });
    await engine.start("noting", "1");
    await engine.send("noting/1", { type: "NOTE", word: "a" });
    await engine.settled();
    expect(await engine.taskwright.deadLetters()).toMatchObject([{ address: "noting/1", error: { name: "Declined", tag: "Declined", data: { left: 9 } } }]);
  });
});
