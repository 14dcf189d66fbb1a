import * as Effect from "effect/Effect";
import { parseJson, parseState } from "../actor/index.ts";
import type { Address } from "../domain/address.ts";
import type { Event } from "../domain/event.ts";
import type { ActorRow, Journal } from "../journal/index.ts";
import type { Careful } from "./careful.ts";
import type { Effects } from "./effects.ts";
import { failpoint } from "./failpoint.ts";
import type { Delivery } from "./intake.ts";
import type { Loop } from "./loop.ts";
import type { LogEntry } from "./make.ts";
import { type Invoked, invokedSource, type Registry } from "./registry.ts";
import { awaken, Resident } from "./resident.ts";
import type { Time } from "./time.ts";
import { contextOf } from "./view.ts";

export interface Recovery {
  readonly journal: Journal;
  readonly registry: Registry;
  readonly loop: Loop;
  readonly effects: Effects;
  readonly time: Time;
  /** Present after a crash. */
  readonly careful: Careful | undefined;
  readonly log: (entry: LogEntry) => void;
}

const page = 1_000;

/** The engine's own machines whose work ended with the process, by how the stored text of their states begins. */
const underWay = [
  { machine: "activity", running: '{"status":"active","value":{"running"', suspended: '{"status":"active","value":"suspended"', interrupted: "INTERRUPTED", resumed: "RESUMED" },
  {
    machine: "live",
    running: '{"status":"active","value":"running"',
    suspended: '{"status":"active","value":"suspended"',
    interrupted: "taskwright.live.interrupted",
    resumed: "taskwright.live.resumed",
  },
];

const isKnown = (registry: Registry, { state }: ActorRow): boolean => {
  try {
    return invokedSource(registry, parseState(state).context as unknown as Invoked) !== undefined;
  } catch {
    return true; // whoever loads it says what is wrong with it
  }
};

/** Takes up what was under way when the journal was last closed: stored messages, running activities, owed actions. */
export const recover = Effect.fnUntraced(function* ({ journal, registry, loop, effects, time, careful, log }: Recovery) {
  const tell = (to: Address, event: Event) => {
    careful?.sent();
    loop.post({ to, event, json: JSON.stringify(event), from: "", internal: true, recovered: careful !== undefined });
  };
  for (let after = 0; ; ) {
    const mail = yield* journal.mail(after, page);
    for (const { id, envelope } of mail) {
      after = id;
      const letter = readLetter(envelope);
      if (letter === undefined) log({ level: "error", message: `the stored message ${id} can't be read; it is left as it is` });
      else loop.post({ ...letter, json: JSON.stringify(letter.event), mail: id, internal: true });
    }
    if (mail.length < page) break;
  }
  for (const { machine, running, suspended, interrupted, resumed } of underWay) {
    for (let after = 0; ; ) {
      const rows = yield* journal.list({ machine, status: "active", after, limit: page });
      failpoint("recovery.page");
      for (const row of rows) {
        after = row.id;
        // It is parked with the actor that invoked it. To tell it that it was interrupted would count as a crash of its own.
        if (!isKnown(registry, row)) continue;
        const state = String(row.state); // a damaged one need not be text
        if (state.startsWith(running)) tell(row.address, { type: interrupted, at: time.now() });
        else if (state.startsWith(suspended)) tell(row.address, { type: resumed, at: time.now() });
      }
      if (rows.length < page) break;
    }
  }
  for (let after = 0; ; ) {
    const rows = yield* journal.effects(after, page);
    const actors = new Map((yield* journal.actorsById([...new Set(rows.map((row) => row.actor))])).map((row) => [row.id, row]));
    for (const row of rows) {
      after = row.id;
      const stored = actors.get(row.actor);
      const actor = stored === undefined ? undefined : awaken(registry, stored, time.now());
      if (!(actor instanceof Resident)) continue;
      const [asked] = yield* journal.history(actor.address, row.seq - 1, 1);
      const event = readEvent(asked?.event) ?? { type: "taskwright.unknown" };
      const owed = { row, actor, event, context: () => contextOf(actor) };
      if (careful === undefined) effects.run(owed);
      else careful.owes(owed);
    }
    if (rows.length < page) break;
  }
});

type Letter = Pick<Delivery, "to" | "event" | "from" | "create" | "only">;

/** A stored message, or nothing where the row is damaged. */
const readLetter = (envelope: string): Letter | undefined => {
  try {
    const { to, event, from, create, only } = parseJson(envelope) as Letter;
    return typeof to === "string" && typeof event.type === "string" ? { to, event, from, create, only } : undefined;
  } catch {
    return undefined;
  }
};

/** A stored event, or nothing where there is none that can be read. */
const readEvent = (json: string | undefined): Event | undefined => {
  try {
    return json === undefined ? undefined : (parseJson(json) as Event);
  } catch {
    return undefined;
  }
};
