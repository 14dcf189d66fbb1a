import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { endpoint, endpointActions, type EndpointContext, type EndpointEvent, type EndpointInput } from "../../machines/endpoint.ts";
import { ActorReference } from "../../src/actor/index.ts";
import { elapsed, type Stimulus } from "./actor.ts";
import { Chart } from "./chart.ts";
import { describeCoverage, describeTable, describeWalk, ignored, to } from "./table.ts";

const chart = new Chart(endpoint, endpointActions);
const policy = { graceMs: 30_000, heartbeatTimeoutMs: 15_000, startTimeoutMs: 60_000, flushTimeoutMs: 10_000, slots: 3, bufferMax: 2, conversationsMax: 2 };
const input: EndpointInput = { policy };
const replyTo = new ActorReference("ask/1");
const declared = { owner: "p1", capabilities: [], mode: "resident_endpoint" } as const;
const assignment = "message/1/assignment-1";
const offer = (id: string, more: object = {}) => ({ type: "OFFER", assignment: `message/${id}/assignment-1`, message: { id, content: "hi", ...more }, isDispatched: false }) as const;

const events = {
  ATTACH: { type: "ATTACH", connection: "c1", declared, ownerLives: false, replyTo },
  DETACH: { type: "DETACH", owner: "p1", connection: "c1", replyTo },
  CLOSED: { type: "CLOSED", connection: "c1", ownerLives: true },
  HEARTBEAT: { type: "HEARTBEAT", connection: "c1" },
  CALL: { type: "CALL", owner: "p1", connection: "c1", assignment, call: { type: "ACCEPT" }, replyTo },
  OFFER: offer("1"),
  WITHDRAW: { type: "WITHDRAW", assignment },
  RELEASE: { type: "RELEASE", assignment },
  FREE_SLOT: { type: "FREE_SLOT", assignment },
  JOINED: { type: "JOINED", assignment, conversation: "c" },
  PUSHED: { type: "PUSHED", connection: "c1", assignments: [assignment] },
  PUSH_FAILED: { type: "PUSH_FAILED", connection: "c1" },
  EXPECT: { type: "EXPECT", spawn: "spawn/r" },
  START_FAILED: { type: "START_FAILED", reason: "no such program" },
  OPENED: { type: "OPENED" },
  SHUT_DOWN: { type: "SHUT_DOWN" },
  RETIRE: { type: "RETIRE", replyTo },
} as const satisfies { readonly [Type in EndpointEvent["type"]]: Extract<EndpointEvent, { readonly type: Type }> };
const { ATTACH, DETACH, CLOSED, HEARTBEAT, CALL, OFFER, WITHDRAW, RELEASE, FREE_SLOT, JOINED, PUSHED, PUSH_FAILED, EXPECT, START_FAILED, OPENED, SHUT_DOWN, RETIRE } = events;
const again = { ...ATTACH, connection: "c2" } as const;
const heir = { ...ATTACH, connection: "c2", declared: { ...declared, owner: "p2" } } as const;
const thief = { ...heir, ownerLives: true } as const;
const died = { ...CLOSED, ownerLives: false } as const;
const foreign = { ...CALL, owner: "p2" } as const;
const stale = { ...CALL, connection: "c0" } as const;

/** What every state does with its bookkeeping. */
const books = (state: string) => ({
  WITHDRAW: to(state, WITHDRAW),
  RELEASE: to(state, RELEASE),
  FREE_SLOT: to(state, FREE_SLOT),
  JOINED: to(state, JOINED),
  RETIRE: to("retired", RETIRE),
});
const notSpawned = { EXPECT: ignored("a process of it may live", EXPECT), START_FAILED: ignored("its process is there", START_FAILED) };
const goneConnection = {
  CLOSED: ignored("it is of a connection that is given up", CLOSED),
  HEARTBEAT: ignored("it is of a connection that is given up", HEARTBEAT),
  PUSHED: ignored("it is of a connection that is given up", PUSHED),
  OPENED: ignored("it has no connection that could be gone", OPENED),
};
const unattached = (state: string) => ({ CALL: [to(state, CALL), to(state, foreign)], DETACH: to(state, DETACH), SHUT_DOWN: to(state, SHUT_DOWN) });
const leaves = {
  DETACH: [to("reconnecting", DETACH), to("active.ready", { ...DETACH, connection: "c0" })],
  CLOSED: [to("reconnecting", CLOSED), to("lost", died), ignored("it is of an earlier connection", { ...CLOSED, connection: "c0" })],
  OPENED: to("reconnecting", OPENED),
  SHUT_DOWN: to("reconnecting", SHUT_DOWN),
};

