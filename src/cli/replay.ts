import * as Effect from "effect/Effect";
import type { JournalError } from "../journal/index.ts";
import { type Difference, Forms, type History, historyOfRow, type Replay, replay, replayEach, replaySteps, versionsIn } from "../replay/index.ts";
import { findActor } from "./address.ts";
import { entriesOfFiles } from "./machine-files.ts";
import { type Refused, refused } from "./refused.ts";
import { timeText } from "./standing.ts";
import { openReader } from "./stored-tasks.ts";
import type { Streams } from "./streams.ts";
import { fields, table } from "./table.ts";

export interface ReplayCommand {
  /** A task's id, or an address. Absent with `all`. */
  readonly id: string | undefined;
  readonly all: boolean;
  readonly to: number | undefined;
  /** Only says whether it is right. */
  readonly verify: boolean;
  readonly machines: ReadonlyArray<string>;
  readonly database: string;
  readonly json: boolean;
}

/** Differences of `--all` that are listed. */
const listedMax = 20;

/** `taskwright replay ID`: steps histories again. Succeeds with the exit code: 1 where one differs. */
export const replayCommand = (options: ReplayCommand, streams: Streams): Effect.Effect<number, JournalError | Refused> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { id, all, to, verify, machines, database, json } = options;
      if (all === (id !== undefined)) return yield* refused('give the ID of one actor, or --all: "taskwright replay order/42" or "taskwright replay --all"');
      if (all && to !== undefined) return yield* refused("--to is for one actor: give its ID");
      const journal = yield* openReader(database);
      const forms = new Forms(yield* entriesOfFiles(machines));
      if (all) {
        const replays: Array<Replay> = [];
        yield* replayEach(journal, forms, {}, (found) => replays.push(found));
        return tellAll(replays, json, streams);
      }
      const history = yield* historyOfRow(journal, yield* findActor(journal, id ?? "", database), yield* versionsIn(journal));
      const found = replay(history, forms, to === undefined ? {} : { to });
      if (json) streams.out(`${JSON.stringify(found, null, 2)}\n`);
      else if (verify) streams.out(verdictText(found));
      else streams.out(`${stepsText(history, forms, found.seq, streams)}\n${verdictText(found)}${found.state === undefined ? "" : `${stateText(found)}`}`);
      return found.difference === undefined ? 0 : 1;
    }),
  );

const stepsText = (history: History, forms: Forms, to: number, { isTerminal, columns }: Streams): string => {
  const rows: Array<ReadonlyArray<string>> = [];
  for (const { entry, after, commands, wrong } of replaySteps(history, forms)) {
    if (entry.seq > to) break;
    const asks = commands.map((command) =>
      "id" in command ? `${command.type} ${command.id}` : "action" in command ? `act ${command.action}` : "event" in command ? `${command.type} ${command.event.type}` : command.type,
    );
    rows.push([
      String(entry.seq),
      timeText(entry.at),
      entry.event.type,
      entry.outcome,
      after === undefined ? "?" : typeof after.value === "string" ? after.value : JSON.stringify(after.value),
      asks.join(", "),
      wrong.length > 0 ? "differs" : "",
    ]);
  }
  return table(["SEQ", "TIME", "EVENT", "OUTCOME", "STATE AFTER", "COMMANDS", ""], rows, isTerminal ? columns() : undefined);
};

const stateText = ({ seq, state }: Replay): string => `\n${fields([[`state after entry ${seq}`, JSON.stringify(state, null, 2)]])}`;

const verdictText = ({ address, verified, difference }: Replay): string =>
  difference === undefined ? `${address}: ${countOf(verified, "entry", "entries")}, each leads to the stored fingerprint\n` : differenceText(address, difference);

const differenceText = (address: string, { seq, event, detail, cause, name, why, fields: differing }: Difference): string =>
  `${address}, entry ${seq} (${event}): ${detail}\n  cause: ${cause}${name === undefined ? "" : ` "${name}"`}: ${why}\n${differing
    .map(({ path, left, right }) => `  ${path}: stored ${left === undefined ? "-" : JSON.stringify(left)}, now ${right === undefined ? "-" : JSON.stringify(right)}\n`)
    .join("")}`;

const countOf = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`;

const tellAll = (replays: ReadonlyArray<Replay>, json: boolean, streams: Streams): number => {
  const unknown = replays.filter(({ difference }) => difference?.cause === "missing version");
  const differing = replays.filter(({ difference }) => difference !== undefined && difference.cause !== "missing version");
  const entries = replays.reduce((sum, { verified }) => sum + verified, 0);
  const missing = [...new Set(unknown.map(({ machine }) => machine))];
  if (json) {
    streams.out(`${JSON.stringify({ actors: replays.length, entries, differing: differing.map(({ address, difference }) => ({ address, ...difference })), unknown: unknown.length, missing })}\n`);
    return differing.length + unknown.length > 0 ? 1 : 0;
  }
  for (const { address, difference } of differing.slice(0, listedMax)) streams.out(differenceText(address, difference as Difference));
  if (differing.length > listedMax) streams.out(`and ${differing.length - listedMax} more\n`);
  streams.out(`${countOf(replays.length, "actor", "actors")}, ${countOf(entries, "entry", "entries")} verified, ${countOf(differing.length, "actor differs", "actors differ")}\n`);
  if (unknown.length > 0) streams.out(`${countOf(unknown.length, "actor", "actors")} not verified: give the machines that wrote them with --machines (${missing.join(", ")})\n`);
  return differing.length + unknown.length > 0 ? 1 : 0;
};
