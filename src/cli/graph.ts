import * as Effect from "effect/Effect";
import { edgesTaken, type PictureFormat, pictureOf, type Taken, type TakenEntry } from "../analysis/index.ts";
import { formOf, parseState } from "../actor/index.ts";
import type { SentEvent } from "../engine/index.ts";
import type { JournalError } from "../journal/index.ts";
import { findActor } from "./address.ts";
import { historyOf } from "./history.ts";
import { type FoundMachine, machineNamed } from "./machine-files.ts";
import { type Refused, refused } from "./refused.ts";
import { openReader } from "./stored-tasks.ts";
import type { Streams } from "./streams.ts";

export interface GraphOptions {
  /** A module that exports a machine, `module#name`, or the name of a machine that comes with the package. */
  readonly machine: string;
  readonly format: PictureFormat;
  /** An actor whose history is drawn into it: a task's id, or an address. */
  readonly taken: string | undefined;
  readonly database: string;
}

/** `taskwright graph MACHINE`: a machine as a picture or as data, with the edges that an actor took. */
export const graph = ({ machine, format, taken, database }: GraphOptions, streams: Streams): Effect.Effect<void, JournalError | Refused> =>
  Effect.gen(function* () {
    const found = yield* machineNamed(machine);
    streams.out(pictureOf(found.machine, format, taken === undefined ? undefined : yield* takenBy(found, taken, database)));
  });

const takenBy = ({ machine }: FoundMachine, id: string, database: string): Effect.Effect<Taken, JournalError | Refused> =>
  Effect.scoped(
    Effect.gen(function* () {
      const journal = yield* openReader(database);
      const row = yield* findActor(journal, id, database);
      if (row.machine !== machine.id) return yield* refused(`${row.address} is an actor of the machine "${row.machine}", not of "${machine.id}"`);
      const rows = yield* historyOf(journal, row.address);
      const cut = yield* journal.checkpoint(row.address);
      const from = cut === undefined ? undefined : { seq: cut.seq, at: cut.at, hash: cut.hash, version: "", state: parseState(cut.state), input: undefined };
      const history = rows.map(({ seq, at, event, outcome }): TakenEntry => ({ seq, at, event: JSON.parse(event) as SentEvent, outcome }));
      const result = edgesTaken(machine, history, { address: row.address, from });
      if (row.hash !== formOf(machine).hash && result.elsewhere === 0)
        return yield* refused(`${row.address} was written by another form of the machine "${machine.id}" (${row.hash}); give the file of that version`);
      if (result.broken !== undefined) return yield* refused(`the history of ${row.address} does not follow from this machine: entry ${result.broken.seq}: ${result.broken.reason}`);
      return result;
    }),
  );
