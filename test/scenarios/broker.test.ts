import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import { describe, expect } from "vitest";
import { delivered, refused, retry } from "../../src/delivery/index.ts";
import type { Command } from "../../src/domain/inbox.ts";
import type { Verdict } from "../../src/domain/outbox.ts";
import { type Bench, inThreeModes as inModes } from "../../src/testing/index.ts";
import { type Puppet, say, Stage } from "../broker/stage.ts";

// Over SQLite the broker is killed for real: see test/crash/broker.
const inThreeModes = (name: string, scenario: (bench: Bench) => Promise<void>) => inModes(name, scenario, undefined, ["memory"]);
const inTwoModes = (name: string, scenario: (bench: Bench) => Promise<void>) => inModes(name, scenario, ["normal", "json"], ["memory"]);

const second = 1_000;
const hour = 3_600 * second;

/** An assignment that the endpoint has accepted. */
const accepted = async (stage: Stage, puppet: Puppet, id = "m"): Promise<string> => {
  await stage.call(stage.broker.receive(say(id, { target: puppet.hello.endpoint })));
  await stage.call(puppet.session.accept(puppet.lastOffer));
  return puppet.lastOffer;
};
const command = (type: string, createdAt: number, payload: unknown): Command => ({ cursor: { createdAt, requestId: `c${createdAt}` }, type, payload });
/** A reply whose answer the test does not wait for. */
const silent = () => new Promise<Verdict>(() => {});

