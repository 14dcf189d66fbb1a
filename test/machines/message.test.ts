import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { message, type MessageContext, type MessageEvent, type MessageInput } from "../../machines/message.ts";
import { elapsed, type Stimulus } from "./actor.ts";
import { Chart } from "./chart.ts";
import { describeCoverage, describeTable, describeWalk, ignored, to } from "./table.ts";

const chart = new Chart(message, []);
const policy = { acceptanceTimeoutMs: 1, processingTimeoutMs: 1, acknowledgementTimeoutMs: 1, returnRetryMs: 1, recordRetentionMs: 86_400_000, inboxTimeoutMs: 604_800_000 };
const lost: MessageInput = { message: { id: "1", content: "hi" }, reason: "no_target", tray: "tray/main", outbox: "outbox/up", policy };
const input: MessageInput = { ...lost, endpoint: "endpoint/e" };
const assignment = "message/1/assignment-1";

const events = {
  TAKEN: { type: "TAKEN", assignment },
  DECLINED: { type: "DECLINED", assignment, reason: "no_slot" },
  RETURNED: { type: "RETURNED", assignment, reason: "not_accepted_in_time" },
  ENDED: { type: "ENDED", assignment, as: "answered", reason: null },
  HELD: { type: "HELD" },
  FULL: { type: "FULL" },
  DISPATCH: { type: "DISPATCH", endpoint: "endpoint/f" },
  TAKE: { type: "TAKE", holder: "anna" },
  PUT_BACK: { type: "PUT_BACK" },
  SETTLE: { type: "SETTLE", note: "by phone" },
  REDELIVER: { type: "REDELIVER", endpoint: "endpoint/e" },
} as const satisfies { readonly [Type in MessageEvent["type"]]: Extract<MessageEvent, { readonly type: Type }> };
const { TAKEN, DECLINED, RETURNED, ENDED, HELD, FULL, DISPATCH, TAKE, PUT_BACK, SETTLE, REDELIVER } = events;
const ended = (as: "answered" | "unanswered" | "failed" | "expired"): MessageEvent => ({ ...ENDED, as });
const late = { ...RETURNED, assignment: "message/1/assignment-0" } as const;

/** Everything that is not named is ignored, for one reason. */
const rest = (because: string, on: Partial<Record<MessageEvent["type"], ReturnType<typeof to> | ReadonlyArray<ReturnType<typeof to>>>>) =>
  ({ ...Object.fromEntries(Object.entries(events).map(([type, event]) => [type, ignored(because, event)])), ...on }) as never;
const record = { recordRetention: to("closed", elapsed("recordRetention")) };
const overRow = (as: "answered" | "unanswered" | "failed") => ({ way: [TAKEN, ended(as)], on: rest("it is over, and only remembered", {}), after: record });

describe("machines > message", () => {
  describeTable<MessageEvent>(chart, {
    input,
    samples: events,
    rows: {
      assigning: { way: [], on: rest("it is not at a place yet: its assignment answers within the turn", { TAKEN: to("assigned", TAKEN), DECLINED: to("seeking", DECLINED) }) },
      seeking: { way: [DECLINED], on: rest("it is not at a place yet: the tray answers within the turn", { HELD: to("undispatched", HELD), FULL: to("refused", FULL) }) },
      refused: {
        way: [DECLINED, FULL],
        on: rest("nobody has it: only its sender can give it again", { REDELIVER: [to("assigning", REDELIVER), to("seeking", { type: "REDELIVER", reason: "no_target" })] }),
        after: { recordRetention: to("forgotten", elapsed("recordRetention")) },
      },
      undispatched: {
        way: [DECLINED, HELD],
        on: rest("it lies in the inbox: what an earlier assignment says comes too late", { DISPATCH: to("dispatching", DISPATCH), TAKE: to("taken", TAKE) }),
        after: { inboxTimeout: to("over.expired", elapsed("inboxTimeout")) },
      },
      dispatching: { way: [DECLINED, HELD, DISPATCH], on: rest("it was handed out already: one of two gets it", { TAKEN: to("assigned", TAKEN), DECLINED: to("undispatched", DECLINED) }) },
      assigned: {
        way: [TAKEN],
        on: rest("an endpoint has it", {
          RETURNED: [to("undispatched", RETURNED), ignored("it is an earlier assignment", late)],
          ENDED: [
            to("over.answered", ended("answered")),
            to("over.unanswered", ended("unanswered")),
            to("over.failed", ended("failed")),
            to("over.expired", ended("expired")),
            ignored("it is an earlier assignment", { ...ENDED, assignment: late.assignment }),
          ],
        }),
      },
      taken: { way: [DECLINED, HELD, TAKE], on: rest("somebody has it", { PUT_BACK: to("puttingBack", PUT_BACK), SETTLE: to("over.settled", SETTLE) }) },
      puttingBack: { way: [DECLINED, HELD, TAKE, PUT_BACK], on: rest("it is on its way: the tray answers within the turn", { HELD: to("undispatched", HELD), FULL: to("taken", FULL) }) },
      "over.answered": overRow("answered"),
      "over.unanswered": overRow("unanswered"),
      "over.failed": overRow("failed"),
      "over.expired": { way: [DECLINED, HELD, elapsed("inboxTimeout")], on: rest("it is over, and only remembered", {}), after: record },
      "over.settled": { way: [DECLINED, HELD, TAKE, SETTLE], on: rest("it is over, and only remembered", {}), after: record },
      closed: { way: [TAKEN, ended("answered"), elapsed("recordRetention")], over: "what became of it is forgotten" },
      forgotten: { way: [DECLINED, FULL, elapsed("recordRetention")], over: "it was refused, and nobody gave it again" },
    },
  });

  const told = (given: MessageInput, ...stimuli: ReadonlyArray<Stimulus>) => {
    const actor = chart.begin(given);
    for (const stimulus of stimuli) actor.tell(stimulus);
    return actor;
  };
  test("without an endpoint it seeks a seat at once, which its assignment gives back when an endpoint has it", () => {
    const actor = told(lost, HELD, DISPATCH, TAKEN);
    expect(actor.sent).toEqual(["HOLD"]);
    expect(actor.context<MessageContext>()).toMatchObject({ endpoint: "endpoint/f", assignment, isDispatched: true, assignments: 1 });
    expect(told(lost, HELD, DISPATCH, DECLINED).context<MessageContext>()).toMatchObject({ endpoint: null, reason: "no_slot", isDispatched: false });
  });
  test("each assignment is another one", () => {
    const actor = told(input, TAKEN, RETURNED, DISPATCH);
    expect(Object.keys(actor.state.children)).toEqual(["assignment-1", "assignment-2"]);
  });

  describeWalk<MessageContext>(chart, {
    input: fc.constantFrom(input, lost, { ...lost, outbox: null }),
    told: fc
      .oneof(fc.constantFrom<MessageEvent>(...Object.values(events)), fc.constantFrom("answered" as const, "failed" as const).map(ended))
      .map((event) => (context: MessageContext) => ("assignment" in event ? ({ ...event, assignment: `message/1/assignment-${context.assignments}` } as MessageEvent) : event)),
    invariants: {
      "whoever took it is known while it is taken": ({ state, context }) =>
        (state === "taken") === (context.holder !== null) || state === "puttingBack" || state.startsWith("over") || state === "closed",
      "it was with an endpoint before it is over by one": ({ state, context }) => !["over.answered", "over.unanswered", "over.failed"].includes(state) || context.assignment !== null,
    },
  });

  describeCoverage(chart);
});
