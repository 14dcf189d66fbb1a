import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { exchange, type ExchangeContext, type ExchangeEvent, type ExchangeInput } from "../../machines/exchange.ts";
import { ActorReference } from "../../src/actor/index.ts";
import { done, elapsed, failed, type Stimulus } from "./actor.ts";
import { Chart } from "./chart.ts";
import { describeCoverage, describeTable, describeWalk, ignored, to } from "./table.ts";

const chart = new Chart(exchange, [], "message/1");
const input: ExchangeInput = {
  message: { id: "1", content: "hi", conversation: "c" },
  holder: "message/1",
  endpoint: "endpoint/e",
  tray: "tray/main",
  outbox: "outbox/up",
  isDispatched: false,
  acceptanceTimeoutMs: 30_000,
  processingTimeoutMs: 3_600_000,
  acknowledgementTimeoutMs: 30_000,
  returnRetryMs: 1_000,
  recordRetentionMs: 86_400_000,
};
const replyTo = new ActorReference("ask/1");

const events = {
  TAKEN: { type: "TAKEN" },
  DECLINED: { type: "DECLINED", reason: "no_slot" },
  ACCEPT: { type: "ACCEPT", replyTo },
  REFUSE: { type: "REFUSE", reason: "no", replyTo },
  PROGRESS: { type: "PROGRESS", replyTo },
  WAIT_FOR: { type: "WAIT_FOR", capability: "browser", replyTo },
  FAIL: { type: "FAIL", reason: "can't", retryable: false, replyTo },
  REPLY: { type: "REPLY", requestId: "r", fingerprint: "f", content: "hello", replyTo },
  LOST: { type: "LOST", reason: "target_lost" },
  RETIRED: { type: "RETIRED" },
  HELD: { type: "HELD" },
  FULL: { type: "FULL" },
} as const satisfies { readonly [Type in ExchangeEvent["type"]]: Extract<ExchangeEvent, { readonly type: Type }> };
const { TAKEN, DECLINED, ACCEPT, REFUSE, PROGRESS, WAIT_FOR, FAIL, REPLY, LOST, RETIRED, HELD, FULL } = events;
const busy = { ...FAIL, retryable: true } as const;
const conflict = { ...REPLY, fingerprint: "g" } as const;
const another = { ...REPLY, requestId: "r2" } as const;
const delivered = done("send", { verdict: "delivered" });
const unavailable = done("send", { verdict: "retry", reason: "no route" });
const unwanted = done("send", { verdict: "refused", reason: "too long" });
const unknown = done("send", { verdict: "unknown", reason: "who knows" });
const crashed = failed("send", { name: "Error", message: "reset" });

/** Calls that a state takes only to refuse them: whoever asks is answered. */
const refusedIn = (state: string) => ({
  ACCEPT: to(state, ACCEPT),
  REFUSE: to(state, REFUSE),
  PROGRESS: to(state, PROGRESS),
  WAIT_FOR: to(state, WAIT_FOR),
  FAIL: to(state, FAIL),
  REPLY: to(state, REPLY),
});
const replies = {
  TAKEN: ignored("it was taken before", TAKEN),
  DECLINED: ignored("it was taken before", DECLINED),
  HELD: ignored("it asked for no seat", HELD),
  FULL: ignored("it asked for no seat", FULL),
};
const kept = "an accepted message is never given to another";
const isOver = "it is over, and only remembered";
const accepted: ReadonlyArray<Stimulus> = [TAKEN, ACCEPT];
const heldRow = (state: string, way: ReadonlyArray<Stimulus>) => ({
  way,
  on: {
    ...replies,
    ACCEPT: to(state, ACCEPT),
    REFUSE: to(state, REFUSE),
    PROGRESS: to("held.processing", PROGRESS),
    WAIT_FOR: to("held.waitingForCapability", WAIT_FOR),
    FAIL: to("over.failed", FAIL),
    REPLY: [to("replyRequested", REPLY)],
    LOST: ignored(kept, LOST),
    RETIRED: to("over.failed", RETIRED),
  },
  after: { processingTimeout: to("over.expired", elapsed("processingTimeout")) },
});
const overRow = (state: string, way: ReadonlyArray<Stimulus>) => ({
  way,
  on: { ...replies, ...refusedIn(state), LOST: ignored(isOver, LOST), RETIRED: ignored(isOver, RETIRED) },
  after: { recordRetention: to("closed", elapsed("recordRetention")) },
});

