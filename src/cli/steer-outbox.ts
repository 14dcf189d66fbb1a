import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { outboxAddress } from "../delivery/index.ts";
import { type EntryRow, emptyTurn, type JournalError, type JournalFenced } from "../journal/index.ts";
import { claim } from "./claim.ts";
import { allEntries, entryCountText, type OutboxOptions, outboxRow } from "./outbox.ts";
import { isServer } from "./place-of-server.ts";
import { type Refused, refused } from "./refused.ts";
import { openPlace } from "./stored-tasks.ts";
import type { Streams } from "./streams.ts";
import { userName } from "./user.ts";

/** What an operator tells an outbox, and what it comes to. */
export const steering = { pause: "is paused", resume: "sends again", force: "tries everything at once" } as const;
export type Steering = keyof typeof steering;

const eventOf = (steer: Steering, at: number) => (steer === "pause" ? { type: "PAUSE" } : { type: steer === "force" ? "FORCE" : "CONTINUE", at });

/**
 * `taskwright outbox pause`, `resume` and `force`. This program has no destinations, so what it tells an outbox goes into
 * the mailbox: the next engine takes it up, before anything that the host says.
 */
export const steerOutbox = (steer: Steering, name: string, { database, json }: OutboxOptions, streams: Streams): Effect.Effect<void, JournalError | JournalFenced | Refused> =>
  Effect.scoped(
    Effect.gen(function* () {
      if (isServer(database)) {
        const { asking, clientOf } = yield* Effect.promise(() => import("./server-client.ts"));
        const { outboxes } = yield* clientOf(database);
        yield* asking(database, outboxes.orderOutbox({ path: { name: encodeURIComponent(name) }, payload: { order: steer } }));
        streams.out(json ? `${JSON.stringify({ outbox: name, told: steer })}\n` : `${name} ${steering[steer]}\n`);
        return;
      }
      const { journal, counters, attempts } = yield* claim(database, `outboxes.${steer}(${JSON.stringify(name)})`);
      const { address, status } = yield* outboxRow(journal, name, database);
      if (status !== "active") return yield* refused(`the outbox "${name}" is closed: it sends nothing any more`);
      const at = yield* Clock.currentTimeMillis;
      yield* journal.commit({ ...emptyTurn, attempts, mail: [{ id: counters.mail + 1, envelope: JSON.stringify({ to: address, event: eventOf(steer, at), from: userName() }) }] });
      if (json) streams.out(`${JSON.stringify({ outbox: name, told: steer })}\n`);
      else streams.out(`${name} ${steering[steer]} as soon as an engine runs on ${database}\n`);
    }),
  );

export interface EntryChoice extends OutboxOptions {
  readonly seqs: ReadonlyArray<number>;
  readonly all: boolean;
  readonly status: EntryRow["status"] | undefined;
}

/** `taskwright outbox requeue` and `drop`: told as above. */
export const steerEntries = (verb: "requeue" | "drop", name: string, options: EntryChoice, streams: Streams): Effect.Effect<void, JournalError | JournalFenced | Refused> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { database, json, seqs, all, status } = options;
      if (all === seqs.length > 0) return yield* refused(`give the numbers of entries, or --all: "taskwright outbox ${verb} ${name} 1 2" or "taskwright outbox ${verb} ${name} --all"`);
      if (!all && status !== undefined) return yield* refused("--status chooses among all: use it with --all, or give numbers alone");
      if (isServer(database)) {
        const { asking, clientOf } = yield* Effect.promise(() => import("./server-client.ts"));
        const { outboxes } = yield* clientOf(database);
        const meant = all ? (yield* allEntries(yield* openPlace(database), name, status === undefined ? ["poisoned", "unknown"] : [status])).map(({ seq }) => seq).slice(0, 1_000) : seqs;
        const call = verb === "requeue" ? outboxes.requeueOutboxEntries : outboxes.dropOutboxEntries;
        if (meant.length > 0) yield* asking(database, call({ path: { name: encodeURIComponent(name) }, payload: { seqs: meant } }));
        if (json) streams.out(`${JSON.stringify({ [verb === "requeue" ? "requeued" : "dropped"]: meant.length })}\n`);
        else streams.out(`${entryCountText(meant.length)} of ${name} ${verb === "requeue" ? "tried again" : "dropped"}\n`);
        return;
      }
      const { journal, counters, attempts } = yield* claim(database, `outboxes.${verb}(${JSON.stringify(name)}, ${all ? "[…]" : JSON.stringify(seqs)})`);
      const row = yield* outboxRow(journal, name, database);
      if (row.status !== "active") return yield* refused(`the outbox "${name}" is closed: its entries stay for you to read`);
      const there = yield* allEntries(journal, name, all ? (status === undefined ? ["poisoned", "unknown"] : [status]) : undefined);
      const unknown = all ? undefined : seqs.find((seq) => !there.some((entry) => entry.seq === seq));
      if (unknown !== undefined) return yield* refused(`there is no entry ${unknown} in the outbox "${name}"; it may be delivered. Nothing was changed`);
      const wanted = all ? there.map(({ seq }) => seq) : seqs;
      const at = yield* Clock.currentTimeMillis;
      const event = verb === "drop" ? { type: "DROP", seqs: wanted } : { type: "REQUEUE", seqs: wanted, at };
      const mail = wanted.length === 0 ? [] : [{ id: counters.mail + 1, envelope: JSON.stringify({ to: outboxAddress(name), event, from: userName() }) }];
      yield* journal.commit({ ...emptyTurn, attempts, mail });
      if (json) streams.out(`${JSON.stringify({ [verb === "requeue" ? "requeued" : "dropped"]: wanted.length })}\n`);
      else streams.out(`${entryCountText(wanted.length)} of ${name} ${verb === "requeue" ? "tried again" : "dropped"} as soon as an engine runs on ${database}\n`);
    }),
  );
