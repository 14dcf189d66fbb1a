import * as Effect from "effect/Effect";
import { parseJson } from "../actor/index.ts";
import type { Address } from "../domain/address.ts";
import type { EngineEvent, Event } from "../domain/event.ts";
import type { Journal } from "../journal/index.ts";
import type { Effects } from "./effects.ts";
import { failpoint } from "./failpoint.ts";
import type { Creation } from "./intake.ts";
import type { Loop } from "./loop.ts";
import type { Registry } from "./registry.ts";
import { awaken, Resident } from "./resident.ts";
import type { Time } from "./time.ts";
import { contextOf } from "./view.ts";

export interface Recovery {
  readonly journal: Journal;
  readonly registry: Registry;
  readonly loop: Loop;
  readonly effects: Effects;
  readonly time: Time;
  /** Sends an event of the engine's own. */
  readonly post: (to: Address, event: Event | EngineEvent) => void;
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

/** Takes up what was under way when the journal was last closed: stored messages, running activities, owed actions. */
export const recover = Effect.fnUntraced(function* ({ journal, registry, loop, effects, time, post }: Recovery) {
  for (let after = 0; ; ) {
    const mail = yield* journal.mail(after, page);
    for (const { id, envelope } of mail) {
      const { to, event, from, create } = parseJson(envelope) as { to: Address; event: Event; from: Address; create?: Creation };
      loop.post({ to, event, json: JSON.stringify(event), from, create, mail: id, internal: true });
      after = id;
    }
    if (mail.length < page) break;
  }
  for (const { machine, running, suspended, interrupted, resumed } of underWay) {
    for (let after = 0; ; ) {
      const rows = yield* journal.list({ machine, status: "active", after, limit: page });
      failpoint("recovery.page");
      for (const row of rows) {
        if (row.state.startsWith(running)) post(row.address, { type: interrupted, at: time.now() });
        else if (row.state.startsWith(suspended)) post(row.address, { type: resumed, at: time.now() });
        after = row.id;
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
      const actor = stored === undefined ? undefined : awaken(registry, stored);
      if (!(actor instanceof Resident)) continue;
      const [asked] = yield* journal.history(actor.address, row.seq - 1, 1);
      const event = asked === undefined ? { type: "taskwright.unknown" } : (parseJson(asked.event) as Event);
      effects.run({ row, address: actor.address, registered: actor.registered, event, context: () => contextOf(actor) });
    }
    if (rows.length < page) break;
  }
});
