import * as Effect from "effect/Effect";
import type { TakenLetterNote } from "../../machines/dead-letters.ts";
import { actionOf, envelopeOfLetter, idsOf, type SentEvent, takenBy, type Taker, type UnknownDeadLetter, viewOfStored } from "../engine/index.ts";
import { type EffectRow, emptyTurn, type Journal, type JournalError, type JournalFenced, type MailRow, type StoredDeadLetter, type Turn } from "../journal/index.ts";
import { childId, wrongId } from "../domain/address.ts";
import { claim } from "./claim.ts";
import { countText, type LetterOptions } from "./dead-letters.ts";
import { isServer } from "./place-of-server.ts";
import { type Refused, refused } from "./refused.ts";
import { openPlace } from "./stored-tasks.ts";
import type { Streams } from "./streams.ts";
import { userName } from "./user.ts";

export interface TakeOptions extends LetterOptions {
  readonly ids: ReadonlyArray<number>;
  readonly all: boolean;
  /** Default: the user of this process. */
  readonly by: string | undefined;
  readonly why: string | undefined;
}

const pageSize = 500;

/**
 * `taskwright dead-letters requeue` and `drop`. This program has none of the machines that wrote the journal, so a
 * letter that is requeued goes into the mailbox, or among the owed actions: the next engine takes it up there.
 */
export const takeDeadLetters = (verb: "requeue" | "drop", options: TakeOptions, streams: Streams): Effect.Effect<void, JournalError | JournalFenced | UnknownDeadLetter | Refused> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { database, filter, ids, all, json, by = userName(), why } = options;
      if (all === ids.length > 0) return yield* refused(`give the ids of dead letters, or --all: "taskwright dead-letters ${verb} 1 2" or "taskwright dead-letters ${verb} --all --machine order"`);
      if (!all && Object.keys(filter).length > 0) return yield* refused(`--${Object.keys(filter)[0]} chooses among all: use it with --all, or give ids alone`);
      if (isServer(database)) return yield* takeAtServer(verb, options, streams);
      const wrong = by === "" ? undefined : wrongId(by);
      if (wrong !== undefined) return yield* refused(`--by ${by}: the name of who does it is like an id: ${wrong}`);
      const taker: Taker = { by, why };
      const { journal, counters, attempts } = yield* claim(database, `engine.${verb}(${all ? "{ … }" : JSON.stringify(ids)})`);
      const wanted = yield* idsOf(journal, all ? { ...filter, limit: Number.MAX_SAFE_INTEGER } : ids);
      let { mail, effect } = counters;
      let left = 0;
      for (let next = 0; next < wanted.length; next += pageSize) {
        const page = wanted.slice(next, next + pageSize);
        const rows = yield* journal.deadLetters({ ids: page, limit: page.length });
        const turn = yield* turnOf(journal, verb, rows, { mail, effect }, taker);
        mail += turn.mail.length;
        effect += turn.effects.length;
        left += rows.length - (turn.deadLettersTaken?.length ?? 0);
        yield* journal.commit({ ...turn, attempts });
      }
      if (wanted.length === 0 && attempts !== undefined) yield* journal.commit({ ...emptyTurn, attempts });
      const count = wanted.length - left;
      if (json) streams.out(`${JSON.stringify({ [verb === "requeue" ? "requeued" : "dropped"]: count, left })}\n`);
      else streams.out(`${countText(count)} ${verb === "requeue" ? `requeued; the next engine on ${database} delivers ${count === 1 ? "it" : "them"}` : "dropped"}\n`);
      if (left > 0 && !json) streams.error(`${countText(left)} left: ${left === 1 ? "the actor that asked for it is" : "the actors that asked for them are"} gone\n`);
    }),
  );

