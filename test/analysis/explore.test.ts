import { describe, expect, test } from "vitest";
import { assign, enqueueActions, fromPromise, sendTo, setup } from "xstate";
import { actorRef } from "../../src/domain/reference.ts";
import { coveringWays, edgesTaken, explore, exploredText, graphOf, happeningText, type WorldActor } from "../../src/analysis/index.ts";
import { inMemory } from "../../src/testing/index.ts";

/** Charges up to three times, each time for ten seconds at most, with a pause of five. */
const charges = () => {
  const calls: Array<{ readonly resolve: (ok: boolean) => void; readonly reject: (error: Error) => void }> = [];
  const payment = setup({
    types: { context: {} as { readonly tries: number }, events: {} as { type: "CANCEL" } | { type: "PAY"; amount: number } },
    actors: { charge: fromPromise<boolean>(() => new Promise((resolve, reject) => calls.push({ resolve, reject }))) },
    guards: {
      isTriedOften: ({ context }) => context.tries >= 3,
      isPaid: ({ event }) => (event as unknown as { output: boolean }).output,
      isEnough: ({ event }) => event.type === "PAY" && event.amount >= 10,
    },
    actions: { count: assign({ tries: ({ context }) => context.tries + 1 }) },
    delays: { patience: 60_000, timeout: 10_000, pause: 5_000 },
  }).createMachine({
    id: "payment",
    version: "1",
    context: { tries: 0 },
    initial: "waiting",
    states: {
      waiting: { on: { PAY: { guard: "isEnough", target: "charging" }, CANCEL: "cancelled" }, after: { patience: "cancelled" } },
      charging: {
        entry: "count",
        invoke: { id: "charge", src: "charge", onDone: [{ guard: "isPaid", target: "paid" }, { target: "deciding" }], onError: "deciding" },
        after: { timeout: "deciding" },
      },
      deciding: { always: [{ guard: "isTriedOften", target: "cancelled" }, { target: "pausing" }] },
      pausing: { on: { CANCEL: "cancelled" }, after: { pause: "charging" } },
      paid: { type: "final" },
      cancelled: { type: "final" },
    },
  });
  return { payment, calls };
};

describe("analysis > explore", () => {
  const { payment } = charges();
  const options = {
    starts: [{ machine: payment, id: "1" }],
    events: { payment: [{ type: "CANCEL" }, { type: "PAY", amount: 5 }, { type: "PAY", amount: 10 }] },
    outputs: { charge: [true, false] },
  };

  test("finds a way to every edge, over promises and deadlines", () => {
    const explored = explore(options);
    expect(explored).toMatchObject({ complete: true, counterexamples: [] });
    expect([...explored.ways.keys()].sort()).toEqual(
      graphOf(payment)
        .edges.map(({ id }) => `payment ${id}`)
        .sort(),
    );
    expect(explored.ways.get("payment payment.deciding:always:0")?.map(happeningText)).toEqual([
      'payment/1: {"type":"PAY","amount":10}',
      "payment/1/charge ends with false",
      "payment/1: after pause.payment.pausing",
      "payment/1/charge ends with false",
      "payment/1: after pause.payment.pausing",
      "payment/1/charge ends with false",
    ]);
    expect(exploredText(explored)).toMatch(/^no counterexample: all \d+ worlds/);
  });

  inMemory("writes tests that take every edge in the engine, too", async ({ engine }) => {
    const { payment, calls } = charges();
    const bench = await engine({ machines: [payment] });
    const taken = new Set<string>();
    const ways = coveringWays(explore(options));
    for (const [index, way] of ways.entries()) {
      const address = `payment/${index}`;
      await bench.start(payment, String(index));
      for (const happening of way) {
        if (happening.kind === "event") await bench.send(address, happening.event);
        else if (happening.kind === "deadline")
          await bench.advance(Object.values((await bench.snapshot(address)).timers ?? {}).reduce((due, timer) => Math.min(due, timer.due), Number.MAX_SAFE_INTEGER) - bench.time.now());
        else if (happening.kind === "done") calls.at(-1)?.resolve(happening.output as boolean);
        else calls.at(-1)?.reject(new Error("it failed"));
        await bench.settled();
      }
      for (const edge of Object.keys(edgesTaken(payment, await bench.taskwright.history(address), { address }).counts)) taken.add(edge);
    }
    expect(ways.length).toBeLessThan(graphOf(payment).edges.length);
    expect(
      graphOf(payment)
        .edges.map(({ id }) => id)
        .filter((id) => !taken.has(id)),
    ).toEqual([]);
  });

  test("bounds what it costs at the most", () => {
    // 60 s for the money, three charges of 10 s, two pauses of 5 s.
    expect(explore(options).bound).toEqual({ wallMs: 60_000 + 3 * 10_000 + 2 * 5_000, begun: { charge: 3 } });
    const { bound } = explore({ ...options, longestMs: { charge: 1_000 } });
    expect(bound?.wallMs).toBe(60_000 + 3 * 10_000 + 2 * 5_000);
  });

  test("says for ever where nothing bounds it, and nothing where it did not see all", () => {
    const open = setup({ delays: { limit: 5 } }).createMachine({ id: "open", initial: "a", states: { a: { on: { GO: "b" } }, b: { after: { limit: "c" } }, c: { type: "final" } } });
    expect(explore({ starts: [{ machine: open, id: "1" }], events: { open: [{ type: "GO" }] } }).bound).toEqual({ wallMs: Number.POSITIVE_INFINITY, begun: {} });
    const round = setup({ delays: { limit: 5 } }).createMachine({ id: "round", initial: "a", states: { a: { after: { limit: "b" } }, b: { after: { limit: "a" } } } });
    expect(explore({ starts: [{ machine: round, id: "1" }] })).toMatchObject({ complete: true, bound: { wallMs: Number.POSITIVE_INFINITY } });
    const cut = explore({ ...options, depth: 2 });
    expect(cut).toMatchObject({ complete: false, depth: 2, bound: undefined });
    expect(exploredText(cut)).toMatch(/^no counterexample to depth 2 \(\d+ worlds\)\n$/);
  });

  test("shows the shortest way to a machine that throws, and to actors that talk for ever", () => {
    const fragile = setup({
      types: { events: {} as { type: "SET"; items: ReadonlyArray<string> } | { type: "READY" } },
      guards: { isFilled: ({ event }) => event.type === "SET" && event.items.length > 0 },
    }).createMachine({ id: "fragile", initial: "a", states: { a: { on: { READY: "b" } }, b: { on: { SET: { guard: "isFilled", target: "a" } } } } });
    const explored = explore({ starts: [{ machine: fragile, id: "1" }], events: { fragile: [{ type: "READY" }, { type: "SET" }] } });
    expect(explored.counterexamples.map(({ what, way }) => [what, way.map(happeningText)])).toEqual([
      [expect.stringContaining("Unable to evaluate guard 'isFilled'"), ['fragile/1: {"type":"READY"}', 'fragile/1: {"type":"SET"}']],
    ]);
    const echo = setup({ actions: { echo: sendTo(({ self }) => self, { type: "ECHO" }) } }).createMachine({ id: "echo", on: { ECHO: { actions: "echo" } } });
    expect(explore({ starts: [{ machine: echo, id: "1" }], events: { echo: [{ type: "ECHO" }] } }).counterexamples[0]?.what).toContain("for ever");
  });
});

