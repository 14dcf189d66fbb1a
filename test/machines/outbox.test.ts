import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type OutboxContext, type OutboxEvent, type OutboxInput, outbox, outboxActions, type Rest } from "../../machines/outbox.ts";
import type { Attempt, Attempts, DeliveredEntry, OutboxPolicy, Verdict } from "../../src/domain/outbox.ts";
import { type Actor, elapsed, type Stimulus } from "./actor.ts";
import { Chart } from "./chart.ts";
import { type Case, describeCoverage, describeTable, describeWalk, ignored, to } from "./table.ts";

const chart = new Chart(outbox, outboxActions);
const at = Date.UTC(2030, 0, 1);
const withPolicy = (policy: Partial<OutboxPolicy> = {}): OutboxInput => ({
  destination: "server",
  policy: { retry: { attemptsMax: 2, backoff: { kind: "fixed", baseMs: 1_000 } }, ...policy },
});
const input = withPolicy();
const fragile = withPolicy({ breaker: { failuresMax: 1, cooldownMs: 5_000 } });
const paced = withPolicy({ perSecondMax: 1 });
const startsPaused = withPolicy({ startsPaused: true });
const small = withPolicy({ entriesMax: 1, whenFull: "refuse" });
const bounded = withPolicy({ entriesMax: 1 });

const enqueue = { type: "ENQUEUE", entries: [{ key: "a", type: "message", payload: 1 }] } as const;
const restOf = (rest: Partial<Rest> = {}): Rest => ({ pending: 0, poisoned: 0, unknown: 0, nextDue: null, lastSeq: 1, ...rest });
const attemptsOf = (verdicts: ReadonlyArray<Verdict>): Attempts => {
  const delivered: Array<DeliveredEntry> = [];
  const undelivered: Array<Attempt> = [];
  let failing = 0;
  for (const [index, verdict] of verdicts.entries()) {
    const [seq, key, attempt] = [index + 1, `key ${index + 1}`, 1];
    if (verdict.verdict === "delivered") delivered.push([seq, key, attempt]);
    else undelivered.push({ seq, key, attempt, lane: "message", occurredAt: at, ...verdict });
    failing = verdict.verdict === "delivered" || verdict.verdict === "refused" ? 0 : verdict.verdict === "superseded" ? failing : failing + 1;
  }
  return { delivered, undelivered, failing };
};
const drained = (drain: number, verdicts: ReadonlyArray<Verdict> = [{ verdict: "delivered" }], rest: Partial<Rest> = {}) =>
  ({
    type: "taskwright.outbox.drained",
    drain,
    ...attemptsOf(verdicts),
    begun: verdicts.length,
    takesMore: true,
    rest: restOf(rest),
    over: [],
    at,
  }) as const;
const progressed = (drain: number, verdicts: ReadonlyArray<Verdict> = [{ verdict: "delivered" }], rest: Partial<Rest> = {}) =>
  ({ ...drained(drain, verdicts, { pending: 1, ...rest }), type: "taskwright.outbox.progressed" }) as const;
const failedOnce = (drain = 1) => drained(drain, [{ verdict: "retry", reason: "down" }], { pending: 1 });
const opened = (drain = 1) => ({ type: "taskwright.outbox.opened", drain, at: at + 60_000 }) as const;
const force = { type: "FORCE", at: at + 10 } as const;
const pause = { type: "PAUSE" } as const;
const resume = { type: "CONTINUE", at: at + 20 } as const;
const requeue = { type: "REQUEUE", seqs: [1], at: at + 30 } as const;
const drop = { type: "DROP", seqs: [1] } as const;
const adopt = { type: "ADOPT", from: "outbox/other" } as const;
const surrender = { type: "SURRENDER", to: "outbox/heir" } as const;
const offered = { type: "OFFERED", from: "outbox/other", lastSeq: 7, pending: 3, poisoned: 1, unknown: 1 } as const;
const take = { type: "TAKE", seqOffset: 12 } as const;
const surrendered = { type: "SURRENDERED" } as const;
const close = { type: "CLOSE" } as const;

