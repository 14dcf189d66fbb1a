import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type InboxContext, type InboxEvent, type InboxInput, inbox } from "../../machines/inbox.ts";
import type { Command, Cursor } from "../../src/domain/inbox.ts";
import { type Actor, done, elapsed, failed, type Stimulus } from "./actor.ts";
import { Chart } from "./chart.ts";
import { describeCoverage, describeTable, describeWalk, ignored, to } from "./table.ts";

const chart = new Chart(inbox, []);
const input: InboxInput = { outbox: "outbox/up" };

const cursor = (createdAt: number, requestId = "r"): Cursor => ({ createdAt, requestId });
const commandOf = (command: Partial<Command> = {}) => ({ type: "COMMAND", command: { cursor: cursor(1), type: "stop", payload: {}, ...command } }) as const;
const forHost = commandOf();
const forActor = commandOf({ to: "task/1", event: { type: "STOP" } });
const adopt = { type: "ADOPT", from: "inbox/other" } as const;
const surrender = { type: "SURRENDER", to: "inbox/heir" } as const;
const surrendered = { type: "SURRENDERED", applied: cursor(5) } as const;
const inquire = { type: "INQUIRE", from: "inbox/heir" } as const;
const busy = { type: "BUSY" } as const;
const late = elapsed("adoptionTimeout");
const refusal = { name: "Error", message: "no such task" } as const;
const kept = "it is not for this state: the engine keeps it for the next one";

/** While another inbox is asked for its cursor. */
const waiting = {
  COMMAND: ignored(kept, forActor),
  ADOPT: ignored(kept, adopt),
  SURRENDER: ignored(kept, surrender),
  SURRENDERED: to("ready", surrendered),
  INQUIRE: ignored("two that wait for each other must not wait for ever", inquire),
};

