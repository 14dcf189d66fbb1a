import * as Effect from "effect/Effect";
import type { QueueContext } from "../../machines/queue.ts";
import type { ScheduleContext } from "../../machines/schedule.ts";
import { usedSlots, type WorkerContext } from "../../machines/worker.ts";
import { endedStates } from "../dispatch/index.ts";
import { type ActorView, viewOfStored } from "../engine/index.ts";
import type { ActorRow, Journal, JournalError } from "../journal/index.ts";
import { timeText } from "./standing.ts";
import { allOf, openPlace, storedTasks } from "./stored-tasks.ts";
import type { Streams } from "./streams.ts";
import { printable } from "./summary.ts";
import { table } from "./table.ts";

interface Target {
  /** A file, or the address of a server. */
  readonly database: string;
  readonly json: boolean;
}
type Listed = { readonly view: object; readonly cells: ReadonlyArray<string> };

const viewsOf = (journal: Journal, machine: string): Effect.Effect<ReadonlyArray<ActorView>, JournalError> =>
  Effect.map(allOf(journal, { machine }), (rows: ReadonlyArray<ActorRow>) => rows.map((row) => viewOfStored(row, "")));
const idOf = ({ address }: ActorView): string => address.slice(address.indexOf("/") + 1);

const listed = (titles: ReadonlyArray<string>, none: string, read: (journal: Journal) => Effect.Effect<ReadonlyArray<Listed>, JournalError>) => (target: Target, streams: Streams) =>
  Effect.scoped(
    Effect.gen(function* () {
      const found = yield* read(yield* openPlace(target.database));
      if (target.json) for (const { view } of found) streams.out(`${JSON.stringify(view)}\n`);
      else if (found.length === 0) streams.out(`${none}\n`);
      else
        streams.out(
          table(
            titles,
            found.map(({ cells }) => cells.map(printable)),
            streams.isTerminal ? streams.columns() : undefined,
          ),
        );
    }),
  );

/** `taskwright workers`: who carries out tasks, those that are retired left out. */
export const workers = listed(["ID", "STATE", "KINDS", "SLOTS", "USED", "LIFE"], "no workers", (journal) =>
  Effect.map(viewsOf(journal, "worker"), (views) =>
    views.flatMap((view) => {
      if (view.status !== "active") return [];
      const context = view.context as WorkerContext;
      const { name, owner, kinds, slots, incarnation, isDraining } = context;
      const shown = { id: name === "" ? idOf(view) : name, address: view.address, state: String(view.value), owner, kinds, slots, used: usedSlots(context), incarnation, isDraining };
      return [{ view: shown, cells: [shown.id, isDraining ? `${shown.state}, draining` : shown.state, kinds.join(", "), String(slots), String(shown.used), String(incarnation)] }];
    }),
  ),
);

const queueState = (value: unknown): string => (typeof value === "string" ? value : (Object.keys(value as object)[0] ?? "open"));

/** `taskwright queues`: those with rules, and those in which something waits. */
export const queues = listed(["NAME", "STATE", "WAITING", "HELD", "POLICY"], "no queues", (journal) =>
  Effect.gen(function* () {
    const ruled = new Map((yield* viewsOf(journal, "queue")).map((view) => [idOf(view), view]));
    const tasks = (yield* storedTasks(journal)).filter(({ state }) => !endedStates.has(state));
    return [...new Set([...ruled.keys(), ...tasks.map(({ spec }) => spec.queue)])].sort().map((name) => {
      const view = ruled.get(name);
      const own = tasks.filter(({ spec }) => spec.queue === name);
      const held = own.filter(({ state }) => state === "assigned" || state === "running").length;
      const shown = { name, state: view === undefined ? "open" : queueState(view.value), policy: (view?.context as QueueContext | undefined)?.policy ?? {}, waiting: own.length - held, held };
      return { view: shown, cells: [name, shown.state, String(shown.waiting), String(held), JSON.stringify(shown.policy)] };
    });
  }),
);

const whenText = (when: ScheduleContext["spec"]["when"]): string => ("cron" in when ? `${when.cron} ${when.timeZone ?? "UTC"}` : `every ${when.everyMs} ms`);

/** `taskwright schedules`: those that were not removed. */
export const schedules = listed(["NAME", "STATE", "WHEN", "NEXT", "STARTED", "SKIPPED", "MISSED"], "no schedules", (journal) =>
  Effect.map(viewsOf(journal, "schedule"), (views) =>
    views.flatMap((view) => {
      if (view.status !== "active") return [];
      const { spec, next, isPaused, started, skipped, missed, dropped } = view.context as ScheduleContext;
      const shown = { name: idOf(view), state: String(view.value), spec, next, isPaused, started, skipped, missed, dropped };
      const cells = [shown.name, isPaused ? "paused" : shown.state, whenText(spec.when), next === null || next === undefined ? "" : timeText(next.dueAt), ...[started, skipped, missed].map(String)];
      return [{ view: shown, cells }];
    }),
  ),
);
