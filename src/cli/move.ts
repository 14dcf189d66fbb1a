import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { randomUUID } from "node:crypto";
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { isAlive } from "../engine/index.ts";
import { type JournalError, type JournalFenced, type JournalOwned, type Opened, type Journal, SqliteJournal } from "../journal/index.ts";
import { applyMove, type MovedBack, type MoveGroup, type MovePlan, type MoveRefused, planMove, putBack, rehearseMove } from "../replay/index.ts";
import { entriesOfFiles } from "./machine-files.ts";
import { type Refused, refused } from "./refused.ts";
import { openReader } from "./stored-tasks.ts";
import type { Streams } from "./streams.ts";

export interface MoveCommand {
  /** The id of the machine. */
  readonly machine: string;
  readonly machines: ReadonlyArray<string>;
  readonly rehearse: boolean;
  readonly apply: boolean;
  /** Where the way back is kept; with `back`, what is put back. */
  readonly keep: string;
  readonly back: boolean;
  readonly database: string;
  readonly json: boolean;
}

const leaseMs = 10_000;

/** `taskwright move MACHINE`: plans, rehearses and applies the move of running actors to another version. Succeeds with the exit code. */
export const moveCommand = (options: MoveCommand, streams: Streams): Effect.Effect<number, JournalError | JournalFenced | JournalOwned | MoveRefused | Refused> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { machine, rehearse, apply, back, keep, database, json } = options;
      if ([rehearse, apply, back].filter(Boolean).length > 1) return yield* refused("give one of --rehearse, --apply and --back");
      const at = yield* Clock.currentTimeMillis;
      if (back) {
        const text = yield* Effect.tryPromise({ try: () => readFile(keep, "utf8"), catch: (error) => refused(`${keep} can't be read: ${(error as Error).message}`) });
        const kept = text
          .split("\n")
          .filter((line) => line !== "")
          .map((line) => JSON.parse(line) as MovedBack);
        const [journal, opened] = yield* openWriter(database, at);
        const { back: count, left } = yield* putBack(journal, opened, kept, Math.max(at, opened.latestAt));
        streams.out(
          json ? `${JSON.stringify({ back: count, left })}\n` : `${count} put back, ${left.length} left as they are\n${left.map((address) => `  ${address} has gone on since, or is gone\n`).join("")}`,
        );
        return left.length === 0 ? 0 : 1;
      }
      const machines = yield* entriesOfFiles(options.machines);
      if (apply) {
        yield* Effect.tryPromise({
          try: () => writeFile(keep, "", { flag: "wx" }),
          catch: () => refused(`${keep} is there already: it may be the way back of an earlier move; give another one with --keep`),
        });
        const [journal, opened] = yield* openWriter(database, at);
        const applied = yield* applyMove(journal, opened, { machine, machines, at: Math.max(at, opened.latestAt) }, (batch) =>
          Effect.tryPromise({
            try: () => appendFile(keep, batch.map((one) => `${JSON.stringify(one)}\n`).join(""), { flush: true } as never),
            catch: (error) => refused(`${keep} can't be written: ${(error as Error).message}`),
          }),
        );
        const { moved, left, unmoved } = applied;
        streams.out(
          json
            ? `${JSON.stringify(applied)}\n`
            : `${moved} moved, ${left} left to the engine (children are started or stopped), ${unmoved} not moved\nthe way back: taskwright move ${machine} --machines ${options.machines.join(",")} --back --keep ${keep}\n`,
        );
        return unmoved === 0 ? 0 : 1;
      }
      const journal = yield* openReader(database);
      const plan = yield* planMove(journal, { machine, machines, at });
      const rehearsal = rehearse ? yield* rehearseMove(journal, { machine, machines, at }) : undefined;
      if (json) streams.out(`${JSON.stringify(rehearsal === undefined ? plan : { ...plan, rehearsal }, null, 2)}\n`);
      else streams.out(planText(plan));
      if (!json && rehearsal !== undefined) {
        const { applied, problems, back: count, notBack } = rehearsal;
        streams.out(
          `rehearsed on a copy: ${applied.moved} moved, ${problems.length} of them don't replay, ${count} put back exactly as they were, ${notBack.length} not\n${[...problems, ...notBack].map((line) => `  ${line}\n`).join("")}`,
        );
      }
      const isGood = plan.groups.every(({ fate }) => fate === "moves") && (rehearsal === undefined || rehearsal.problems.length + rehearsal.notBack.length === 0);
      return isGood ? 0 : 1;
    }),
  );

const openWriter = (database: string, now: number) =>
  Effect.gen(function* () {
    // An engine would make a file that is not there.
    yield* Effect.scoped(openReader(database));
    const journal = yield* SqliteJournal.make({ file: database });
    const opened = yield* Effect.catchTag(journal.open({ id: randomUUID(), pid: process.pid, host: hostname(), now, leaseMs, isAlive }), "JournalOwned", (owned) =>
      Effect.fail(refused(`${owned.message}; or let that engine do it: engine.migrate("…")`)),
    );
    yield* Effect.addFinalizer(() => Effect.ignore(journal.release));
    return [journal, opened] as readonly [Journal, Opened];
  });

const planText = ({ machine, to, current, groups }: MovePlan): string => {
  const total = groups.reduce((sum, { actors }) => sum + actors, 0);
  return `${[...groups.flatMap((group) => [...groupText(group), ""]), `${machine} to version ${to.version}: ${total} running ${total === 1 ? "actor" : "actors"} to move, ${current} there already`].join("\n")}\n`;
};

const groupText = ({ fate, from, in: within, to, by, why, actors, addresses, timers, children, ending, needsEngine }: MoveGroup): ReadonlyArray<string> => {
  const shown = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
  const line = (what: string, ids: ReadonlyArray<string>) => (ids.length === 0 ? [] : [`  ${what}: ${ids.join(", ")}`]);
  return [
    `${fate}: ${actors} ${actors === 1 ? "actor" : "actors"} of version ${from.version} in ${shown(within)}${to === undefined ? "" : ` to ${shown(to)}`}${by === undefined ? "" : ` by ${by}`} (${addresses.join(", ")}${actors > addresses.length ? ", …" : ""})`,
    ...(why === undefined ? [] : [`  ${why}`]),
    ...line("deadlines kept", timers.kept),
    ...line("deadlines set anew, from the move on", timers.set),
    ...line("deadlines dropped", timers.dropped),
    ...line("children kept", children.kept),
    ...line("children started", children.started),
    ...line("children stopped", children.stopped),
    ...line(
      "running actors that end with them",
      Object.entries(ending).map(([machine, count]) => `${count} ${machine}`),
    ),
    ...(needsEngine ? ["  only a running engine can do it"] : []),
  ];
};
