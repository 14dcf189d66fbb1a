import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import type { parseState } from "../actor/index.ts";
import { type DeadLetter, type LetterFilter, letterView, type SentEvent, storedFilter, type Time, viewOfStored } from "../engine/index.ts";
import type { Journal, JournalError } from "../journal/index.ts";
import { readHistory } from "../replay/index.ts";
import type { Source } from "./source.ts";

/** How often a journal is asked for what was stored since. */
const lookEveryMs = 200;
/** Changes that are taken at a time. */
const changesMax = 2_000;

const run = async <A>(effect: Effect.Effect<A, JournalError>): Promise<A> => {
  const exit = await Effect.runPromiseExit(effect);
  if (Exit.isSuccess(exit)) return exit.value;
  throw Cause.squash(exit.cause);
};

/** A journal that is read beside its engine, or after it. Nothing can be done to it from here. */
export const journalSource = (journal: Journal, name: string, time: Time): Source => {
  const versions = new Map<string, string>();
  const versionOf = async (hash: string): Promise<string> => {
    if (!versions.has(hash)) for (const row of await run(journal.machines)) versions.set(row.hash, row.version);
    return versions.get(hash) ?? "";
  };
  let owner = "nobody works with it";
  return {
    kind: "journal",
    name,
    engine: () => ({ state: owner, transitions: 0, waiting: 0, activities: 0, residents: 0 }),
    list: async (filter) => {
      const rows = await run(journal.list(filter));
      return Promise.all(rows.map(async (row) => viewOfStored(row, await versionOf(row.hash))));
    },
    actor: async (address) => {
      const [row] = await run(journal.actors([address]));
      return row === undefined ? undefined : viewOfStored(row, await versionOf(row.hash));
    },
    history: async (address, after, limit) =>
      (await run(journal.history(address, after, limit))).map(({ seq, at, event, outcome, from, stateHash }) => ({ seq, at, event: JSON.parse(event) as SentEvent, outcome, from, stateHash })),
    historyStart: async (address) => (await run(readHistory(journal, address)))?.start,
    letters: async (filter: LetterFilter): Promise<ReadonlyArray<DeadLetter>> => (await run(journal.deadLetters(storedFilter(filter, 100)))).map(letterView),
    charts: () => run(journal.machines),
    follow: (_told, moved) => {
      let last = -1;
      let stop = () => {};
      let isOver = false;
      const look = async () => {
        try {
          const holder = await run(journal.owner);
          owner = holder === undefined || holder.until < time.now() ? "nobody works with it" : "running elsewhere";
          if (last < 0) last = await run(latestChange(journal));
          for (;;) {
            const changes = await run(journal.changes(last, changesMax));
            if (changes.length === 0) break;
            last = changes.at(-1)?.id ?? last;
            for (const row of await run(journal.actors([...new Set(changes.map(({ address }) => address))]))) moved(viewOfStored(row, await versionOf(row.hash)));
            if (changes.length < changesMax) break;
          }
        } catch {
          // The store does not answer now; the next look may.
        }
        if (!isOver) stop = time.wakeAt(time.now() + lookEveryMs, () => void look());
      };
      void look();
      return () => {
        isOver = true;
        stop();
      };
    },
  };
};

/** The last change that is there: what is newer is told. */
const latestChange = (journal: Journal): Effect.Effect<number, JournalError> =>
  Effect.gen(function* () {
    // By doubling and halving: the interface knows no end.
    let low = 0;
    let step = 1;
    while ((yield* journal.changes(low + step, 1)).length > 0) {
      low += step;
      step *= 2;
    }
    for (; step >= 1; step = Math.floor(step / 2)) while ((yield* journal.changes(low + step, 1)).length > 0) low += step;
    const [rest] = yield* journal.changes(low, 1);
    return rest?.id ?? low;
  });

/** What a stored state says of its next deadline. */
export const dueOf = (timers: ReturnType<typeof parseState>["timers"]): number | undefined => {
  let due: number | undefined;
  for (const timer of Object.values(timers ?? {})) if (timer.held !== true && (due === undefined || timer.due < due)) due = timer.due;
  return due;
};
