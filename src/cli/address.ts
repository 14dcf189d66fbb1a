import * as Effect from "effect/Effect";
import type { ActorRow, Journal, JournalError } from "../journal/index.ts";
import { nearMatches } from "../domain/near.ts";
import { type Refused, refused } from "./refused.ts";
import { allOf } from "./stored-tasks.ts";

/** The address that somebody means: "task/a" and "task/a/assignment" as they stand, "a" for the task of that id. */
export const addressOf = (wanted: string): string => (wanted.includes("/") ? wanted : `task/${wanted}`);

/** The actor that somebody means by a task's id or an address. Fails with what they may have meant. */
export const findActor = (journal: Journal, wanted: string, database: string): Effect.Effect<ActorRow, JournalError | Refused> =>
  Effect.gen(function* () {
    const address = addressOf(wanted);
    const [row] = yield* journal.actors([address]);
    if (row !== undefined) return row;
    const id = /^task\/([^/]+)$/.exec(address)?.[1];
    const known = (yield* allOf(journal, id === undefined ? {} : { machine: "task" })).map((other) => (id === undefined ? other.address : other.address.slice("task/".length)));
    const near = nearMatches(id ?? address, known);
    const hint = near.length > 0 ? `did you mean ${near.map((match) => JSON.stringify(match)).join(" or ")}?` : `"taskwright ps --database ${database}" lists all tasks`;
    return yield* refused(`there is no ${id === undefined ? `actor "${address}"` : `task "${id}"`} in ${database}; ${hint}`);
  });
