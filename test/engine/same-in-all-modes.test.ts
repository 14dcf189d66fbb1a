import * as Effect from "effect/Effect";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { assign, cancel, raise, sendParent, sendTo, setup, stopChild } from "xstate";
import { actorRef } from "../../src/actor/index.ts";
import type { DurableMachine } from "../../src/engine/index.ts";
import { type Mode, modes, type StoreKind, testEngine } from "../../src/testing/index.ts";

type Told = { type: string; word?: number };

const kid = setup({
  types: { context: {} as { words: ReadonlyArray<number> }, events: {} as Told },
  actions: {
    keep: assign({ words: ({ context, event }) => [...context.words, event.word ?? 0] }),
    break: assign(() => {
      throw new Error("broken");
    }),
  },
}).createMachine({
  id: "kid",
  context: { words: [] },
  initial: "open",
  on: {
    SAY: { actions: ["keep", sendParent(({ event }) => ({ type: "HEARD", word: event.word ?? 0 }))] },
    BREAK: { actions: ["keep", "break"] },
    NAP: { actions: raise({ type: "SAY", word: 77 }, { id: "nap", delay: 700 }) },
    END: ".ended",
  },
  states: { open: { after: { 3000: "old" } }, old: { after: { 3000: "ended" } }, ended: { type: "final" } },
  output: ({ context }) => context.words.length,
});

const boss = setup({
  types: { context: {} as { words: ReadonlyArray<number>; rounds: number }, events: {} as Told },
  actors: { kid },
  actions: { keep: assign({ words: ({ context, event }) => [...context.words, event.word ?? -1] }), round: assign({ rounds: ({ context }) => context.rounds + 1 }) },
}).createMachine({
  id: "boss",
  context: { words: [], rounds: 0 },
  initial: "with",
  on: {
    HEARD: { actions: "keep" },
    TELL: { actions: sendTo("a", ({ event }) => ({ type: "SAY", word: event.word ?? 0 })) },
    TELL_LATER: { actions: sendTo("b", ({ event }) => ({ type: "SAY", word: event.word ?? 0 }), { id: "later", delay: 400 }) },
    NEVER_MIND: { actions: cancel("later") },
    CROSS: {
      actions: sendTo(
        ({ self }) => actorRef(`boss/${(self as unknown as { address: string }).address === "boss/1" ? 2 : 1}`),
        ({ event }) => ({ type: "HEARD", word: (event.word ?? 0) + 100 }),
      ),
    },
    STOP_B: { actions: stopChild("b") },
    BREAK_A: { actions: sendTo("a", { type: "BREAK", word: 5 }) },
  },
  states: {
    with: {
      invoke: [
        { src: "kid", id: "a", onDone: { actions: "round", target: "again" }, onError: "without" },
        { src: "kid", id: "b", onDone: { actions: "round" }, onError: { actions: "round" } },
      ],
      on: { AGAIN: { target: "with", reenter: true }, LEAVE: "without" },
    },
    again: { after: { 250: "with" } },
    without: { on: { BACK: "with" }, after: { 5000: "with" } },
  },
});

const strategies = ["resume", "restart", "stop", "escalate"] as const;
const scopes = ["one_for_one", "one_for_all", "rest_for_one"] as const;

type Sent = { readonly to: string; readonly type: string; readonly word: number };
/** Sends that reach the engine in one turn, time that passes, or time during which the engine is down. */
type Action = ReadonlyArray<Sent> | { readonly ms: number; readonly down: boolean };
const addresses = ["boss/1", "boss/2", "boss/1/a", "boss/1/b", "boss/2/a"];
const types = ["TELL", "TELL_LATER", "NEVER_MIND", "CROSS", "STOP_B", "BREAK_A", "AGAIN", "LEAVE", "BACK", "SAY", "BREAK", "NAP", "END", "UNKNOWN"];
const sent: fc.Arbitrary<Sent> = fc.record({ to: fc.constantFrom(...addresses), type: fc.constantFrom(...types), word: fc.nat(9) });
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.array(sent, { minLength: 1, maxLength: 4 }) },
  { weight: 1, arbitrary: fc.record({ ms: fc.constantFrom(1, 100, 400, 1_000, 3_000, 10_000), down: fc.boolean() }) },
);

/** Everything that is stored, in an order and with names that don't depend on row ids. */
const play = async (actions: ReadonlyArray<Action>, machines: ReadonlyArray<DurableMachine>, mode: Mode, journal: StoreKind, limits: Record<string, number>): Promise<unknown> => {
  const engine = await testEngine({ machines, mode, journal, limits });
  try {
    const answers: Array<unknown> = [];
    for (const id of ["1", "2"]) await engine.start("boss", id);
    for (const each of actions) {
      if (!("ms" in each)) {
        const sends = each.map(({ to, ...event }) =>
          engine.taskwright.send(to, event).then(
            ({ seq, outcome }) => [seq, outcome],
            ({ _tag }: { _tag: string }) => _tag,
          ),
        );
        answers.push(await Promise.all(sends));
        await engine.settled();
        if (mode === "restart") await engine.restart();
      } else if (each.down) {
        engine.crash();
        engine.time.advance(each.ms);
        await engine.restart();
      } else await engine.advance(each.ms);
    }
    const reader = await engine.reader();
    const rows = await Effect.runPromise(reader.list({ limit: 10_000 }));
    const actors = await Promise.all(
      rows.map(async ({ address, status, seq, state, token }) => {
        const history = await Effect.runPromise(reader.history(address, 0, 10_000));
        return [`${address.replace(/~\d+$/, "~")} ${token}`, status, seq, state, history.map((row) => [row.at, row.type, row.event, row.outcome, row.from, row.stateHash])];
      }),
    );
    const letters = (await engine.taskwright.deadLetters({ limit: 10_000 })).map(({ address, event, from }) => [address, event, from]);
    return { answers, actors: actors.sort(([left], [right]) => (String(left) < String(right) ? -1 : 1)), letters };
  } finally {
    await engine.end();
  }
};

/** A longer search: `RUNS=2000 npx vitest run --testTimeout 600000 test/engine/same-in-all-modes.test.ts`. */
const runs = Number(process.env.RUNS ?? 60);

describe("engine > modes", () => {
  test("whatever is told, in whatever mode and over whatever journal, the same is stored", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(action, { minLength: 1, maxLength: 15 }),
        fc.constantFrom(...strategies),
        fc.constantFrom(...scopes),
        fc.constantFrom(2, 10_000),
        async (actions, strategy, scope, turnMessagesMax) => {
          const machines: ReadonlyArray<DurableMachine> = [{ machine: boss }, { machine: kid, supervision: { strategy, scope, restartsMax: 2, withinMs: 1_000 } }];
          const expected = await play(actions, machines, "normal", "memory", { turnMessagesMax });
          for (const mode of modes) {
            for (const residentActorsMax of mode === "normal" ? [1] : [10_000])
              expect(await play(actions, machines, mode, "memory", { turnMessagesMax, residentActorsMax }), `${mode}`).toEqual(expected);
          }
          expect(await play(actions, machines, "json", "sqlite", { turnMessagesMax }), "sqlite").toEqual(expected);
        },
      ),
      { numRuns: runs, endOnFailure: false },
    );
  });
});