const samples = {
  ENQUEUE: enqueue,
  "taskwright.outbox.drained": drained(1),
  "taskwright.outbox.progressed": progressed(1),
  FORCE: force,
  "taskwright.outbox.opened": opened(),
  PAUSE: pause,
  CONTINUE: resume,
  REQUEUE: requeue,
  DROP: drop,
  ADOPT: adopt,
  SURRENDER: surrender,
  OFFERED: offered,
  TAKE: take,
  SURRENDERED: surrendered,
  CLOSE: close,
} as const;

const noDrain: Case = ignored("no drain runs: its process is gone", drained(7));
const noProgress: Case = ignored("no drain runs: its process is gone", progressed(7));
const notAsked: Case = ignored("nothing was offered to anybody", take);
const inSending = (drain = 1) => ({
  "taskwright.outbox.drained": [to("open.idle", drained(drain)), to("open.waiting", failedOnce(drain)), ignored("an earlier drain's report comes too late", drained(drain - 1))],
  "taskwright.outbox.progressed": [
    to("draining.sending", progressed(drain)),
    to("draining.sending", progressed(drain, [], { nextDue: at })),
    to("draining.sending", { ...progressed(drain, [{ verdict: "retry", reason: "down" }]), takesMore: false }),
    to("draining.deferring", progressed(drain, [{ verdict: "retry", reason: "down" }])),
    ignored("an earlier drain's report comes too late", progressed(drain - 1)),
  ],
});
/** What is the same in each state of `open`; `state` is where those go on that ask for another look. */
const inOpen = (state: string) => ({
  ENQUEUE: to(state, enqueue),
  "taskwright.outbox.drained": noDrain,
  "taskwright.outbox.progressed": noProgress,
  FORCE: to(state, force),
  "taskwright.outbox.opened": to(state, opened()),
  PAUSE: to("paused", pause),
  CONTINUE: ignored("it is not paused", resume),
  REQUEUE: to(state, requeue),
  DROP: to(state, drop),
  SURRENDER: to("surrendering", surrender),
  TAKE: notAsked,
  SURRENDERED: to(state, surrendered),
  CLOSE: to("closed", close),
});
/** What is the same in each state of `draining`. */
const inDraining = (state: string) => ({
  FORCE: to(state, force),
  REQUEUE: to(state, requeue),
  DROP: to(state, drop),
  ADOPT: to(state, adopt),
  OFFERED: to(state, offered),
  TAKE: notAsked,
  SURRENDERED: to(state, surrendered),
});
const ends = (state: string, from: string) => ({
  "taskwright.outbox.progressed": [to(from, progressed(1)), ignored("an earlier drain's report comes too late", progressed(0))],
  "taskwright.outbox.drained": [to(state, drained(1)), ignored("an earlier drain's report comes too late", drained(0))],
  "taskwright.outbox.opened": [to(state, opened()), ignored("this drain began after the engine was opened", opened(0))],
});