describe("scenarios > broker", () => {
  inThreeModes("D1 an assignment is a message, an id and an endpoint, and its states carry a number that only grows", async (bench) => {
    const stage = await Stage.open(bench);
    const puppet = await stage.puppet("e");
    expect(await stage.call(stage.broker.receive(say("m", { target: "e" })))).toMatchObject({ state: "assigned", endpoint: "e", assignment: puppet.lastOffer });
    const assignment = puppet.lastOffer;
    expect(await stage.call(puppet.session.accept(assignment))).toEqual({ state: "accepted", sequence: 2 });
    await stage.call(puppet.session.progress(assignment));
    await stage.call(puppet.session.waitFor(assignment, "browser"));
    await stage.call(puppet.session.progress(assignment));
    expect(await stage.call(puppet.session.reply(assignment, "r", "done"))).toEqual({ state: "reply_sent", sequence: 7 });
    expect(stage.told("assignment")[0]).toEqual({ assignment, message: "m", endpoint: "e", state: "offered", sequence: 1 });
    expect(stage.states()).toEqual(["1 offered", "2 accepted", "3 processing", "4 waiting_for_capability", "5 processing", "6 reply_requested", "7 reply_sent"]);
    expect(await stage.call(stage.broker.assignment(assignment))).toMatchObject({ message: "m", endpoint: "e", state: "reply_sent", sequence: 7 });
    const other = await accepted(stage, puppet, "n");
    await stage.call(puppet.session.fail(other, { reason: "no idea" }));
    expect(stage.states("n")).toEqual(["1 offered", "2 accepted", "3 failed"]);
  });

  inThreeModes("D2 what is not accepted within 30 s goes back to the inbox, and can be assigned again", async (bench) => {
    const stage = await Stage.open(bench);
    const first = await stage.puppet("first");
    const other = await stage.puppet("other");
    await stage.call(stage.broker.receive(say("m", { target: "first" })));
    await stage.advance(29 * second);
    expect(await stage.inbox()).toEqual([]);
    await stage.advance(1 * second);
    expect(await stage.inbox()).toEqual(["m: not_accepted_in_time"]);
    expect(stage.states()).toEqual(["1 offered", "2 lost_before_acceptance"]);
    const late = first.lastOffer;
    expect(await stage.failure(first.session.accept(late))).toMatchObject({ _tag: "AssignmentOver", state: "lost_before_acceptance" });
    expect(await stage.call(stage.broker.dispatch("m", "other"))).toMatchObject({ state: "assigned", endpoint: "other" });
    await stage.call(other.session.accept(other.lastOffer));
    expect(other.lastOffer).not.toBe(late);
    expect(await stage.inbox()).toEqual([]);
  });

  inThreeModes("D2 the same happens when the endpoint is lost, its connection can't be written, its buffer is full, or the broker shuts down", async (bench) => {
    const stage = await Stage.open(bench, { policy: { bufferMax: 1, acceptanceTimeoutMs: hour } });
    const lost = await stage.puppet("lost");
    await stage.call(stage.broker.receive(say("m1", { target: "lost" })));
    lost.disconnect();
    await stage.quiet();
    await stage.advance(30 * second);
    const broken = await stage.puppet("broken");
    broken.writable = 0;
    await stage.call(stage.broker.receive(say("m2", { target: "broken" })));
    broken.writable = 10;
    const away = await stage.puppet("away");
    away.disconnect();
    await stage.quiet();
    expect(await stage.call(stage.broker.receive(say("kept", { target: "away" })))).toMatchObject({ state: "assigned" });
    await stage.call(stage.broker.receive(say("m3", { target: "away" })));
    const fine = await stage.puppet("fine");
    await stage.call(stage.broker.receive(say("m4", { target: "fine" })));
    expect(fine.offers).toEqual(["m4"]);
    await stage.call(stage.broker.shutDown());
    expect(await stage.inbox()).toEqual(["m1: target_lost", "m2: connection_broken", "m3: buffer_full", "kept: broker_closing", "m4: broker_closing"]);
  });

  inThreeModes("D2 after the acceptance it is never given to another, whatever becomes of the endpoint", async (bench) => {
    const stage = await Stage.open(bench);
    const puppet = await stage.puppet("e");
    const assignment = await accepted(stage, puppet);
    puppet.disconnect();
    await stage.quiet();
    await stage.advance(60 * second);
    expect(await stage.endpointState("e")).toBe("lost");
    expect(await stage.state("m")).toBe("assigned");
    await stage.call(stage.broker.shutDown());
    expect(await stage.failure(stage.broker.dispatch("m", "e"))).toMatchObject({ _tag: "NotInInbox", state: "assigned" });
    const again = await stage.puppet("e");
    expect(again.session.accepted).toEqual([assignment]);
    expect(await stage.call(again.session.reply(assignment, "r", "late but mine"))).toMatchObject({ state: "reply_sent" });
    expect(await stage.state("m")).toBe("answered");
  });

  inThreeModes("D3 if the inbox is full at that moment the assignment is kept and tried again", async (bench) => {
    const stage = await Stage.open(bench, { policy: { inboxMax: 1 } });
    const puppet = await stage.puppet("e");
    await stage.call(stage.broker.receive(say("full")));
    await stage.call(stage.broker.receive(say("m", { target: "e" })));
    await stage.advance(35 * second);
    expect(await stage.state("m")).toBe("assigned");
    expect(await stage.inbox()).toEqual(["full: no_target"]);
    expect(stage.states()).toEqual(["1 offered"]);
    await stage.call(stage.broker.take("full", "anna"));
    await stage.advance(1 * second);
    expect(await stage.inbox()).toEqual(["m: not_accepted_in_time"]);
    // While it is kept it can still be accepted.
    await stage.call(stage.broker.receive(say("n", { target: "e" })));
    await stage.advance(35 * second);
    expect(await stage.call(puppet.session.accept(puppet.lastOffer))).toEqual({ state: "accepted", sequence: 2 });
    await stage.advance(5 * second);
    expect(await stage.state("n")).toBe("assigned");
  });

  inThreeModes("D4 failing before the acceptance goes back to the inbox if it is retryable, else it ends the assignment", async (bench) => {
    const stage = await Stage.open(bench);
    const puppet = await stage.puppet("e");
    for (const id of ["again", "never", "refused"]) await stage.call(stage.broker.receive(say(id, { target: "e" })));
    const [again = "", never = "", unwanted = ""] = puppet.frames.flatMap((frame) => (frame.type === "offer" ? [frame.assignment] : []));
    await stage.call(puppet.session.fail(again, { reason: "busy", retryable: true }));
    expect(await stage.call(puppet.session.fail(never, { reason: "not my language" }))).toEqual({ state: "failed", sequence: 2 });
    await stage.call(puppet.session.refuse(unwanted, "no"));
    expect(await stage.inbox()).toEqual(["again: busy", "refused: no"]);
    expect(await stage.message("never")).toMatchObject({ state: "failed", reason: "not my language" });
    expect(stage.states("never")).toEqual(["1 offered", "2 failed"]);
  });

  inThreeModes("D5 a reply needs an accepted assignment, the owning endpoint and a request id", async (bench) => {
    const stage = await Stage.open(bench);
    const puppet = await stage.puppet("e");
    const other = await stage.puppet("other");
    await stage.call(stage.broker.receive(say("m", { target: "e" })));
    const assignment = puppet.lastOffer;
    expect(await stage.failure(puppet.session.reply(assignment, "r", "hi"))).toMatchObject({ _tag: "NotAccepted" });
    await stage.call(puppet.session.accept(assignment));
    expect(await stage.failure(other.session.reply(assignment, "r", "hi"))).toMatchObject({ _tag: "NotAssigned" });
    expect(await stage.failure(other.session.reply("message/none/assignment-1", "r", "hi"))).toMatchObject({ _tag: "UnknownAssignment" });
    await stage.call(puppet.session.reply(assignment, "r", "hi"));
    expect(stage.sent).toMatchObject([{ assignment, requestId: "r", content: "hi", message: { id: "m" } }]);
  });

  // A day of due moments: a restart after each would be nothing new. It is restarted in the middle.
  inTwoModes("D5 the same request id with the same content gets the first result, with other content a conflict, for 24 h", async (bench) => {
    const stage = await Stage.open(bench);
    const puppet = await stage.puppet("e");
    const assignment = await accepted(stage, puppet);
    const first = await stage.call(puppet.session.reply(assignment, "r", { text: "hi", to: "anna" }));
    expect(await stage.call(puppet.session.reply(assignment, "r", { to: "anna", text: "hi" }))).toEqual(first);
    expect(await stage.failure(puppet.session.reply(assignment, "r", { text: "ho" }))).toMatchObject({ _tag: "ReplyConflict", requestId: "r" });
    expect(await stage.failure(puppet.session.reply(assignment, "r2", "more"))).toMatchObject({ _tag: "AssignmentOver", state: "reply_sent" });
    await stage.advance(23 * hour);
    await stage.restart();
    expect(await stage.call(puppet.session.reply(assignment, "r", { text: "hi", to: "anna" }))).toEqual(first);
    expect(await stage.failure(puppet.session.reply(assignment, "r", "ho"))).toMatchObject({ _tag: "ReplyConflict" });
    await stage.advance(2 * hour);
    expect(await stage.state("m").catch(() => "gone")).toMatch(/closed|gone/);
    expect(await stage.failure(puppet.session.reply(assignment, "r", { text: "hi", to: "anna" }))).toMatchObject({ code: expect.stringMatching(/assignment_over|unknown_assignment/) });
    expect(stage.sent).toHaveLength(1);
  });

  inTwoModes("D5 a repeated request joins the one that is in flight, also over another connection", async (bench) => {
    let answer = (_: Verdict) => {};
    const stage = await Stage.open(bench, { connector: () => new Promise((resolve) => (answer = resolve)) });
    const puppet = await stage.puppet("e");
    const assignment = await accepted(stage, puppet);
    const calls = [stage.begin(puppet.session.reply(assignment, "r", "hi")), stage.begin(puppet.session.reply(assignment, "r", "hi"))];
    await stage.quiet();
    puppet.disconnect();
    puppet.isUp = true;
    await stage.quiet();
    calls.push(stage.begin(puppet.session.reply(assignment, "r", "hi")));
    expect(await stage.failure(puppet.session.reply(assignment, "r", "ho"))).toMatchObject({ _tag: "ReplyConflict" });
    expect(await stage.failure(puppet.session.reply(assignment, "r2", "ho"))).toMatchObject({ _tag: "ReplyPending", retryable: true });
    answer(delivered);
    await stage.quiet();
    for (const call of calls) expect(await call).toEqual(Exit.succeed({ state: "reply_sent", sequence: 4 }));
    expect(stage.sent).toHaveLength(1);
  });

  inThreeModes("D5 only the broker tells of reply_requested and reply_sent", async (bench) => {
    const stage = await Stage.open(bench);
    const puppet = await stage.puppet("e");
    const assignment = await accepted(stage, puppet);
    for (const state of ["reply_requested", "reply_sent", "offered", "expired", "whatever"])
      expect(await stage.failure(puppet.session.progress(assignment, state))).toMatchObject({ _tag: "ReservedState", state, status: 400 });
    expect(stage.states()).toEqual(["1 offered", "2 accepted"]);
  });

  inTwoModes("D6 a send that is not acknowledged in time has an unknown outcome, and every repeat gets the same answer", async (bench) => {
    const stage = await Stage.open(bench, { connector: silent });
    const puppet = await stage.puppet("e");
    const assignment = await accepted(stage, puppet);
    const call = stage.begin(Effect.flip(puppet.session.reply(assignment, "r", "hi")));
    await stage.advance(30 * second);
    const unknown = { _tag: "OutcomeUnknown", retryable: false, status: 504 };
    expect((await call)._tag === "Success" && ((await call) as Exit.Success<unknown, unknown>).value).toMatchObject(unknown);
    expect(await stage.failure(puppet.session.reply(assignment, "r", "hi"))).toMatchObject(unknown);
    await stage.restart();
    expect(await stage.failure(puppet.session.reply(assignment, "r", "hi"))).toMatchObject(unknown);
    expect(stage.sent).toHaveLength(1);
    expect(stage.states().at(-1)).toBe("4 outcome_unknown");
    expect(await stage.state("m")).toBe("unanswered");
  });

  inThreeModes("D6 what the connector throws, and a crash while it sends, leave the outcome unknown as well: it is never sent twice", async (bench) => {
    let connector: () => Promise<Verdict> = () => Promise.reject(new Error("connection reset"));
    const stage = await Stage.open(bench, { connector: () => connector() });
    const puppet = await stage.puppet("e");
    const first = await accepted(stage, puppet, "m");
    expect(await stage.failure(puppet.session.reply(first, "r", "hi"))).toMatchObject({ _tag: "OutcomeUnknown", detail: "connection reset" });
    connector = silent;
    const other = await accepted(stage, puppet, "n");
    void stage.begin(puppet.session.reply(other, "r", "hi"));
    await stage.engine.settled();
    await stage.restart();
    expect(await stage.failure(puppet.session.reply(other, "r", "hi"))).toMatchObject({ _tag: "OutcomeUnknown" });
    expect(stage.sent.map(({ message }) => message.id)).toEqual(["m", "n"]);
  });

  inThreeModes("D6 an unavailable connector has sent nothing: the same request may be made again", async (bench) => {
    let verdict: Verdict = retry("no route to the outside");
    const stage = await Stage.open(bench, { connector: () => verdict });
    const puppet = await stage.puppet("e");
    const assignment = await accepted(stage, puppet);
    expect(await stage.failure(puppet.session.reply(assignment, "r", "hi"))).toMatchObject({ _tag: "ConnectorUnavailable", retryable: true, status: 503 });
    expect(await stage.failure(puppet.session.reply(assignment, "r", "ho"))).toMatchObject({ _tag: "ReplyConflict" });
    verdict = refused("too long");
    expect(await stage.failure(puppet.session.reply(assignment, "r", "hi"))).toMatchObject({ _tag: "ReplyRefused", reason: "too long" });
    expect(await stage.failure(puppet.session.reply(assignment, "r", "hi"))).toMatchObject({ _tag: "ReplyRefused" });
    verdict = delivered;
    expect(await stage.call(puppet.session.reply(assignment, "r2", "h"))).toMatchObject({ state: "reply_sent" });
    expect(stage.sent.map(({ requestId }) => requestId)).toEqual(["r", "r", "r2"]);
  });

  inThreeModes("D7 reply_sent goes upstream with retries after 1 s, doubling to 30 s; a final refusal ends that", async (bench) => {
    const stage = await Stage.open(bench);
    const puppet = await stage.puppet("e");
    const assignment = await accepted(stage, puppet);
    stage.verdict = retry("status 503");
    const tries = () => stage.upstream.calls.filter(({ entry }) => entry.type === "assignment" && (entry.payload as { state?: string }).state === "reply_requested").length;
    await stage.call(puppet.session.reply(assignment, "r", "hi"));
    const begun = stage.engine.time.now();
    const moments: Array<number> = [];
    for (let known = tries(); stage.engine.time.now() - begun < 125 * second; ) {
      await stage.advance(500);
      if (tries() > known) moments.push((stage.engine.time.now() - begun) / second);
      known = tries();
    }
    expect(moments).toEqual([1, 3, 7, 15, 31, 61, 91, 121]);
    stage.verdict = refused("status 400");
    await stage.advance(31 * second);
    expect(await stage.call(stage.outboxes.counts("up"))).toMatchObject({ pending: 0, poisoned: 0 });
    expect(stage.told("assignment").at(-1)).toMatchObject({ state: "reply_sent", requestId: "r", sequence: 4 });
    expect(stage.heard.filter(({ type }) => type === "outbox.refused")).toHaveLength(2);
  });

  inThreeModes("D8 messages for a reconnecting endpoint are kept, and pushed in order when it is back", async (bench) => {
    const stage = await Stage.open(bench);
    const puppet = await stage.puppet("e");
    puppet.disconnect();
    await stage.quiet();
    expect(await stage.endpointState("e")).toBe("reconnecting");
    for (const id of ["m1", "m2", "m3"]) await stage.call(stage.broker.receive(say(id, { target: "e" })));
    expect(puppet.offers).toEqual([]);
    expect((await stage.call(stage.broker.endpoint("e"))).buffered).toHaveLength(3);
    // Two are written, then it breaks: nothing is deleted.
    puppet.writable = 2;
    puppet.isUp = true;
    puppets(stage, false);
    await stage.call(Effect.ignore(puppet.attaching()));
    expect(puppet.offers).toEqual(["m1", "m2"]);
    expect(await stage.endpointState("e")).toBe("reconnecting");
    expect((await stage.call(stage.broker.endpoint("e"))).buffered).toHaveLength(3);
    puppet.writable = 10;
    puppets(stage, true);
    await stage.quiet();
    expect(puppet.offers).toEqual(["m1", "m2", "m1", "m2", "m3"]);
    expect(await stage.call(stage.broker.endpoint("e"))).toMatchObject({ state: "active", buffered: [] });
    for (const frame of puppet.frames.slice(-3)) if (frame.type === "offer") await stage.call(puppet.session.accept(frame.assignment));
    expect(await stage.inbox()).toEqual([]);
  });

  inThreeModes("D8 an endpoint is active, reconnecting within the grace, lost after it, and retired", async (bench) => {
    const stage = await Stage.open(bench);
    const puppet = await stage.puppet("e");
    expect(await stage.call(stage.broker.endpoint("e"))).toMatchObject({ state: "active", incarnation: 1 });
    puppet.disconnect();
    await stage.quiet();
    await stage.advance(29 * second);
    puppet.isUp = true;
    await stage.quiet();
    expect(await stage.call(stage.broker.endpoint("e"))).toMatchObject({ state: "active", incarnation: 1 });
    await stage.call(puppet.session.detach());
    puppet.disconnect();
    await stage.quiet();
    expect(await stage.endpointState("e")).toBe("reconnecting");
    await stage.advance(30 * second);
    expect(await stage.endpointState("e")).toBe("lost");
    puppet.isUp = true;
    await stage.quiet();
    expect(await stage.call(stage.broker.endpoint("e"))).toMatchObject({ state: "active", incarnation: 2 });
    const assignment = await accepted(stage, puppet);
    await stage.call(stage.broker.retire("e"));
    expect(await stage.endpointState("e")).toBe("retired");
    expect(await stage.message("m")).toMatchObject({ state: "failed", reason: "its endpoint was retired" });
    expect(await stage.failure(puppet.session.accept(assignment))).toMatchObject({ _tag: "EndpointRetired", status: 410 });
    expect(await stage.failure(puppet.attaching())).toMatchObject({ _tag: "EndpointRetired" });
  });

  inTwoModes("D9 an endpoint that is silent for too long has no connection any more", async (bench) => {
    const stage = await Stage.open(bench, { policy: { heartbeatTimeoutMs: 15 * second } });
    const puppet = await stage.puppet("e");
    for (let beats = 0; beats < 3; beats++) {
      await stage.advance(10 * second);
      await stage.call(puppet.session.heartbeat());
    }
    expect(puppet.isAttached).toBe(true);
    puppet.isUp = false;
    await stage.advance(15 * second);
    expect(puppet.isAttached).toBe(false);
    expect(await stage.endpointState("e")).toBe("reconnecting");
  });

  inThreeModes("D9 calls by another owner are refused, also when it has the endpoint's id", async (bench) => {
    const stage = await Stage.open(bench);
    const puppet = await stage.puppet("e");
    const assignment = await accepted(stage, puppet);
    expect(await stage.failure(Effect.suspend(() => new (puppet.constructor as new (...args: ReadonlyArray<unknown>) => Puppet)(stage, { endpoint: "e", owner: "thief" }).attaching()))).toMatchObject({
      _tag: "NotOwner",
      status: 403,
    });
    expect(await stage.call(stage.broker.endpoint("e"))).toMatchObject({ owner: "e-process", incarnation: 1 });
    // Its process has ended: another one may own it, and the first one's calls are refused from then on.
    puppet.die();
    await stage.quiet();
    const heir = await stage.puppet("e", { owner: "heir" });
    expect(await stage.call(stage.broker.endpoint("e"))).toMatchObject({ owner: "heir", incarnation: 2 });
    expect(await stage.failure(puppet.session.reply(assignment, "r", "hi"))).toMatchObject({ _tag: "NotOwner" });
    expect(await stage.call(heir.session.reply(assignment, "r", "hi"))).toMatchObject({ state: "reply_sent" });
  });

  inThreeModes("D9 a target without the capability, or with another session, is refused, and the message stays in the inbox", async (bench) => {
    const stage = await Stage.open(bench);
    const plain = await stage.puppet("plain");
    const able = await stage.puppet("able", { capabilities: ["browser"], mode: "adapter_managed_turn", session: "s1" });
    await stage.call(stage.broker.receive(say("m", { target: "plain", needs: ["browser"], mode: "adapter_managed_turn", session: "s1" })));
    await stage.call(stage.broker.receive(say("n", { target: "able", session: "s2" })));
    expect(await stage.inbox()).toEqual(["m: lacks_capability", "n: other_session"]);
    expect(await stage.failure(stage.broker.dispatch("m", "plain"))).toMatchObject({ _tag: "TargetRefused", reason: "lacks_capability" });
    expect(await stage.failure(stage.broker.dispatch("n", "able"))).toMatchObject({ _tag: "TargetRefused", reason: "other_session" });
    expect(await stage.inbox()).toEqual(["m: lacks_capability", "n: other_session"]);
    expect(await stage.call(stage.broker.dispatch("m", "able"))).toMatchObject({ state: "assigned" });
    expect(plain.offers).toEqual([]);
    expect(able.offers).toEqual(["m"]);
  });

  inThreeModes("D10 the inbox is bounded and listed, with a preview and a reason; at capacity a delivery is refused, to be redelivered", async (bench) => {
    const stage = await Stage.open(bench, { policy: { inboxMax: 2 } });
    await stage.call(stage.broker.receive(say("m1", { content: "ä".repeat(500) })));
    await stage.call(stage.broker.receive(say("m2", { content: { text: "hello" }, target: "nobody" })));
    expect(await stage.failure(stage.broker.receive(say("m3")))).toMatchObject({ _tag: "InboxFull", retryable: true, status: 429, inboxMax: 2 });
    const listed = await stage.call(stage.broker.inbox());
    expect(listed).toMatchObject([
      { id: "m1", preview: `${"ä".repeat(200)}…`, reason: "no_target", state: "undispatched" },
      { id: "m2", preview: '{"text":"hello"}', reason: "target_unknown" },
    ]);
    expect(listed[0]?.at).toBeGreaterThan(0);
    await stage.call(stage.broker.take("m1", "anna"));
    expect(await stage.call(stage.broker.receive(say("m3")))).toMatchObject({ state: "undispatched" });
    expect(await stage.failure(stage.broker.receive({ id: "", content: 1 }))).toMatchObject({ _tag: "InvalidMessage" });
    expect(await stage.failure(stage.broker.receive({ id: "a/b", content: 1 }))).toMatchObject({ _tag: "InvalidMessage" });
  });

  inThreeModes("D10 a message that was refused, and is given again when nobody remembers it, is never said to be taken", async (bench) => {
    const stage = await Stage.open(bench, { policy: { inboxMax: 1, recordRetentionMs: 60_000 } });
    await stage.call(stage.broker.receive(say("first")));
    expect(await stage.failure(stage.broker.receive(say("m")))).toMatchObject({ _tag: "InboxFull" });
    await stage.advance(61_000);
    expect(await stage.failure(stage.broker.receive(say("m")))).toMatchObject({ _tag: "InboxFull", retryable: true });
  });

  inThreeModes("D10 an endpoint whose slots are all taken by what it refused can still empty the inbox", async (bench) => {
    const stage = await Stage.open(bench, { policy: { inboxMax: 1, slots: 1 } });
    const puppet = await stage.puppet("e");
    await stage.call(stage.broker.receive(say("lies in the inbox")));
    await stage.call(stage.broker.receive(say("m", { target: "e" })));
    await stage.call(puppet.session.refuse(puppet.lastOffer, "busy"));
    expect(await stage.state("m")).toBe("assigned");
    expect(await stage.call(stage.broker.dispatch("lies in the inbox", "e"))).toMatchObject({ state: "assigned" });
    await stage.advance(2_000);
    expect(await stage.inbox()).toEqual(["m: busy"]);
  });

  inThreeModes("D10 taking, re-adding and dispatching are atomic: one of two gets it, and it is never at two places", async (bench) => {
    const stage = await Stage.open(bench, { policy: { inboxMax: 1 } });
    await stage.puppet("e");
    await stage.call(stage.broker.receive(say("m")));
    const both = await stage.call(Effect.all([Effect.either(stage.broker.take("m", "anna")), Effect.either(stage.broker.dispatch("m", "e"))], { concurrency: "unbounded" }));
    expect(both.map(({ _tag }) => _tag)).toEqual(["Right", "Left"]);
    expect(await stage.message("m")).toMatchObject({ state: "taken", holder: "anna" });
    expect(await stage.call(stage.broker.receive(say("n")))).toMatchObject({ state: "undispatched" });
    expect(await stage.failure(stage.broker.putBack("m"))).toMatchObject({ _tag: "InboxFull" });
    expect(await stage.message("m")).toMatchObject({ state: "taken", holder: "anna" });
    await stage.call(stage.broker.dispatch("n", "e"));
    expect(await stage.call(stage.broker.putBack("m"))).toMatchObject({ state: "undispatched" });
    await stage.call(stage.broker.take("m", "bert"));
    expect(await stage.call(stage.broker.settle("m", "by phone"))).toMatchObject({ state: "settled", reason: "by phone" });
    expect(await stage.failure(stage.broker.take("m", "carl"))).toMatchObject({ _tag: "NotInInbox", state: "settled" });
    expect(await stage.failure(stage.broker.take("nobody's", "carl"))).toMatchObject({ _tag: "UnknownMessage" });
  });

  inThreeModes("D11 routing is by conversation, else by target, else to the inbox; the ring of conversations is bounded", async (bench) => {
    const stage = await Stage.open(bench, { policy: { conversationsMax: 2 } });
    const one = await stage.puppet("one");
    const two = await stage.puppet("two");
    const take = async (puppet: Puppet, conversation: string, target: string) => {
      await stage.call(stage.broker.receive(say(`${conversation}-${puppet.offers.length}`, { conversation, target })));
      await stage.call(puppet.session.accept(puppet.lastOffer));
    };
    await take(one, "c1", "one");
    // It takes part in the conversation: the target is not asked for.
    await stage.call(stage.broker.receive(say("m", { conversation: "c1", target: "two" })));
    expect(one.offers.at(-1)).toBe("m");
    expect(await stage.call(stage.broker.receive(say("no conversation", { conversation: "c9" })))).toMatchObject({ state: "undispatched", reason: "no_target" });
    await take(one, "c2", "one");
    await take(one, "c3", "one");
    expect((await stage.call(stage.broker.endpoint("one"))).conversations).toEqual(["c2", "c3"]);
    await stage.call(stage.broker.receive(say("n", { conversation: "c1", target: "two" })));
    expect(two.offers).toEqual(["n"]);
  });

  inThreeModes("D11 a new conversation for an endpoint that talks in the background goes to the inbox", async (bench) => {
    const stage = await Stage.open(bench);
    const quiet = await stage.puppet("quiet", { capabilities: ["background_exchange"] });
    expect(await stage.call(stage.broker.receive(say("m", { target: "quiet", conversation: "c" })))).toMatchObject({ state: "undispatched", reason: "new_conversation" });
    await stage.call(stage.broker.dispatch("m", "quiet"));
    await stage.call(quiet.session.accept(quiet.lastOffer));
    expect(await stage.call(stage.broker.receive(say("n", { conversation: "c" })))).toMatchObject({ state: "assigned", endpoint: "quiet" });
  });

  inThreeModes("D12 a delivery is accepted once its effects are stored, and redelivery starts after the last accepted one", async (bench) => {
    const stage = await Stage.open(bench, { policy: { inboxMax: 1 } });
    const deliver = (number: number) => stage.call(stage.inboxes.receive("deliveries", command("message", number, say(`m${number}`))));
    await deliver(1);
    await deliver(2);
    expect(stage.told("acknowledgement")).toMatchObject([
      { requestId: "c1", accepted: true },
      { requestId: "c2", accepted: false },
    ]);
    await stage.restart();
    expect(await stage.call(stage.inboxes.cursor("deliveries"))).toEqual({ createdAt: 1, requestId: "c1" });
    await stage.call(stage.broker.take("m1", "anna"));
    for (const number of [1, 2]) await deliver(number);
    expect(await stage.call(stage.inboxes.cursor("deliveries"))).toEqual({ createdAt: 2, requestId: "c2" });
    expect(await stage.inbox()).toEqual(["m2: no_target"]);
    expect(await stage.state("m1")).toBe("taken");
  });

  inThreeModes("D13 a driver starts an endpoint's process, correlated to its request, with a time-out", async (bench) => {
    const started: Array<unknown> = [];
    const driver = ({ request, endpoint, spec }: { readonly request: string; readonly endpoint: string; readonly spec?: unknown }) => {
      started.push({ request, endpoint, spec });
      if (spec === "broken") throw new Error("no such program");
      return { pid: 7 };
    };
    const stage = await Stage.open(bench, { driver });
    await stage.call(stage.broker.spawn({ request: "r1", endpoint: "e", spec: { model: "small" } }));
    await stage.call(stage.broker.spawn({ request: "r1", endpoint: "e", spec: { model: "small" } }));
    expect(started).toEqual([{ request: "r1", endpoint: "e", spec: { model: "small" } }]);
    expect(await stage.endpointState("e")).toBe("starting");
    await stage.call(stage.broker.receive(say("m", { target: "e" })));
    const puppet = await stage.puppet("e");
    expect(await stage.call(stage.broker.spawned("r1"))).toMatchObject({ id: "e", state: "active" });
    expect(puppet.offers).toEqual(["m"]);
    expect(await stage.failure(stage.broker.spawn({ request: "r2", endpoint: "e" }))).toMatchObject({ _tag: "NotOwner" });
    await stage.call(stage.broker.spawn({ request: "r3", endpoint: "slow" }));
    await stage.call(stage.broker.receive(say("n", { target: "slow" })));
    await stage.advance(60 * second);
    expect(await stage.failure(stage.broker.spawned("r3"))).toMatchObject({ _tag: "SpawnFailed", detail: "no endpoint attached for it within 60000 ms" });
    expect(await stage.endpointState("slow")).toBe("lost");
    expect(await stage.inbox()).toContainEqual(expect.stringMatching(/^n: /));
    await stage.call(stage.broker.spawn({ request: "r4", endpoint: "slow", spec: "broken" }));
    expect(await stage.failure(stage.broker.spawned("r4"))).toMatchObject({ _tag: "SpawnFailed", detail: "no such program" });
  });

  inThreeModes("D14 presence is told with a grace, so that a flap is not announced", async (bench) => {
    const stage = await Stage.open(bench);
    const puppet = await stage.puppet("e");
    for (let flaps = 0; flaps < 5; flaps++) {
      puppet.disconnect();
      await stage.quiet();
      await stage.advance(9 * second);
      puppet.isUp = true;
      await stage.quiet();
    }
    expect(stage.told("presence")).toEqual([{ endpoint: "e", online: true, sequence: 1 }]);
    puppet.disconnect();
    await stage.quiet();
    await stage.advance(10 * second);
    expect(await stage.call(stage.broker.isOnline("e"))).toBe(false);
    puppet.isUp = true;
    await stage.quiet();
    await stage.call(stage.broker.retire("e"));
    expect(stage.told("presence").map(({ online }) => online)).toEqual([true, false, true, false]);
  });

  inThreeModes("D15 errors carry a status, a stable code and whether the call may be repeated", async (bench) => {
    const stage = await Stage.open(bench);
    const puppet = await stage.puppet("e");
    expect(await stage.failure(stage.broker.retire("nobody"))).toMatchObject({ code: "unknown_endpoint", status: 404, retryable: false });
    expect(await stage.failure(stage.broker.assignment("message/m/assignment-1"))).toMatchObject({ code: "unknown_assignment", status: 404 });
    expect(await stage.failure(puppet.session.accept("endpoint/e"))).toMatchObject({ code: "unknown_assignment" });
    const { session } = puppet;
    puppet.disconnect();
    await stage.quiet();
    await stage.call(stage.broker.receive(say("m", { target: "e" })));
    const { assignment = "" } = await stage.message("m");
    expect(await stage.failure(session.accept(assignment))).toMatchObject({ code: "not_attached", status: 409, retryable: true });
  });

  inThreeModes("D16 a closed connection makes an endpoint reconnecting if its owner lives, lost if not, and messages for a lost one go to the inbox", async (bench) => {
    const stage = await Stage.open(bench, { policy: { acceptanceTimeoutMs: hour } });
    const alive = await stage.puppet("alive");
    const dead = await stage.puppet("dead");
    for (const target of ["alive", "dead"]) await stage.call(stage.broker.receive(say(`to ${target}`, { target })));
    alive.disconnect();
    dead.die();
    await stage.quiet();
    expect([await stage.endpointState("alive"), await stage.endpointState("dead")]).toEqual(["reconnecting", "lost"]);
    await stage.call(stage.broker.receive(say("m", { target: "dead" })));
    expect(await stage.inbox()).toEqual(["to dead: target_lost", "m: target_lost"]);
    expect(await stage.failure(stage.broker.dispatch("m", "dead"))).toMatchObject({ _tag: "TargetRefused", reason: "target_lost" });
  });

  inThreeModes("D17 control commands are carried out once by their key, and acknowledged once, after that", async (bench) => {
    const order: Array<string> = [];
    const stage = await Stage.open(bench, { commands: { note: (payload) => void order.push(String(payload)) } });
    await stage.puppet("e");
    await stage.call(stage.broker.receive(say("m")));
    const orders = [
      command("dispatch", 1, { message: "m", endpoint: "e" }),
      command("note", 2, "carried out"),
      command("retire", 3, { endpoint: "e" }),
      command("retire", 4, { endpoint: "nobody" }),
      command("fly", 5, {}),
    ];
    for (const each of orders) for (let times = 0; times < 3; times++) await stage.call(stage.inboxes.receive("control", each));
    expect(order).toEqual(["carried out"]);
    expect(stage.told("control").map(({ requestId, accepted }) => `${requestId} ${accepted}`)).toEqual(["c1 true", "c2 true", "c3 true", "c4 false", "c5 false"]);
    expect(stage.upstream.calls.filter(({ entry }) => entry.type === "control")).toHaveLength(5);
    expect(await stage.endpointState("e")).toBe("retired");
    expect(await stage.state("m")).toBe("undispatched");
  });
});

/** Whether endpoints attach again by themselves. */
const puppets = (stage: Stage, isUp: boolean) => {
  for (const puppet of stage.puppets) puppet.isUp = isUp;
};