/** A desk with one slot, and jobs that take it: `mend` gives the slot back on every way out. */
const office = (mend: boolean) => {
  const job = setup({
    types: { context: {} as { readonly desk: string }, input: {} as { readonly desk: string } },
    actions: {
      take: enqueueActions(({ context, self, enqueue }) => enqueue.sendTo(actorRef(context.desk), { type: "TAKE", job: self.sessionId })),
      give: enqueueActions(({ context, self, enqueue }) => enqueue.sendTo(actorRef(context.desk), { type: "GIVE", job: self.sessionId })),
    },
    delays: { limit: 1_000 },
  }).createMachine({
    id: "job",
    version: "1",
    context: ({ input }: { readonly input: { readonly desk: string } }) => ({ desk: input.desk }),
    initial: "asking",
    states: {
      asking: { entry: "take", on: { GRANTED: "working", REFUSED: "over", CANCEL: "over" }, after: { limit: "over" } },
      working: { on: { DONE: "over" }, after: { limit: "over" }, ...(mend ? { exit: "give" } : { on: { DONE: { target: "over", actions: "give" }, CANCEL: "over" } }) },
      over: { type: "final" },
    },
  } as never);
  const desk = setup({
    types: { context: {} as { readonly holder: string | null }, events: {} as { type: "TAKE" | "GIVE"; job: string } },
    guards: { isFree: ({ context }) => context.holder === null, isHolder: ({ context, event }) => context.holder === event.job },
    actions: {
      hold: assign({ holder: ({ event }) => event.job }),
      release: assign({ holder: null }),
      grant: enqueueActions(({ event, enqueue }) => enqueue.sendTo(actorRef(event.job), { type: "GRANTED" })),
      refuse: enqueueActions(({ event, enqueue }) => enqueue.sendTo(actorRef(event.job), { type: "REFUSED" })),
    },
  }).createMachine({
    id: "desk",
    version: "1",
    context: { holder: null },
    on: { TAKE: [{ guard: "isFree", actions: ["hold", "grant"] }, { actions: "refuse" }], GIVE: { guard: "isHolder", actions: "release" } },
  });
  return {
    starts: [
      { machine: desk, id: "1" },
      { machine: job as never, id: "a", input: { desk: "desk/1" } },
      { machine: job as never, id: "b", input: { desk: "desk/1" } },
    ],
    events: { job: [{ type: "DONE" }, { type: "CANCEL" }] },
    invariants: {
      "a slot that is held belongs to a job that is not over": (actors: ReadonlyArray<WorldActor>) => {
        const holders = actors.flatMap(({ machine, context }) => (machine === "desk" ? [(context as { readonly holder: string | null }).holder] : []));
        return holders.every((holder) => holder === null || actors.some(({ address, status }) => address === holder && status === "active"));
      },
    },
  };
};

describe("analysis > explore > several actors", () => {
  test("a slot that leaks between two machines is found, with the shortest way", () => {
    const { counterexamples } = explore(office(false));
    expect(counterexamples.map(({ what, way }) => [what, way.map(happeningText)])).toEqual([["a slot that is held belongs to a job that is not over", ['job/a: {"type":"CANCEL"}']]]);
  });

  test("the mended machines have no counterexample, and all of it was seen", () => {
    const explored = explore(office(true));
    expect(explored).toMatchObject({ counterexamples: [], complete: true });
  });
});