/** A server does it at once. */
const takeAtServer = (verb: "requeue" | "drop", { database, filter, ids, all, json, by, why }: TakeOptions, streams: Streams): Effect.Effect<void, JournalError | UnknownDeadLetter | Refused> =>
  Effect.scoped(
    Effect.gen(function* () {
      if (by !== undefined) return yield* refused("--by is for a journal: a server knows the name of its caller by the token");
      const { asking, clientOf } = yield* Effect.promise(() => import("./server-client.ts"));
      const { deadLetters } = yield* clientOf(database);
      const take = (payload: object) =>
        asking(database, (verb === "requeue" ? deadLetters.requeueDeadLetters : deadLetters.dropDeadLetters)({ payload: { ...payload, ...(why === undefined ? {} : { why }) } as never }));
      // A filter takes a thousand at a time; those that fail again are new letters, behind the last one that is meant.
      let count = 0;
      if (!all) for (let from = 0; from < ids.length; from += pageSize) count += (yield* take({ ids: ids.slice(from, from + pageSize) })).count;
      else {
        const meant = yield* idsOf(yield* openPlace(database), { ...filter, limit: 1_000 });
        if (meant.length > 0) count += (yield* take({ ids: meant })).count;
      }
      if (json) streams.out(`${JSON.stringify({ [verb === "requeue" ? "requeued" : "dropped"]: count, left: 0 })}\n`);
      else streams.out(`${countText(count)} ${verb === "requeue" ? "requeued" : "dropped"}\n`);
    }),
  );

/** What is written for some letters in place of them. */
const turnOf = (journal: Journal, verb: "requeue" | "drop", rows: ReadonlyArray<StoredDeadLetter>, ids: { mail: number; effect: number }, taker: Taker): Effect.Effect<Turn, JournalError> =>
  Effect.gen(function* () {
    const mail: Array<MailRow> = [];
    const effects: Array<EffectRow> = [];
    const taken: Array<TakenLetterNote> = [];
    const post = (envelope: object) => mail.push({ id: ids.mail + mail.length + 1, envelope: JSON.stringify(envelope) });
    for (const row of rows) {
      const envelope = envelopeOfLetter(row);
      const { to, event, from, create, only } = envelope;
      const owed = actionOf(envelope);
      if (verb === "drop") {
        const cancel = event.type === "taskwright.timer" ? yield* cancelOf(journal, to, event, only) : undefined;
        if (cancel !== undefined) post({ to, event: cancel, from: "" });
      } else if (owed === undefined) {
        if (create?.parent !== undefined && (yield* childTokenOf(journal, create.parent, create.parentId, childId(to))) !== create.token) continue;
        // One that is for an earlier actor at its address stays a letter.
        if (only !== undefined && ((yield* journal.actors([to]))[0]?.id ?? only) !== only) continue;
        post({ to, event, from, create, only });
      }
      if (verb === "requeue" && owed !== undefined) {
        const [actor] = yield* owed.actor === undefined ? journal.actors([to]) : journal.actorsById([owed.actor]);
        if (actor === undefined) continue;
        effects.push({ id: ids.effect + effects.length + 1, actor: actor.id, seq: owed.seq, action: owed.action, params: owed.params });
      }
      taken.push({ id: row.id, address: to, type: owed?.action ?? event.type });
    }
    // The next engine tells the record who took them, too.
    if (taken.length > 0) for (const { to, event, from, create } of takenBy(taker, verb, taken)) post({ to, event, from, create });
    return { ...emptyTurn, mail, effects, deadLettersTaken: taken.map(({ id }) => id) };
  });

/** The generation of a child that its parent waits for. */
const childTokenOf = (journal: Journal, parent: string, parentId: number, child: string): Effect.Effect<number | undefined, JournalError> =>
  Effect.map(journal.actors([parent]), ([row]) => (row?.id !== parentId ? undefined : viewOfStored(row, "").children?.[child]?.token));

/** A deadline that was set aside goes with its letter. */
const cancelOf = (journal: Journal, address: string, { id, token }: SentEvent, only: number | undefined): Effect.Effect<object | undefined, JournalError> =>
  Effect.map(journal.actors([address]), ([row]) => {
    const timer = row === undefined || (only ?? row.id) !== row.id ? undefined : viewOfStored(row, "").timers?.[String(id)];
    return timer?.token === token && timer?.held === true ? { type: "taskwright.cancel", id, token } : undefined;
  });