describe("machines > endpoint", () => {
  describeTable<EndpointEvent>(chart, {
    input,
    samples: events,
    rows: {
      starting: {
        way: [],
        on: {
          ...books("starting"),
          ...goneConnection,
          ...unattached("starting"),
          CALL: to("starting", CALL),
          ATTACH: [to("active.ready", ATTACH), to("active.flushing", ATTACH, { way: [OFFER] })],
          OFFER: [to("starting", OFFER), to("starting", offer("2", { needs: ["browser"] }))],
          PUSH_FAILED: ignored("nothing was written yet", PUSH_FAILED),
          EXPECT: ignored("it is expected already", EXPECT),
          START_FAILED: to("lost", START_FAILED),
        },
        after: { startTimeout: to("lost", elapsed("startTimeout")) },
      },
      "active.flushing": {
        way: [OFFER, ATTACH],
        on: {
          ...books("active.flushing"),
          ...notSpawned,
          ...leaves,
          // Nothing is kept any more.
          WITHDRAW: to("active.ready", WITHDRAW),
          RELEASE: to("active.ready", RELEASE),
          JOINED: to("active.ready", JOINED),
          DETACH: [to("reconnecting", DETACH), to("active.flushing", { ...DETACH, connection: "c0" })],
          CALL: [to("active.flushing", CALL), to("active.flushing", foreign), to("active.flushing", stale)],
          ATTACH: [to("active.flushing", again), to("active.flushing", thief), to("active.flushing", heir)],
          HEARTBEAT: ignored("writing has a limit of its own", HEARTBEAT),
          OFFER: [to("active.flushing", offer("2")), to("active.flushing", offer("3"), { way: [OFFER, ATTACH, offer("2")] })],
          PUSHED: [to("active.ready", PUSHED), to("active.flushing", PUSHED, { way: [OFFER, ATTACH, offer("2")] }), ignored("it is of an earlier connection", { ...PUSHED, connection: "c0" })],
          PUSH_FAILED: [to("reconnecting", PUSH_FAILED), ignored("it is of an earlier connection", { ...PUSH_FAILED, connection: "c0" })],
        },
        after: { flushTimeout: to("reconnecting", elapsed("flushTimeout")) },
      },
      "active.ready": {
        way: [ATTACH],
        on: {
          ...books("active.ready"),
          ...notSpawned,
          ...leaves,
          CALL: [to("active.ready", CALL), to("active.ready", foreign), to("active.ready", stale)],
          ATTACH: [to("active.ready", again), to("active.ready", thief), to("active.ready", heir)],
          HEARTBEAT: [to("active.ready", HEARTBEAT), ignored("it is of an earlier connection", { ...HEARTBEAT, connection: "c0" })],
          OFFER: [to("active.ready", OFFER), to("active.ready", offer("2", { session: "other" }))],
          PUSHED: ignored("nothing is being written", PUSHED),
          PUSH_FAILED: [to("reconnecting", { ...PUSH_FAILED, assignment }), ignored("it is of an earlier connection", { ...PUSH_FAILED, connection: "c0" })],
        },
        after: { heartbeatTimeout: to("reconnecting", elapsed("heartbeatTimeout")) },
      },
      reconnecting: {
        way: [ATTACH, CLOSED],
        on: {
          ...books("reconnecting"),
          ...notSpawned,
          ...goneConnection,
          ...unattached("reconnecting"),
          ATTACH: [to("active.ready", again), to("active.flushing", again, { way: [ATTACH, CLOSED, OFFER] }), to("reconnecting", thief), to("active.ready", heir)],
          OFFER: [to("reconnecting", OFFER), to("reconnecting", offer("3"), { way: [ATTACH, CLOSED, OFFER, offer("2")] })],
          PUSH_FAILED: to("reconnecting", PUSH_FAILED),
        },
        after: { grace: to("lost", elapsed("grace")) },
      },
      lost: {
        way: [ATTACH, died],
        on: {
          ...books("lost"),
          ...goneConnection,
          ...unattached("lost"),
          ATTACH: [to("active.ready", again), to("active.ready", heir)],
          OFFER: to("lost", OFFER),
          PUSH_FAILED: ignored("it gave everything up", PUSH_FAILED),
          EXPECT: to("starting", EXPECT),
          START_FAILED: ignored("it is lost already", START_FAILED),
        },
      },
      retired: { way: [RETIRE], over: "it is not needed any more" },
    },
  });

  const told = (...stimuli: ReadonlyArray<Stimulus>) => {
    const actor = chart.begin(input);
    for (const stimulus of stimuli) actor.tell(stimulus);
    return actor;
  };
  const messages = (...stimuli: ReadonlyArray<Stimulus>) =>
    told(...stimuli).commands.flatMap((command) =>
      command.type === "send" && command.to.kind === "address" && /^(message|ask)\//.test(command.to.address)
        ? [`${command.event.type}${"code" in command.event ? ` ${command.event.code}` : ""}${"reason" in command.event ? ` ${command.event.reason}` : ""}`]
        : [],
    );
  const contextOf = (...stimuli: ReadonlyArray<Stimulus>) => told(...stimuli).context<EndpointContext>();

  describe("late events", () => {
    test.each<[string, ReadonlyArray<Stimulus>, string]>([
      ["a call of an earlier owner", [ATTACH, heir, CALL], "REFUSED not_owner"],
      ["a call over an earlier connection", [ATTACH, again, CALL], "REFUSED not_attached"],
      ["a call while it is reconnecting", [ATTACH, CLOSED, CALL], "REFUSED not_attached"],
      ["another process, while the owner lives", [ATTACH, thief], "REFUSED not_owner"],
      ["an offer for a lost endpoint", [ATTACH, died, OFFER], "DECLINED target_lost"],
      ["an offer that was written to a dead connection", [ATTACH, OFFER, { ...PUSH_FAILED, assignment }], "LOST connection_broken"],
      ["a failed write of what was accepted", [ATTACH, OFFER, JOINED, { ...PUSH_FAILED, assignment }], "TAKEN"],
      ["a failed write after the connection was given up", [ATTACH, OFFER, CLOSED, { ...PUSH_FAILED, assignment }], "LOST connection_broken"],
    ])("%s", (_, way, expected) => expect(messages(...way).at(-1)).toBe(expected));
  });

  test("what is kept is deleted only after all of it was pushed, and stays when that fails", () => {
    const kept = [ATTACH, CLOSED, OFFER, offer("2"), { ...ATTACH, connection: "c1" }];
    expect(contextOf(...kept, PUSHED).buffer).toHaveLength(2);
    expect(contextOf(...kept, PUSHED, { ...PUSHED, assignments: ["message/2/assignment-1"] })).toMatchObject({ buffer: [], pushed: [] });
    expect(contextOf(...kept, PUSHED, PUSH_FAILED)).toMatchObject({ pushed: [], connection: null, buffer: [{ assignment }, {}] });
    expect(contextOf(...kept, elapsed("flushTimeout")).buffer).toHaveLength(2);
  });
  test("another process gets what was kept, and what the earlier one had not accepted goes back", () => {
    const way = [ATTACH, OFFER, offer("2"), { ...JOINED, assignment: "message/2/assignment-1" }, CLOSED, offer("3"), heir];
    expect(messages(...way).filter((sent) => sent.startsWith("LOST"))).toEqual(["LOST target_lost"]);
    expect(contextOf(...way)).toMatchObject({ incarnation: 2, buffer: [{ assignment: "message/3/assignment-1" }], accepted: ["message/2/assignment-1"] });
  });
  test("what an earlier request for a process comes to does not end the wait for another one", () => {
    const late = (spawn: string) => told(elapsed("startTimeout"), EXPECT, { ...START_FAILED, spawn }).state.snapshot.value;
    expect(late("spawn/earlier")).toBe("starting");
    expect(late(EXPECT.spawn)).toBe("lost");
  });
  test("the ring of conversations forgets the oldest", () => {
    const join = (conversation: string) => ({ ...JOINED, conversation });
    expect(contextOf(ATTACH, join("a"), join("b"), join("a"), join("c")).conversations).toEqual(["a", "c"]);
  });
  test("slots, capabilities, sessions and new conversations are looked at in one place", () => {
    const last = (...way: ReadonlyArray<Stimulus>) => messages(...way).at(-1);
    expect(last(ATTACH, OFFER, offer("2"), offer("3"), offer("4"))).toBe("DECLINED no_slot");
    expect(last(ATTACH, offer("2", { mode: "adapter_managed_turn" }))).toBe("DECLINED other_session");
    const background = { ...ATTACH, declared: { ...declared, capabilities: ["background_exchange"] } };
    expect(last(background, offer("2", { conversation: "new" }))).toBe("DECLINED new_conversation");
    expect(last(background, { ...JOINED, conversation: "new" }, offer("2", { conversation: "new" }))).toBe("TAKEN");
    expect(last(background, { ...offer("2", { conversation: "new" }), isDispatched: true })).toBe("TAKEN");
  });

  const nearby = fc.constantFrom("1", "2", "3", "4");
  describeWalk<EndpointContext>(chart, {
    input: fc.constantFrom(input, { ...input, spawn: "spawn/r" }),
    told: fc.oneof(
      fc
        .constantFrom<EndpointEvent>(...Object.values(events).filter(({ type }) => type !== "RETIRE"), again, heir, thief, died)
        .map((event) => (context: EndpointContext) => ("connection" in event && event.type !== "ATTACH" ? { ...event, connection: context.connection ?? "c1" } : event)),
      nearby.map((id) => () => offer(id)),
      nearby.map((id) => () => ({ ...JOINED, assignment: `message/${id}/assignment-1` })),
      fc.constant((context: EndpointContext) => ({ ...PUSHED, connection: context.connection ?? "c1", assignments: context.buffer.slice(0, 1).map((kept) => kept.assignment) })),
    ),
    invariants: {
      "each once": ({ context }) => new Set(context.taken).size === context.taken.length && new Set(context.buffer.map((kept) => kept.assignment)).size === context.buffer.length,
      "nothing is kept while it is ready": ({ state, context }) => state !== "active.ready" || context.buffer.length === 0,
      "what is kept holds a slot": ({ context }) => context.buffer.every((kept) => context.taken.includes(kept.assignment)),
      "it has a connection while it is active, and at no other time": ({ state, context }) => state.startsWith("active") === (context.connection !== null),
    },
  });

  describeCoverage(chart);
});