describe("machines > inbox", () => {
  describeTable<InboxEvent>(chart, {
    input,
    samples: { COMMAND: forHost, ADOPT: adopt, SURRENDER: surrender, SURRENDERED: surrendered, INQUIRE: inquire, BUSY: busy },
    rows: {
      ready: {
        way: [],
        on: {
          COMMAND: [to("handling", forHost), to("ready", forActor), to("ready", forHost, { way: [forActor] })],
          ADOPT: to("adopting", adopt),
          SURRENDER: to("closed", surrender),
          SURRENDERED: to("ready", surrendered),
          INQUIRE: ignored("it handles nothing", inquire),
          BUSY: ignored("it waits for nobody", busy),
        },
      },
      adopting: {
        way: [adopt],
        on: {
          ...waiting,
          BUSY: ignored("it has not asked, or waits already", busy),
        },
        after: { adoptionTimeout: to("inquiring", late) },
      },
      inquiring: {
        way: [adopt, late],
        on: {
          ...waiting,
          BUSY: to("adopting", busy),
        },
        after: { adoptionTimeout: to("ready", late) },
      },
      handling: {
        way: [forHost],
        on: {
          COMMAND: ignored(kept, forActor),
          ADOPT: ignored(kept, adopt),
          SURRENDER: ignored(kept, surrender),
          SURRENDERED: to("handling", surrendered),
          INQUIRE: to("handling", inquire),
          BUSY: ignored("it waits for nobody", busy),
        },
        children: { "done handle": to("ready", done("handle", undefined)), "error handle": to("ready", failed("handle", refusal)) },
      },
      closed: { way: [surrender], over: "another inbox took over" },
    },
  });

  const told = (given: InboxInput, ...stimuli: ReadonlyArray<Stimulus>): Actor => {
    const actor = chart.begin(given);
    for (const stimulus of stimuli) actor.tell(stimulus);
    return actor;
  };
  const contextOf = (...stimuli: ReadonlyArray<Stimulus>) => told(input, ...stimuli).context<InboxContext>();
  const messages = (actor: Actor) => actor.commands.flatMap((command) => (command.type === "send" && command.to.kind === "address" ? [{ to: command.to.address, ...command.event }] : []));
  const acknowledged = (actor: Actor) =>
    messages(actor).flatMap((message) => (message.type === "ENQUEUE" ? (message as unknown as { entries: ReadonlyArray<{ key: string; payload: unknown }> }).entries : []));

  test("the actor is told and the sender is answered in one step", () => {
    expect(messages(told(input, forActor))).toMatchObject([
      { to: "task/1", type: "STOP" },
      { to: "outbox/up", type: "ENQUEUE", entries: [{ type: "acknowledgement", payload: { requestId: "r", accepted: true } }] },
    ]);
    expect(messages(told(input, commandOf({ to: "task/1", payload: { reason: "late" } })))[0]).toEqual({ to: "task/1", type: "stop", payload: { reason: "late" } });
  });
  test("a command at or below the cursor is acknowledged again and not applied again", () => {
    for (const late of [forActor, commandOf({ cursor: cursor(1, "q"), to: "task/1" }), commandOf({ cursor: cursor(0, "z"), to: "task/1" })]) {
      const actor = told(input, forActor, late);
      expect(messages(actor).filter(({ to }) => to === "task/1")).toHaveLength(1);
      expect(acknowledged(actor).at(-1)?.payload).toMatchObject({ accepted: true, duplicate: true });
      expect(actor.context<InboxContext>()).toMatchObject({ accepted: 1, duplicates: 1, applied: cursor(1) });
    }
    expect(messages(told(input, forActor, commandOf({ cursor: cursor(1, "s"), to: "task/1" }))).filter(({ to }) => to === "task/1")).toHaveLength(2);
  });
  test("every acknowledgement has a key of its own, also where two inboxes share an outbox", () => {
    const keys = acknowledged(told(input, forActor, forActor, forActor, commandOf({ cursor: cursor(2) }), failed("handle", refusal), commandOf({ cursor: cursor(2) }), failed("handle", refusal))).map(
      ({ key }) => key,
    );
    expect(new Set(keys).size).toBe(5);
    expect(keys.every((key) => key.startsWith("ack:inbox/1:"))).toBe(true);
  });
  test("the cursor moves only when the handler accepted", () => {
    expect(contextOf(forHost, done("handle", undefined))).toMatchObject({ applied: cursor(1), handling: null, accepted: 1, refused: 0 });
    expect(contextOf(forHost, failed("handle", refusal))).toMatchObject({ applied: null, handling: null, accepted: 0, refused: 1 });
    expect(acknowledged(told(input, forHost, failed("handle", refusal)))[0]?.payload).toEqual({ requestId: "r", accepted: false, reason: "no such task" });
  });
  test("without an outbox the answer is emitted", () => {
    expect(told({}, forActor).commands).toContainEqual({ type: "emit", event: { type: "inbox.acknowledged", requestId: "r", accepted: true } });
  });
  test("of two cursors the later one counts", () => {
    expect(contextOf(forActor, surrendered).applied).toEqual(cursor(5));
    expect(contextOf(commandOf({ to: "task/1", cursor: cursor(9) }), surrendered).applied).toEqual(cursor(9));
    expect(contextOf(forActor, { type: "SURRENDERED", applied: null }).applied).toEqual(cursor(1));
  });

  test("one that waits for long asks whether the other one is busy, which says so while it handles a command", () => {
    const asked = told(input, adopt, late);
    expect(asked.sent).toEqual(["SURRENDER", "INQUIRE"]);
    expect(messages(asked).at(-1)).toEqual({ to: "inbox/other", type: "INQUIRE", from: "inbox/1" });
    expect(messages(told(input, forHost, inquire))).toEqual([{ to: "inbox/heir", type: "BUSY" }]);
  });

  const near = fc.record({ createdAt: fc.nat(3), requestId: fc.constantFrom("a", "b") });
  describeWalk<InboxContext>(chart, {
    input: fc.constantFrom(input, {}, { applied: cursor(1) }),
    told: fc.oneof(
      { weight: 8, arbitrary: near.map((at) => () => commandOf({ cursor: at, to: "task/1" })) },
      { weight: 4, arbitrary: near.map((at) => () => commandOf({ cursor: at })) },
      { weight: 2, arbitrary: fc.option(near).map((applied) => (): InboxEvent => ({ type: "SURRENDERED", applied })) },
      {
        weight: 1,
        arbitrary: fc.constantFrom<() => InboxEvent>(
          () => adopt,
          () => adopt,
          () => surrender,
        ),
      },
    ),
    outputs: { handle: fc.constant(undefined) },
    invariants: {
      "it only grows: no command is applied twice": ({ actor, context }) => messages(actor).filter(({ to }) => to === "task/1").length <= context.accepted,
      "a command is handled, or nothing is": ({ state, context }) => (state === "handling") === (context.handling !== null),
    },
  });

  describeCoverage(chart);
});
