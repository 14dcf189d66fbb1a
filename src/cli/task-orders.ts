import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { type ActorState, decode, define, type Definition, step } from "../actor/index.ts";
import { endedStates, matches, type OrderReport, type TaskFilter, type TaskState, type TaskView, taskView } from "../dispatch/index.ts";
import { viewOfStored } from "../engine/index.ts";
import { type ActorRow, emptyTurn, type Journal, type JournalError, type JournalFenced } from "../journal/index.ts";
import { findActor } from "./address.ts";
import { claim } from "./claim.ts";
import { isServer } from "./place-of-server.ts";
import { type Refused, refused } from "./refused.ts";
import { asking, clientOf } from "./server-client.ts";
import { allOf } from "./stored-tasks.ts";
import type { Streams } from "./streams.ts";
import { userName } from "./user.ts";

/** What a task is told by each order. */
const eventTypes = {
  cancel: "CANCEL",
  pause: "PAUSE",
  resume: "RESUME",
  retry: "RETRY_NOW",
  expire: "EXPIRE",
  answer: "ANSWER",
  verify: "VERIFY",
  reject: "REJECT",
  reprioritise: "REPRIORITISE",
} as const;
export type OrderName = keyof typeof eventTypes;

export interface OrderOptions {
  readonly order: OrderName;
  readonly ids: ReadonlyArray<string>;
  /** All that have not ended, as far as the filter leaves them. */
  readonly all: boolean;
  readonly filter: TaskFilter & { readonly state?: TaskState };
  /** Default: the user of this process. */
  readonly by: string | undefined;
  readonly why: string | undefined;
  /** What the order carries. */
  readonly more: { readonly answer?: unknown; readonly question?: string; readonly priority?: number; readonly retry?: boolean };
  /** The journal, or the address of the server that has it. */
  readonly database: string;
  readonly json: boolean;
}

/**
 * `taskwright cancel` and the other orders: to a server, which carries them out, or into the mailbox of a journal that
 * nobody works with, where the next engine takes them up. Succeeds with the exit code: 0 all took the order, 1 some did not.
 */
export const giveOrder = (options: OrderOptions, streams: Streams): Effect.Effect<number, JournalError | JournalFenced | Refused> =>
  Effect.gen(function* () {
    const { order, ids, all, filter, by, database, json } = options;
    const server = isServer(database) ? database : undefined;
    const named = Object.keys(filter)[0];
    if (ids.length > 0 && (all || named !== undefined)) return yield* refused(`give ids or ${named === undefined ? "--all" : `--${named}`}, not both`);
    if (ids.length === 0 && !all && named === undefined)
      return yield* refused(`give the ids of tasks, or say which: "taskwright ${order} a b", "taskwright ${order} --kind command" or "taskwright ${order} --all"`);
    if (server !== undefined && by !== undefined) return yield* refused("--by is for a journal: a server knows the name of its caller by the token");
    const report = server === undefined ? yield* intoMailbox(options, database) : yield* toServer(options, server);
    if (json) streams.out(`${JSON.stringify(report)}\n`);
    else streams.out(reportText(order, report, server === undefined ? ` as soon as an engine runs on ${database}` : ""));
    return report.refused.length > 0 ? 1 : 0;
  });

const reportText = (order: OrderName, { done, refused }: OrderReport, when: string): string => {
  const lines = [...done.map((id) => `${order} ${id}${when}`), ...refused.map(({ id, detail }) => `refused ${id}: ${detail}`)];
  return lines.length === 0 ? "no tasks\n" : `${lines.join("\n")}\n`;
};

// --- a server ------------------------------------------------------------------------------------------------------

const toServer = ({ order, ids, filter, why, more }: OrderOptions, server: string): Effect.Effect<OrderReport, Refused> =>
  Effect.gen(function* () {
    const client = yield* clientOf(server);
    const payload = { order, which: ids.length > 0 ? [...new Set(ids)] : filter, ...(why === undefined ? {} : { why }), ...more };
    return yield* asking(server, client.tasks.orderTasks({ payload: payload as never }));
  });

// --- a journal -----------------------------------------------------------------------------------------------------