describe("machines > exchange", () => {
  describeTable<ExchangeEvent>(chart, {
    input,
    samples: events,
    rows: {
      requesting: {
        way: [],
        on: {
          ...refusedIn("requesting"),
          TAKEN: to("offered", TAKEN),
          DECLINED: to("declined", DECLINED),
          LOST: ignored("the endpoint has not said that it takes it", LOST),
          RETIRED: ignored("the endpoint has not said that it takes it", RETIRED),
          HELD: ignored("it asked for no seat", HELD),
          FULL: ignored("it asked for no seat", FULL),
        },
        after: { offerTimeout: to("declined", elapsed("offerTimeout")) },
      },
      offered: {
        way: [TAKEN],
        on: {
          ...replies,
          ACCEPT: to("held.accepted", ACCEPT),
          REFUSE: to("givingBack.asking", REFUSE),
          PROGRESS: to("offered", PROGRESS),
          WAIT_FOR: to("offered", WAIT_FOR),
          REPLY: to("offered", REPLY),
          FAIL: [to("over.failed", FAIL), to("givingBack.asking", busy)],
          LOST: to("givingBack.asking", LOST),
          RETIRED: to("givingBack.asking", RETIRED),
        },
        after: { acceptanceTimeout: to("givingBack.asking", elapsed("acceptanceTimeout")) },
      },
      "givingBack.asking": {
        way: [TAKEN, LOST],
        on: {
          ...replies,
          ...refusedIn("givingBack.asking"),
          HELD: to("over.lost", HELD),
          FULL: to("givingBack.waiting", FULL),
          LOST: ignored("it is given back already", LOST),
          RETIRED: ignored("it is given back already", RETIRED),
        },
      },
      "givingBack.waiting": {
        way: [TAKEN, LOST, FULL],
        on: {
          ...replies,
          ...refusedIn("givingBack.waiting"),
          ACCEPT: to("held.accepted", ACCEPT),
          FAIL: [to("over.failed", FAIL), to("givingBack.waiting", busy)],
          // An answer to an earlier question: a seat is a seat.
          HELD: to("over.lost", HELD),
          FULL: ignored("it waits before it asks again", FULL),
          LOST: ignored("it is given back already", LOST),
          RETIRED: ignored("it is given back already", RETIRED),
        },
        after: { returnRetry: to("givingBack.asking", elapsed("returnRetry")) },
      },
      "held.accepted": heldRow("held.accepted", accepted),
      "held.processing": heldRow("held.processing", [...accepted, PROGRESS]),
      "held.waitingForCapability": heldRow("held.waitingForCapability", [...accepted, WAIT_FOR]),
      "held.unsent": {
        ...heldRow("held.unsent", [...accepted, REPLY, unavailable]),
        on: {
          ...heldRow("held.unsent", []).on,
          REPLY: [
            to("replyRequested", REPLY),
            to("replyRequested", another),
            to("held.unsent", conflict),
            // It was refused for good: the same reply is not sent again.
            to("held.unsent", REPLY, { way: [...accepted, REPLY, unwanted] }),
          ],
        },
      },
      replyRequested: {
        way: [...accepted, REPLY],
        on: {
          ...replies,
          ...refusedIn("replyRequested"),
          REPLY: [to("replyRequested", REPLY), to("replyRequested", conflict), to("replyRequested", another)],
          LOST: ignored("the reply is on its way without its endpoint", LOST),
          RETIRED: ignored("the reply is on its way without its endpoint", RETIRED),
        },
        after: { acknowledgementTimeout: to("over.outcomeUnknown", elapsed("acknowledgementTimeout")) },
        children: {
          "done send": [to("over.replySent", delivered), to("held.unsent", unavailable), to("held.unsent", unwanted), to("over.outcomeUnknown", unknown)],
          "error send": to("over.outcomeUnknown", crashed),
        },
      },
      "over.replySent": {
        ...overRow("over.replySent", [...accepted, REPLY, delivered]),
        on: { ...overRow("over.replySent", []).on, REPLY: [to("over.replySent", REPLY), to("over.replySent", conflict), to("over.replySent", another)] },
      },
      "over.outcomeUnknown": overRow("over.outcomeUnknown", [...accepted, REPLY, crashed]),
      "over.failed": overRow("over.failed", [...accepted, FAIL]),
      "over.lost": overRow("over.lost", [TAKEN, LOST, HELD]),
      "over.expired": overRow("over.expired", [...accepted, elapsed("processingTimeout")]),
      declined: { way: [DECLINED], over: "the endpoint did not take it" },
      closed: { way: [TAKEN, FAIL, elapsed("recordRetention")], over: "what became of it is forgotten" },
    },
  });

  const told = (...stimuli: ReadonlyArray<Stimulus>) => {
    const actor = chart.begin(input);
    for (const stimulus of stimuli) actor.tell(stimulus);
    return actor;
  };
  /** What whoever called last was answered. */
  const answer = (...stimuli: ReadonlyArray<Stimulus>) => {
    const answers = told(...stimuli).commands.flatMap((command) =>
      command.type === "send" && command.to.kind === "address" && command.to.address === "ask/1" ? [command.event as unknown as Record<string, unknown>] : [],
    );
    const { type, code, state } = answers.at(-1) ?? {};
    return type === "DONE" ? `DONE ${state}` : `${code} ${state}`;
  };

  /** docs/guides/broker.md lists them for whoever writes an endpoint. */
  describe("late events", () => {
    test.each<[string, ReadonlyArray<Stimulus>, string]>([
      ["an acceptance after it was given back", [TAKEN, elapsed("acceptanceTimeout"), HELD, ACCEPT], "assignment_over lost_before_acceptance"],
      ["an acceptance while the inbox is full", [TAKEN, elapsed("acceptanceTimeout"), FULL, ACCEPT], "DONE accepted"],
      ["a second acceptance", [...accepted, ACCEPT], "DONE accepted"],
      ["an acceptance after the reply", [...accepted, REPLY, delivered, ACCEPT], "DONE reply_sent"],
      ["an acceptance after it expired", [...accepted, elapsed("processingTimeout"), ACCEPT], "assignment_over expired"],
      ["a refusal after the acceptance", [...accepted, REFUSE], "assignment_over accepted"],
      ["a reply before the acceptance", [TAKEN, REPLY], "not_accepted offered"],
      ["a reply after the loss", [TAKEN, LOST, HELD, REPLY], "assignment_over lost_before_acceptance"],
      ["a reply after the endpoint was lost and is back", [...accepted, LOST, REPLY, delivered], "DONE reply_sent"],
      ["a reply after it expired", [...accepted, elapsed("processingTimeout"), REPLY], "assignment_over expired"],
      ["a repeated reply", [...accepted, REPLY, delivered, REPLY], "DONE reply_sent"],
      ["a reply with other content", [...accepted, REPLY, delivered, conflict], "reply_conflict reply_sent"],
      ["another reply after the reply", [...accepted, REPLY, delivered, another], "assignment_over reply_sent"],
      ["another reply while one is sent", [...accepted, REPLY, another], "reply_pending reply_requested"],
      ["a repeated reply whose outcome is unknown", [...accepted, REPLY, elapsed("acknowledgementTimeout"), REPLY], "outcome_unknown outcome_unknown"],
      ["an acknowledgement after its time", [...accepted, REPLY, elapsed("acknowledgementTimeout"), delivered, REPLY], "outcome_unknown outcome_unknown"],
      ["a reply after the endpoint was retired", [...accepted, RETIRED, REPLY], "assignment_over failed"],
      ["a failure after the reply", [...accepted, REPLY, delivered, FAIL], "assignment_over reply_sent"],
      ["a repeated failure", [...accepted, FAIL, FAIL], "DONE failed"],
      ["progress after the failure", [...accepted, FAIL, PROGRESS], "assignment_over failed"],
    ])("%s", (_, way, expected) => expect(answer(...way)).toBe(expected));
  });

  test("everybody who waits for a reply is answered once it has ended", () => {
    const actor = told(...accepted, REPLY, REPLY, REPLY, delivered);
    const answers = actor.commands.filter((command) => command.type === "send" && command.to.kind === "address" && command.to.address === "ask/1");
    expect(answers).toHaveLength(4);
    expect(actor.context<ExchangeContext>().waiters).toEqual([]);
  });

  test("a message from the inbox leaves its seat as it is taken, before a loss asks for one again", () => {
    const seats = (isDispatched: boolean) => {
      const actor = chart.begin({ ...input, isDispatched });
      for (const event of [TAKEN, LOST]) actor.tell(event);
      return actor.sent.filter((type) => type === "RELEASE" || type === "HOLD");
    };
    expect(seats(true)).toEqual(["RELEASE", "HOLD"]);
    expect(seats(false)).toEqual(["HOLD"]);
  });

  describeWalk<ExchangeContext>(chart, {
    input: fc.constantFrom(input, { ...input, outbox: null }),
    told: fc.oneof(
      fc.constantFrom<ExchangeEvent>(...Object.values(events), busy, conflict, another).map((event) => () => event),
      fc.constantFrom<ExchangeEvent>(TAKEN, ACCEPT, REPLY).map((event) => () => event),
    ),
    outputs: { send: fc.constantFrom({ verdict: "delivered" }, { verdict: "retry", reason: "away" }, { verdict: "refused", reason: "no" }, { verdict: "unknown", reason: "?" }) },
    invariants: {
      "its number only grows, by one": ({ actor, context }) => {
        const told = actor.commands.flatMap((command) => (command.type === "emit" ? [(command.event as unknown as { sequence: number }).sequence] : []));
        return told.every((sequence, index) => sequence === index + 1) && told.length === context.sequence;
      },
      "what was accepted is never given back": ({ actor, state }) => {
        const states = actor.commands.flatMap((command) => (command.type === "emit" ? [(command.event as unknown as { state: string }).state] : []));
        return !states.includes("accepted") || (!states.includes("lost_before_acceptance") && !state.startsWith("givingBack"));
      },
      "it is answered once": ({ actor }) => actor.commands.filter((command) => command.type === "emit" && (command.event as unknown as { state: string }).state === "reply_sent").length <= 1,
      "nobody waits where nothing is sent": ({ state, context }) => state === "replyRequested" || context.waiters.length === 0,
    },
  });

  describeCoverage(chart);
});
