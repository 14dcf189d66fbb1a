import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { graceMs, isItself, type Move, moveOf, movesOf, type Surroundings, type Waiting, whyWaiting } from "../analysis/index.ts";
import { type ActorView, type SentEvent, viewOfStored } from "../engine/index.ts";
import type { ActorRow, Journal, JournalError } from "../journal/index.ts";
import { findActor } from "./address.ts";
import { durationText } from "./duration.ts";
import { knownMachines } from "./known-machines.ts";
import { type Refused, refused } from "./refused.ts";
import { ownerText, timeText } from "./standing.ts";
import { allOf, openPlace } from "./stored-tasks.ts";
import type { Streams } from "./streams.ts";
import { fields, table } from "./table.ts";

export interface WhyOptions {
  /** A task's id, or an address. */
  readonly id: string;
  readonly machines: ReadonlyArray<string>;
  readonly database: string;
  readonly json: boolean;
}

/** `taskwright why ID`: what an actor waits for, who owes it, and until when. */
export const why = ({ id, machines, database, json }: WhyOptions, streams: Streams): Effect.Effect<void, JournalError | Refused> =>
  Effect.scoped(
    Effect.gen(function* () {
      const journal = yield* openPlace(database);
      const row = yield* findActor(journal, id, database);
      const waiting = yield* whyOf(journal, viewOf(row), yield* knownMachines(machines), yield* Clock.currentTimeMillis);
      if (json) streams.out(`${JSON.stringify(waiting, null, 2)}\n`);
      else streams.out(`${whyText(waiting, yield* Clock.currentTimeMillis)}\n${ownerText(yield* journal.owner, yield* Clock.currentTimeMillis)}\n`);
    }),
  );

export interface MovesOptions extends WhyOptions {
  /** JSON of an event that is to be asked about. */
  readonly event: string | undefined;
}

/** `taskwright moves ID`: which events an actor takes now, and which guard refuses the others. Succeeds with the exit code. */
export const moves = ({ id, machines, database, json, event }: MovesOptions, streams: Streams): Effect.Effect<number, JournalError | Refused> =>
  Effect.scoped(
    Effect.gen(function* () {
      const journal = yield* openPlace(database);
      const view = viewOf(yield* findActor(journal, id, database));
      const entry = (yield* knownMachines(machines))(view);
      if (entry === undefined) return yield* refused(`the form of the machine "${view.machine}" that wrote ${view.address} is not known here; give the file of its version with --machines`);
      const asked = event === undefined ? undefined : yield* eventOf(event);
      const found = asked === undefined ? movesOf(entry, view) : [moveOf(entry, view, asked)];
      if (json) streams.out(`${JSON.stringify(found, null, 2)}\n`);
      else streams.out(view.status === "active" ? movesText(found, streams) : `${view.address} has ended: it takes nothing any more\n`);
      return asked !== undefined && found[0]?.accepted !== "yes" ? 1 : 0;
    }),
  );

export interface StuckOptions extends Omit<WhyOptions, "id"> {
  /** How late something may be. */
  readonly graceMs: number;
}

/** `taskwright stuck`: actors of which something is overdue. Succeeds with the exit code: 1 where there are some. */
export const stuck = ({ machines, database, json, graceMs }: StuckOptions, streams: Streams): Effect.Effect<number, JournalError | Refused> =>
  Effect.scoped(
    Effect.gen(function* () {
      const journal = yield* openPlace(database);
      const now = yield* Clock.currentTimeMillis;
      const machineOf = yield* knownMachines(machines);
      const rows = yield* allOf(journal, {});
      const children = new Map<number, Array<ActorView>>();
      for (const row of rows) if (row.parent !== 0) children.set(row.parent, [...(children.get(row.parent) ?? []), viewOf(row)]);
      const found = rows.flatMap((row) => {
        if (row.status !== "active") return [];
        const waiting = whyWaiting(viewOf(row), { now, graceMs, machineOf, childrenOf: (parent) => children.get(parent.id) ?? [] });
        return isItself(waiting) ? [waiting] : [];
      });
      if (json) for (const waiting of found) streams.out(`${JSON.stringify(waiting)}\n`);
      else streams.out(`${stuckText(found, rows.length, now, streams)}${ownerText(yield* journal.owner, now)}\n`);
      return found.length === 0 ? 0 : 1;
    }),
  );