const intoMailbox = (options: OrderOptions, database: string): Effect.Effect<OrderReport, JournalError | JournalFenced | Refused> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { order, ids, by, why, more } = options;
      const { journal, counters, attempts } = yield* claim(database, `tasks.${order === "retry" ? "retryNow" : order}(${ids.length === 0 ? "{ … }" : JSON.stringify(ids)}, …)`);
      const rows = ids.length === 0 ? yield* chosen(journal, options) : yield* Effect.forEach(new Set(ids), (id) => findActor(journal, `task/${id}`, database));
      const { task, taskActions } = yield* Effect.promise(() => import("../../machines/task.ts"));
      const definition = define(task, { actions: taskActions });
      const waiting = yield* waitingMail(journal);
      const event = { type: eventTypes[order], by: by ?? userName(), why: why ?? "no reason was given", at: yield* Clock.currentTimeMillis, ...more };
      const done: Array<string> = [];
      const refusals: Array<OrderReport["refused"][number]> = [];
      for (const row of rows) {
        const id = row.address.slice("task/".length);
        const no = refusalOf(definition, row, waiting.get(row.address) ?? [], event);
        if (no === undefined) done.push(id);
        else refusals.push({ id, ...no });
      }
      const mail = done.map((id, index) => ({ id: counters.mail + index + 1, envelope: JSON.stringify({ to: `task/${id}`, event, from: "" }) }));
      if (mail.length > 0 || attempts !== undefined) yield* journal.commit({ ...emptyTurn, attempts, mail });
      return { done, refused: refusals };
    }),
  );

type Told = { readonly type: string };

/** Why a task would not take an order, once it has heard what already waits for it; undefined: it takes it. */
const refusalOf = (definition: Definition, row: ActorRow, before: ReadonlyArray<Told>, event: Told & { readonly at: number }): Omit<OrderReport["refused"][number], "id"> | undefined => {
  const stored = viewOfTask(row);
  const state = stored?.state ?? "failed";
  if (stored === undefined) return { state, detail: `its row is damaged: "taskwright show ${row.address}" says how` };
  if (endedStates.has(state)) return { state, detail: "it has ended" };
  if (row.hash !== definition.hash) return { state, detail: "another form of the machine wrote it: let an engine of its version, or a newer one, take the order" };
  try {
    let now: ActorState = decode(definition, row.address, undefined, row.state);
    for (const earlier of before) now = step(definition, now, earlier, event.at).state;
    if (step(definition, now, event, event.at).outcome === "handled") return undefined;
  } catch (error) {
    return { state, detail: error instanceof Error ? error.message : String(error) };
  }
  return { state, detail: `a task that is ${state}${before.length === 0 ? "" : ", and has been told more that it has not heard yet,"} takes no such order` };
};

const viewOfTask = (row: ActorRow): TaskView | undefined => {
  const view = viewOfStored(row, "");
  return matches({}, view) ? taskView(row.address, view, view.timers, row.at, row.createdAt) : undefined;
};

/** As the dispatcher chooses: those that have not ended, unless ended ones are asked for. */
const chosen = (journal: Journal, { filter }: OrderOptions): Effect.Effect<ReadonlyArray<ActorRow>, JournalError> =>
  Effect.map(allOf(journal, { machine: "task" }), (rows) =>
    rows.filter((row) => {
      const view = viewOfStored(row, "");
      return (filter.state !== undefined || view.status === "active") && matches(filter, view);
    }),
  );

const pageSize = 1_000;

/** What waits in the mailbox for tasks, in its order. */
const waitingMail = (journal: Journal): Effect.Effect<ReadonlyMap<string, ReadonlyArray<Told>>, JournalError> =>
  Effect.gen(function* () {
    const told = new Map<string, Array<Told>>();
    for (let after = 0; ; ) {
      const page = yield* journal.mail(after, pageSize);
      for (const { envelope } of page) {
        const { to, event } = JSON.parse(envelope) as { readonly to?: string; readonly event?: Told };
        if (to?.startsWith("task/") === true && event !== undefined) told.set(to, [...(told.get(to) ?? []), event]);
      }
      const last = page.at(-1);
      if (last === undefined || page.length < pageSize) return told;
      after = last.id;
    }
  });