describe("machines > outbox", () => {
  describeTable<OutboxEvent>(chart, {
    input,
    samples,
    rows: {
      "open.idle": { way: [], on: { ...inOpen("draining.sending"), ADOPT: to("open.idle", adopt), OFFERED: to("open.idle", offered) } },
      "open.waiting": {
        way: [enqueue, failedOnce()],
        on: { ...inOpen("draining.sending"), ADOPT: to("open.waiting", adopt), OFFERED: to("open.waiting", offered) },
        after: { untilDue: to("draining.sending", elapsed("untilDue")) },
      },
      "open.pacing": {
        way: [enqueue, drained(1)],
        input: paced,
        on: {
          ...inOpen("open.pacing"),
          ENQUEUE: [
            to("open.pacing", enqueue),
            to("draining.trimming", enqueue, { input: withPolicy({ perSecondMax: 1, entriesMax: 1 }), way: [enqueue, drained(1, [{ verdict: "delivered" }], { pending: 1 })] }),
          ],
          ADOPT: to("open.pacing", adopt),
          OFFERED: to("open.pacing", offered),
        },
        after: {
          pace: [
            to("open.idle", elapsed("pace")),
            to("draining.sending", elapsed("pace"), { way: [enqueue, drained(1), enqueue] }),
            to("open.waiting", elapsed("pace"), { way: [enqueue, drained(1, [{ verdict: "retry", reason: "down", afterMs: 9_000 }], { pending: 1 })] }),
          ],
        },
      },
      "open.broken": {
        way: [enqueue, failedOnce()],
        input: fragile,
        on: {
          ...inOpen("open.broken"),
          ENQUEUE: [to("open.broken", enqueue), to("draining.trimming", enqueue, { input: { ...fragile, policy: { ...fragile.policy, entriesMax: 1 } } })],
          FORCE: to("draining.sending", force),
          ADOPT: to("open.broken", adopt),
          OFFERED: to("open.broken", offered),
        },
        after: { cooldown: to("draining.sending", elapsed("cooldown")) },
      },
      "draining.sending": {
        way: [enqueue],
        on: {
          ...inDraining("draining.sending"),
          ...inSending(),
          ENQUEUE: [to("draining.sending", enqueue), ignored("there is no room, its sender is refused", enqueue, { input: small })],
          "taskwright.outbox.opened": [to("draining.sending", opened()), to("draining.sending", opened(0))],
          PAUSE: to("draining.pausing", pause),
          CONTINUE: ignored("it is not paused", resume),
          SURRENDER: to("draining.leaving", surrender),
          CLOSE: to("draining.closing", close),
        },
      },
      "draining.deferring": {
        way: [enqueue, progressed(1, [{ verdict: "retry", reason: "down" }])],
        on: {
          ...inDraining("draining.deferring"),
          ...inSending(),
          "taskwright.outbox.drained": [to("open.waiting", drained(1)), ignored("an earlier drain's report comes too late", drained(0))],
          "taskwright.outbox.progressed": [
            to("draining.deferring", progressed(1)),
            to("draining.deferring", { ...progressed(1, [], { nextDue: at }), takesMore: false }),
            to("draining.sending", progressed(1, [], { nextDue: at })),
            ignored("an earlier drain's report comes too late", progressed(0)),
          ],
          ENQUEUE: [to("draining.deferring", enqueue), ignored("there is no room, its sender is refused", enqueue, { input: small })],
          "taskwright.outbox.opened": [to("draining.sending", opened()), to("draining.deferring", opened(0))],
          PAUSE: to("draining.pausing", pause),
          CONTINUE: ignored("it is not paused", resume),
          SURRENDER: to("draining.leaving", surrender),
          CLOSE: to("draining.closing", close),
        },
        after: { untilNext: to("draining.sending", elapsed("untilNext")) },
      },
      "draining.trimming": {
        way: [enqueue, failedOnce(), enqueue],
        input: { ...fragile, policy: { ...fragile.policy, entriesMax: 1 } },
        on: {
          ...inDraining("draining.trimming"),
          "taskwright.outbox.drained": [to("open.broken", drained(2, [])), ignored("an earlier drain's report comes too late", drained(1))],
          "taskwright.outbox.progressed": ignored("it sends nothing, so nothing of it takes long", progressed(2)),
          "taskwright.outbox.opened": [to("open.broken", { ...opened(2), at: at + 1 }), ignored("this drain began after the engine was opened", opened(0))],
          ENQUEUE: to("draining.trimming", enqueue),
          PAUSE: to("draining.pausing", pause),
          CONTINUE: ignored("it is not paused", resume),
          SURRENDER: to("draining.leaving", surrender),
          CLOSE: to("draining.closing", close),
        },
      },
      "draining.pausing": {
        way: [enqueue, pause],
        on: {
          ...inDraining("draining.pausing"),
          ...ends("paused", "draining.pausing"),
          ENQUEUE: to("draining.pausing", enqueue),
          PAUSE: ignored("it is about to", pause),
          CONTINUE: to("draining.sending", resume),
          SURRENDER: to("draining.leaving", surrender),
          CLOSE: to("draining.closing", close),
        },
      },
      "draining.closing": {
        way: [enqueue, close],
        on: {
          ...inDraining("draining.closing"),
          ...ends("closed", "draining.closing"),
          ENQUEUE: ignored("it takes nothing any more, its sender is refused", enqueue),
          PAUSE: ignored("it is about to end", pause),
          CONTINUE: ignored("it was closed, that is for good", resume),
          SURRENDER: to("draining.leaving", surrender),
          CLOSE: ignored("it is about to", close),
        },
      },
      "draining.leaving": {
        way: [enqueue, surrender],
        on: {
          ...inDraining("draining.leaving"),
          ...ends("surrendering", "draining.leaving"),
          ENQUEUE: to("draining.leaving", enqueue),
          PAUSE: ignored("its heir decides", pause),
          CONTINUE: ignored("its heir decides", resume),
          SURRENDER: ignored("the first one that asks gets it", surrender),
          CLOSE: ignored("it will be closed", close),
        },
      },
      paused: {
        way: [],
        input: startsPaused,
        on: {
          ENQUEUE: [
            to("paused", enqueue),
            to("draining.pausing", enqueue, { input: bounded, way: [enqueue, pause, drained(1, [], { pending: 1 })] }),
            ignored("there is no room, its sender is refused", enqueue, { input: { ...small, policy: { ...small.policy, startsPaused: true } }, way: [enqueue] }),
          ],
          "taskwright.outbox.drained": noDrain,
          "taskwright.outbox.progressed": noProgress,
          FORCE: to("paused", force),
          "taskwright.outbox.opened": ignored("it was stopped, a restart does not change that", opened()),
          PAUSE: ignored("it is paused", pause),
          CONTINUE: to("draining.sending", resume),
          REQUEUE: to("paused", requeue),
          DROP: to("paused", drop),
          ADOPT: to("paused", adopt),
          SURRENDER: to("surrendering", surrender),
          OFFERED: to("paused", offered),
          TAKE: notAsked,
          SURRENDERED: to("paused", surrendered),
          CLOSE: to("closed", close),
        },
      },
      surrendering: {
        way: [surrender],
        on: {
          ...(Object.fromEntries(Object.entries(samples).map(([type, told]) => [type, ignored("it speaks with its heir only", told)])) as Record<OutboxEvent["type"], Case>),
          TAKE: [
            to("closed", take),
            to("closed", { ...take, to: surrender.to, lastSeq: 0 }),
            ignored("there is room for an earlier offer only", { ...take, to: surrender.to, lastSeq: 7 }),
            ignored("another one, which asked before, has room for it", { ...take, to: "outbox/earlier", lastSeq: 0 }),
          ],
        },
        after: { surrenderTimeout: [to("draining.sending", elapsed("surrenderTimeout")), to("paused", elapsed("surrenderTimeout"), { input: startsPaused })] },
      },
      closed: { way: [close], over: "it takes nothing any more" },
    },
  });

  const told = (given: OutboxInput, ...stimuli: ReadonlyArray<Stimulus>): Actor => {
    const actor = chart.begin(given);
    for (const stimulus of stimuli) actor.tell(stimulus);
    return actor;
  };
  const paramsOf = (actor: Actor, action: string) => actor.commands.flatMap((command) => (command.type === "act" && command.action === action ? [command.params] : []));
  const emittedBy = (actor: Actor) => actor.commands.flatMap((command) => (command.type === "emit" ? [command.event] : []));
  const sentBy = (actor: Actor) => actor.commands.flatMap((command) => (command.type === "send" ? [[command.to, command.event]] : []));

  describe("entries", () => {
    test("each gets the next number, and its lane by the order that is wanted", () => {
      const two = {
        type: "ENQUEUE",
        entries: [
          { key: "a", type: "message", payload: 1 },
          { key: "b", type: "ack", payload: 2, lane: "acks" },
        ],
      } as const;
      expect(paramsOf(told(input, two, two), "storeEntries")).toMatchObject([
        {
          entries: [
            { key: "a", seq: 1, lane: "message" },
            { key: "b", seq: 2, lane: "acks" },
          ],
          takenTo: 0,
        },
        { entries: [{ seq: 3 }, { seq: 4 }], takenTo: 2 },
      ]);
      expect(paramsOf(told(withPolicy({ order: "fifo" }), two), "storeEntries")).toMatchObject([{ entries: [{ lane: "" }, { lane: "" }] }]);
    });
    test("a drain is begun once per batch, whatever comes meanwhile", () => {
      const actor = told(input, enqueue, enqueue, force, drop, opened(0));
      expect(actor.acts.filter((act) => act === "drainEntries")).toHaveLength(1);
      actor.tell(drained(1));
      expect(actor.acts.filter((act) => act === "drainEntries")).toHaveLength(2);
      expect(actor.context<OutboxContext>()).toMatchObject({ drain: 2, takenTo: 2, delivered: 1 });
    });
    test("what came while a drain was counted is not forgotten", () => {
      expect(told(input, enqueue, enqueue, enqueue, drained(1, [{ verdict: "delivered" }], { lastSeq: 1 })).context<OutboxContext>().pending).toBe(2);
    });
  });

  describe("reports", () => {
    test("each attempt is written to its row, counted and told", () => {
      const policy = withPolicy({ unknownOutcome: "stop", retry: { attemptsMax: 1, backoff: { kind: "fixed", baseMs: 1_000 } } });
      const verdicts: ReadonlyArray<Verdict> = [
        { verdict: "delivered" },
        { verdict: "refused", reason: "no" },
        { verdict: "retry", reason: "down" },
        { verdict: "unknown", reason: "cut" },
        { verdict: "superseded" },
      ];
      const actor = told(policy, enqueue, drained(1, verdicts, { pending: 2, lastSeq: 5 }));
      expect(paramsOf(actor, "removeEntries")).toEqual([{ seqs: [1, 2, 5] }]);
      expect(paramsOf(actor, "changeEntries")).toMatchObject([
        {
          changes: [
            { seq: 3, status: "poisoned", attempts: 1, error: "down" },
            { seq: 4, status: "unknown", error: "cut" },
          ],
        },
      ]);
      expect(actor.context<OutboxContext>()).toMatchObject({ pending: 0, poisoned: 1, unknown: 1, delivered: 1, refused: 1 });
      expect(emittedBy(actor)).toEqual([
        { type: "outbox.refused", key: "key 2", reason: "no" },
        { type: "outbox.poisoned", key: "key 3", attempts: 1, reason: "down" },
        { type: "outbox.unknown", key: "key 4", reason: "cut" },
        { type: "outbox.drained", delivered: 1, refused: 1, failed: 2 },
      ]);
    });
    test("one that is dropped for the bound is dropped, also where its attempt failed for the last time", () => {
      const actor = told(input, enqueue, { ...drained(1, [{ verdict: "retry", reason: "down" }]), over: [{ seq: 1, key: "key 1", reason: "full" }] });
      expect(paramsOf(actor, "changeEntries")).toEqual([]);
      expect(actor.context<OutboxContext>()).toMatchObject({ pending: 0, poisoned: 0, dropped: 1 });
      expect(actor.value, "those behind it are looked at").toBe("draining.sending");
    });
    test("the next drain is at the earliest moment: a back-off, or what the batch left", () => {
      const dueAfter = (...stimuli: ReadonlyArray<Stimulus>) => Object.values(told(input, ...stimuli).state.timers).map(({ due }) => due - at);
      expect(dueAfter(enqueue, failedOnce())).toEqual([1_000]);
      expect(dueAfter(enqueue, drained(1, [{ verdict: "retry", reason: "down" }], { nextDue: at + 400 }))).toEqual([400]);
      expect(dueAfter(enqueue, drained(1, [{ verdict: "retry", reason: "down", afterMs: 7_000 }]))).toEqual([7_000]);
    });
    test("new entries don't wait for the back-off of others, with a pace either", () => {
      expect(told(input, enqueue, enqueue, failedOnce()).value).toBe("draining.sending");
      expect(told(paced, enqueue, enqueue, drained(1, [{ verdict: "retry", reason: "down", afterMs: 9_000 }]), elapsed("pace")).value).toBe("draining.sending");
    });
    test("one that is given up frees its lane at once", () => {
      expect(told(withPolicy({ retry: { attemptsMax: 1, backoff: { kind: "fixed", baseMs: 0 } } }), enqueue, failedOnce()).value).toBe("draining.sending");
    });
  });

  describe("breaker", () => {
    test("after the cool-down one entry is tried; a failure opens it again, a success closes it", () => {
      const probing = [enqueue, failedOnce(), elapsed("cooldown")] as const;
      expect(told(fragile, ...probing).context<OutboxContext>()).toMatchObject({ isProbe: true });
      expect(told(fragile, ...probing, failedOnce(2)).value).toBe("open.broken");
      const closed = told(fragile, ...probing, drained(2));
      expect(closed.value).toBe("open.idle");
      expect(closed.context<OutboxContext>()).toMatchObject({ failures: 0, isProbe: false });
    });
    test("what it is told during the cool-down does not put its clock ahead", () => {
      const actor = told(fragile, enqueue, failedOnce(), { ...opened(), at: at + 4_000 }, elapsed("cooldown"));
      expect(actor.context<OutboxContext>()).toMatchObject({ at: at + 5_000, isProbe: true });
    });
    test("a pause does not close it, force does", () => {
      expect(told(fragile, enqueue, failedOnce(), pause, resume).value).toBe("open.broken");
      expect(told(fragile, enqueue, failedOnce(), force).context<OutboxContext>()).toMatchObject({ failures: 0, isProbe: false });
    });
  });

  describe("hand-over", () => {
    test("room is made before the entries come: no number is given twice", () => {
      const heir = told(input, enqueue, offered, enqueue);
      expect(sentBy(heir)).toEqual([
        [
          { kind: "address", address: "outbox/other" },
          { type: "TAKE", seqOffset: 1, lastSeq: offered.lastSeq, to: "outbox/1" },
        ],
      ]);
      expect(paramsOf(heir, "storeEntries")).toMatchObject([{ entries: [{ seq: 1 }] }, { entries: [{ seq: 9 }] }]);
    });
    test("entries are moved behind the number that the heir names, and it is told", () => {
      const actor = told(input, enqueue, surrender, drained(1), take);
      expect(paramsOf(actor, "moveEntries")).toEqual([{ to: "outbox/heir", seqOffset: 12 }]);
      expect(sentBy(actor).at(-1)).toEqual([{ kind: "address", address: "outbox/heir" }, { type: "SURRENDERED" }]);
    });
  });

  describe("pause", () => {
    test("what is under way when it is paused is recorded, and nothing follows it", () => {
      const actor = told(input, enqueue, enqueue, pause, drained(1, [{ verdict: "delivered" }], { pending: 1 }));
      expect(actor.context<OutboxContext>()).toMatchObject({ delivered: 1, drain: 1 });
    });
    test("to go on while something is under way begins no second drain", () => {
      expect(told(input, enqueue, pause, resume).context<OutboxContext>().drain).toBe(1);
    });
  });

  const verdict: fc.Arbitrary<Verdict> = fc.oneof(
    { weight: 3, arbitrary: fc.constant<Verdict>({ verdict: "delivered" }) },
    { weight: 1, arbitrary: fc.constant<Verdict>({ verdict: "refused", reason: "no" }) },
    { weight: 3, arbitrary: fc.constant<Verdict>({ verdict: "retry", reason: "down" }) },
    { weight: 1, arbitrary: fc.constant<Verdict>({ verdict: "unknown", reason: "cut" }) },
  );
  const plain = fc.constantFrom<OutboxEvent>(enqueue, enqueue, enqueue, force, requeue, drop, pause, resume, resume, adopt, offered, surrendered, surrender, take, close);
  describeWalk<OutboxContext>(chart, {
    input: fc
      .record({
        order: fc.constantFrom("lanes", "fifo", "independent"),
        entriesMax: fc.integer({ min: 1, max: 20 }),
        whenFull: fc.constantFrom("dropOldest", "refuse"),
        unknownOutcome: fc.constantFrom("retry", "stop"),
        startsPaused: fc.boolean(),
        restartClearsBackoff: fc.boolean(),
        perSecondMax: fc.option(fc.integer({ min: 1, max: 10 }), { nil: undefined }),
        breaker: fc.option(fc.record({ failuresMax: fc.integer({ min: 1, max: 4 }), cooldownMs: fc.constant(500) }), { nil: undefined }),
      })
      .map(({ perSecondMax, breaker, ...policy }) =>
        withPolicy({ ...policy, ...(perSecondMax === undefined ? {} : { perSecondMax }), ...(breaker === undefined ? {} : { breaker }) } as Partial<OutboxPolicy>),
      ),
    told: fc.oneof(
      { weight: 10, arbitrary: plain.filter((event) => event.type !== "CLOSE" && event.type !== "SURRENDER").map((event) => () => event) },
      { weight: 1, arbitrary: plain.map((event) => () => event) },
      {
        weight: 8,
        arbitrary: fc.tuple(fc.constantFrom(drained, drained, progressed), fc.constantFrom(0, 0, 0, 1), fc.array(verdict, { maxLength: 4 }), fc.option(fc.nat(3_000))).map(
          ([report, behind, verdicts, next]) =>
            (context: OutboxContext): OutboxEvent => ({
              ...report(context.drain - behind, verdicts, { pending: verdicts.length, lastSeq: context.lastSeq, nextDue: next === null ? null : context.at + next }),
              at: context.at + 5,
            }),
        ),
      },
      {
        weight: 1,
        arbitrary: fc.boolean().map(
          (isThis) =>
            ({ drain }: OutboxContext): OutboxEvent =>
              opened(isThis ? drain : 0),
        ),
      },
    ),
    invariants: {
      "it only grows: as many numbers as entries": ({ actor, context }) => {
        const seqs = paramsOf(actor, "storeEntries").flatMap((params) => (params as { entries: ReadonlyArray<{ seq: number }> }).entries.map(({ seq }) => seq));
        return new Set(seqs).size === seqs.length && seqs.every((seq) => seq <= context.lastSeq);
      },
      "each drain is begun once": ({ actor, context }) => actor.acts.filter((act) => act === "drainEntries").length === context.drain,
      "a drain that goes on waits only for a moment that there is": ({ state, context }) => state !== "draining.deferring" || context.dueAt !== null || context.again,
      "only while a drain runs something is under way": ({ state, context }) => context.takenTo === 0 || state.startsWith("draining") || state === "closed",
      "counts are never below nothing": ({ context }) => context.pending >= 0 && context.poisoned >= 0 && context.unknown >= 0,
      "it waits only for a moment that there is": ({ state, context }) => state !== "open.waiting" || context.dueAt !== null,
      "it waits for a pace only where there is one": ({ state, context }) => state !== "open.pacing" || (context.policy.perSecondMax !== undefined && context.pacedTo > 0),
      "nobody who failed too often is sent anything": ({ state, context }) =>
        context.policy.breaker === undefined || !state.startsWith("open.") || state === "open.broken" || state === "open.pacing" || context.failures < context.policy.breaker.failuresMax,
    },
  });

  describeCoverage(chart);
});
