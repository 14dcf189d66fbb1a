import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import type { Address } from "../domain/address.ts";
import { type AllNames, checkNames, said } from "../domain/names.ts";
import type { ActorFilter } from "../journal/index.ts";
import type { AskOptions, LetterFilter, SendOptions, StartOptions, WaitOptions } from "./engine.ts";
import { InvalidEvent, InvalidOptions } from "./errors.ts";
import type { MigrateOptions } from "./migration.ts";

/*
 * What a host gives beside an event. A name that nobody knows is refused: a misspelled key would be none, and a misspelled
 * filter everything.
 */
const startNames: AllNames<StartOptions> = { by: true };
const sendNames: AllNames<SendOptions> = { key: true, by: true, exact: true };
const askNames: AllNames<AskOptions> = { key: true, by: true, exact: true, timeout: true };
const waitNames: AllNames<WaitOptions> = { timeout: true };
export const callNames = { start: startNames, send: sendNames, ask: askNames, waitFor: waitNames };

/** Throws `InvalidEvent` for options of a call that there are not. */
export const demandNames = (address: Address, options: unknown, known: object): void => {
  if (options === undefined) return;
  if (typeof options === "object" && options !== null) {
    let isKnown = true;
    for (const name in options) if (Object.hasOwn(options, name) && !Object.hasOwn(known, name)) isKnown = false;
    if (isKnown) return;
  }
  throw new InvalidEvent({ address, path: "options", detail: checkNames(options, known).join("; ") });
};

/** How long a call waits, in milliseconds; undefined: for ever. */
export const timeoutOf = (address: Address, options: WaitOptions | undefined, known: object, usual?: Duration.DurationInput): Effect.Effect<number | undefined, InvalidEvent> =>
  Effect.suspend(() => {
    try {
      demandNames(address, options, known);
    } catch (error) {
      return Effect.fail(error as InvalidEvent);
    }
    const timeout = options?.timeout ?? usual;
    if (timeout === undefined) return Effect.succeed(undefined);
    const duration = Duration.decodeUnknown(timeout);
    return duration._tag === "None" ? new InvalidEvent({ address, path: "timeout", detail: notDuration(timeout) }) : Effect.succeed(Duration.toMillis(duration.value));
  });

/** Says in words that something is no length of time. */
export const notDuration = (given: unknown): string => `it must be milliseconds, or a text such as "5 seconds", got ${said(given)}`;

const actorNames: AllNames<ActorFilter> = { machine: true, status: true, parent: true, after: true, descending: true, limit: true };
const statuses: ReadonlyArray<unknown> = ["active", "done", "error", "stopped", undefined];
const letterNames: AllNames<LetterFilter> = { address: true, prefix: true, machine: true, type: true, kind: true, since: true, before: true, after: true, limit: true };
const migrateNames: AllNames<MigrateOptions> = { dryRun: true, batch: true };

const demand = (where: string, problems: ReadonlyArray<string>): Effect.Effect<void, InvalidOptions> =>
  problems.length === 0 ? Effect.void : new InvalidOptions({ problems: problems.map((problem) => `${where}: ${problem}`) });

export const demandActorFilter = (filter: Partial<ActorFilter>): Effect.Effect<void, InvalidOptions> =>
  Effect.suspend(() => {
    const problems = checkNames(filter, actorNames);
    const isStatus = problems.length > 0 || statuses.includes(filter.status);
    return demand("the filter of list", isStatus ? problems : [`status must be one of ${statuses.slice(0, -1).join(", ")}, got ${said(filter.status)}`]);
  });
export const demandLetterFilter = (filter: unknown): Effect.Effect<void, InvalidOptions> => Effect.suspend(() => demand("the filter of dead letters", checkNames(filter, letterNames)));
export const demandMigrateOptions = (options: MigrateOptions): Effect.Effect<void, InvalidOptions> => Effect.suspend(() => demand("the options of migrate", checkNames(options, migrateNames)));