const viewOf = (row: ActorRow): ActorView => viewOfStored(row, "");

const whyOf = (journal: Journal, view: ActorView, machineOf: Surroundings["machineOf"], now: number): Effect.Effect<Waiting, JournalError> =>
  Effect.gen(function* () {
    const children = new Map<number, ReadonlyArray<ActorView>>();
    const read = (parent: ActorView, depth: number): Effect.Effect<void, JournalError> =>
      Effect.gen(function* () {
        if (depth > 4 || Object.keys(parent.children ?? {}).length === 0) return;
        const found = (yield* allOf(journal, { parent: parent.id })).map(viewOf);
        children.set(parent.id, found);
        for (const child of found) if (child.status === "active") yield* read(child, depth + 1);
      });
    yield* read(view, 0);
    return whyWaiting(view, { now, graceMs, machineOf, childrenOf: (parent) => children.get(parent.id) ?? [] });
  });

const eventOf = (text: string): Effect.Effect<SentEvent, Refused> =>
  Effect.try({
    try: () => {
      const event = JSON.parse(text) as SentEvent;
      if (typeof event?.type !== "string") throw new Error("it has no type");
      return event;
    },
    catch: (error) => refused(`--event is no event (${error instanceof Error ? error.message : String(error)}); write it as JSON: --event '{"type":"PAY","amount":10}'`),
  });

/** A moment, and how far away it is. */
const momentText = (at: number, now: number): string => `${timeText(at)} (${at > now ? `in ${durationText(at - now)}` : `${durationText(now - at)} ago`})`;

export const whyText = (waiting: Waiting, now: number, indent = ""): string => {
  const { address, machine, states, descriptions, since, verdict, by, because, deadlines, children, events } = waiting;
  const head = fields([
    ["address", address],
    ["stands in", states.length === 0 ? undefined : states.map((id) => id.slice(machine.length + 1) || id).join(", ")],
    ["that means", descriptions.length === 0 ? undefined : descriptions.join("\n")],
    ["since", momentText(since, now)],
    ["verdict", verdict],
    ["because", because],
    ["at the latest", by === undefined ? undefined : momentText(by, now)],
    [
      "deadlines",
      deadlines.length === 0
        ? undefined
        : deadlines.map(({ name, due, sure, held }) => `${name}: ${momentText(due, now)}${held === true ? ", set aside" : sure ? "" : ", if a guard holds then"}`).join("\n"),
    ],
    ["events", events.length === 0 ? undefined : events.map(({ type, from, reason }) => `${type} from ${from}${reason === undefined ? "" : `; ${reason}`}`).join("\n")],
    [
      "children",
      children.length === 0
        ? undefined
        : children.map(({ id, src, waiting: child, missing }) => `${id} (${src})${missing === true ? ": over, or not there" : child === undefined ? "" : `: ${child.because}`}`).join("\n"),
    ],
  ]);
  const below = children.flatMap(({ waiting: child }) => (child === undefined ? [] : [whyText(child, now, `${indent}  `)]));
  return [head.replace(/^/gm, indent).trimEnd(), ...below].join("\n\n").concat(indent === "" ? "\n" : "");
};

const movesText = (found: ReadonlyArray<Move>, { isTerminal, columns }: Streams): string =>
  table(
    ["EVENT", "TAKEN", "FROM", "WHY NOT"],
    found.map(({ type, accepted, from = "", reason = "", early }) => [
      type,
      accepted === "depends" ? "perhaps" : accepted,
      from,
      early === undefined ? reason : `${reason} (${early === "keep" ? "it is kept until then" : "its sender is refused"})`,
    ]),
    isTerminal ? columns() : undefined,
  );

const stuckText = (found: ReadonlyArray<Waiting>, looked: number, now: number, { isTerminal, columns }: Streams): string =>
  found.length === 0
    ? `nothing is overdue among ${looked} actors\n`
    : table(
        ["ADDRESS", "STATE", "OVERDUE SINCE", "BECAUSE"],
        found.map(({ address, machine, states, since, by, because }) => [address, states.map((id) => id.slice(machine.length + 1) || id).join(", "), momentText(by ?? since, now), because]),
        isTerminal ? columns() : undefined,
      );
