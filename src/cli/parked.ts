import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import type { AnyStateMachine } from "xstate";
import { isMachine } from "../actor/index.ts";
import { defaultLimits } from "../domain/limits.ts";
import { type DurableMachine, findParked, InvalidOptions, makeRegistry, type ParkedActor, parkedRemedies } from "../engine/index.ts";
import type { JournalError } from "../journal/index.ts";
import { entriesOfFiles } from "./machine-files.ts";
import { isServer } from "./place-of-server.ts";
import { type Refused, refused } from "./refused.ts";
import { openPlace } from "./stored-tasks.ts";
import type { Streams } from "./streams.ts";
import { table } from "./table.ts";

export interface ParkedOptions {
  readonly machines: ReadonlyArray<string>;
  readonly database: string;
  readonly json: boolean;
}

const pageSize = 500;

/** `taskwright parked`: actors that no machine may go on with, and what to do about it. Succeeds with the exit code: 1 where there are some. */
export const parked = ({ machines, database, json }: ParkedOptions, streams: Streams): Effect.Effect<number, JournalError | Refused> =>
  Effect.gen(function* () {
    const found = isServer(database) ? yield* parkedAtServer(database) : yield* parkedIn(database, machines);
    if (json) for (const actor of found) streams.out(`${JSON.stringify({ ...actor, remedy: parkedRemedies[actor.reason] })}\n`);
    else streams.out(parkedText(found, streams));
    return found.length === 0 ? 0 : 1;
  });

/** By the machines of a file: whether an engine with them would go on with what is stored. Those of the package are its engine's to judge. */
const parkedIn = (database: string, machines: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<ParkedActor>, JournalError | Refused> =>
  Effect.scoped(
    Effect.gen(function* () {
      if (machines.length === 0) return yield* refused("give the machines that are to go on with the actors, as the engine has them: --machines ./machines.ts; or ask the engine itself: --server");
      const registry = yield* registryOf(yield* entriesOfFiles(machines));
      const journal = yield* openPlace(database);
      for (const row of yield* journal.machines) registry.stored.set(row.hash, row);
      const own = new Set(
        Object.values(yield* Effect.promise(() => import("../../machines/index.ts")))
          .filter(isMachine)
          .map(({ id }) => id),
      );
      const at = yield* Clock.currentTimeMillis;
      const found: Array<ParkedActor> = [];
      for (let after = 0; ; ) {
        const page = yield* findParked({ journal, registry, now: () => at }, after, pageSize);
        found.push(...page.filter(({ machine }) => registry.byId.has(machine) || !own.has(machine)));
        if (page.length < pageSize) return found;
        after = page[page.length - 1]!.id;
      }
    }),
  );

const registryOf = (entries: ReadonlyArray<AnyStateMachine | DurableMachine>) =>
  Effect.try({
    try: () => makeRegistry(entries, defaultLimits),
    catch: (error) => (error instanceof InvalidOptions ? refused("these machines are none that an engine would take", ...error.problems) : refused(String(error))),
  });

/** What the engine behind a server says of its actors. */
const parkedAtServer = (server: string): Effect.Effect<ReadonlyArray<ParkedActor>, Refused> =>
  Effect.gen(function* () {
    const { asking, clientOf } = yield* Effect.promise(() => import("./server-client.ts"));
    const { machines } = yield* clientOf(server);
    const found: Array<ParkedActor> = [];
    for (let cursor: string | undefined; ; ) {
      const page = yield* asking(server, machines.listParked({ urlParams: { limit: pageSize, ...(cursor === undefined ? {} : { cursor }) } }) as unknown as Effect.Effect<Page, unknown>);
      found.push(...page.items);
      if (page.next === undefined) return found;
      cursor = page.next;
    }
  });

interface Page {
  readonly items: ReadonlyArray<ParkedActor>;
  readonly next?: string;
}

const parkedText = (found: ReadonlyArray<ParkedActor>, { isTerminal, columns }: Streams): string => {
  if (found.length === 0) return "no actor is parked\n";
  const reasons = [...new Set(found.map(({ reason }) => reason))];
  return `${table(
    ["ADDRESS", "VERSION", "REASON", "BECAUSE"],
    found.map(({ address, version, reason, detail }) => [address, version, reason, detail]),
    isTerminal ? columns() : undefined,
  )}\n${reasons.map((reason) => `${reason}: ${parkedRemedies[reason]}\n`).join("")}`;
};
