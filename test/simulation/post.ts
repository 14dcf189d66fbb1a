import { sendTo, assign, setup } from "xstate";
import { delivered, type Destination, makeOutboxes, outboxAddress, outboxRef, retry, unknownOutcome } from "../../src/delivery/index.ts";
import type { Acknowledgement } from "../../src/domain/inbox.ts";
import type { Verdict } from "../../src/domain/outbox.ts";
import type { SimProcess } from "./process.ts";
import type { World } from "./world.ts";

/** The outbox of simulated worlds. */
export const post = outboxAddress("post");

/** Sends a letter for each order, with the transition that counts it. Its letters are one lane. */
export const writer = setup({
  types: { context: {} as { readonly written: number }, events: {} as { readonly type: "WRITE"; readonly op: string } },
  actions: {
    count: assign({ written: ({ context }) => context.written + 1 }),
    send: sendTo(outboxRef("post"), ({ context, self }) => ({
      type: "ENQUEUE",
      entries: [{ key: `${self.id}/${context.written}`, type: "letter", lane: self.id, payload: context.written }],
    })),
  },
}).createMachine({ id: "writer", version: "1", context: { written: 0 }, on: { WRITE: { actions: ["count", "send"] } } });

/** A receiver that fails, takes its time, gets a letter twice, hangs, or gets a letter and says that it does not know. */
const receiver =
  (world: World, process: SimProcess): Destination =>
  ({ key, type, payload }, { attempt, signal }) => {
    if (process.dead) return new Promise(() => {});
    const { ledger, checker } = world;
    const receive = (): Verdict => {
      world.trace(`${process.name} delivers ${key}, attempt ${attempt}`);
      if (!checker.entryBook.wasStored(key)) checker.violate("I9", `${key} was sent, and is not stored`);
      const said = JSON.stringify(payload);
      const before = ledger.received.get(key);
      if (before !== undefined) world.mark("entry sent again");
      if (before !== undefined && before !== said) checker.violate("I9", `${key} was sent with another content: ${said}, before it was ${before}`);
      ledger.received.set(key, said);
      if (type === "acknowledgement") world.acknowledged(payload as Acknowledgement);
      return delivered;
    };
    if (world.fault("receiverFailed")) return retry("it is down");
    if (world.fault("receiverHung")) {
      const hears = world.source.chance("hungHears", 0.5);
      if (hears) receive();
      signal.addEventListener("abort", () => world.mark("attempt of an entry timed out"), { once: true });
      return new Promise(() => {});
    }
    if (world.fault("receiverUnknown")) {
      receive();
      return unknownOutcome("the answer was lost");
    }
    // On its way it is doubled, and the second one comes behind others of its lane.
    if (world.fault("receiverTwice")) world.later(undefined, world.source.whole("twiceMs", 1, 3_000), receive);
    if (!world.fault("receiverSlow")) return receive();
    return new Promise((resolve) => {
      world.later(process, world.source.whole("receiverMs", 1, 9_000), () => resolve(receive()));
    });
  };

/** The outboxes of one simulated process. */
export const postOf = (world: World, process: SimProcess) =>
  makeOutboxes({
    post: {
      destination: receiver(world, process),
      policy: { retry: { attemptsMax: 1_000_000, backoff: { kind: "exponential", baseMs: 200, capMs: 5_000 }, jitter: { min: 0.5, max: 1 } }, attemptTimeoutMs: 4_000, batchMax: 5, parallelMax: 3 },
    },
  });
