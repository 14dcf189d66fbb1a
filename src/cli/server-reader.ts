import * as Effect from "effect/Effect";
import { hostname } from "node:os";
import type { ActorView, DeadLetter } from "../engine/index.ts";
import type { EntryView } from "../delivery/index.ts";
import type { ActorFilter, ActorRow, DeadLetterFilter, EntryCounts, EntryFilter, EntryRow, HistoryRow, Journal, OwnerRow, StoredDeadLetter } from "../journal/index.ts";
import { cursorOf } from "../server/index.ts";
import { refused } from "./refused.ts";
import { asking, clientOf } from "./server-client.ts";

/** Reads without arguments. */
const plain: ReadonlySet<string> = new Set(["counts", "deadLetterCount", "attempts", "reopen", "release"]);

/** Items of a page that a server gives. Whoever asks for more gets so many, and asks on. */
const pageMax = 1_000;
/** What a server is asked at the same time for actors by their addresses. */
const requestsMax = 8;

/** Without what is undefined: a query parameter is there or not. */
const present = (given: object): never => Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined && value !== "")) as never;

/**
 * The journal behind a server, as far as commands look at one: the same reads, over the server's API, so that a command
 * shows the same of both. It writes nothing. Fails with what the server says.
 */
export const serverReader = (server: string): Effect.Effect<Journal, never> =>
  Effect.map(Effect.either(clientOf(server)), (made) => {
    const client = made._tag === "Right" ? Effect.succeed(made.right) : Effect.fail(made.left);
    const ask = <A>(call: (given: Effect.Effect.Success<typeof client>) => Effect.Effect<unknown, unknown>): Effect.Effect<A, never> =>
      asking(server, Effect.flatMap(client, call)) as unknown as Effect.Effect<A, never>;
    /** Rows that were seen: children are asked for by the address of their parent, and rows have its number. */
    const ids = new Map<string, number>();
    const addresses = new Map<number, string>();
    const rowOf = ({ id, address, machine, hash, status, seq, at, createdAt, value, context, output, error, children, timers }: ActorView): ActorRow => {
      ids.set(address, id);
      addresses.set(id, address);
      const timed = Object.values(timers ?? {}).map(({ due }) => due);
      const isOver = status !== "active";
      const state = JSON.stringify({ status, value, context, output, error, ...(isOver ? {} : { children, timers, tokens: Number.MAX_SAFE_INTEGER }) });
      const parent = ids.get(address.slice(0, Math.max(0, address.lastIndexOf("/")))) ?? 0;
      return { id, address, machine, hash, status, seq, at, createdAt, parent, state, token: 0, wake: timed.length === 0 ? undefined : Math.min(...timed) };
    };
    const list = ({ machine, status, parent, after = 0, limit, descending }: ActorFilter): Effect.Effect<ReadonlyArray<ActorRow>> => {
      const of = parent === undefined || parent === 0 ? undefined : addresses.get(parent);
      const filter = { machine, status, parent: of, top: parent === 0 ? "true" : undefined, sort: descending === true ? "-created" : undefined };
      const cursor = after === 0 ? undefined : cursorOf(after);
      return Effect.map(
        ask<{ readonly items: ReadonlyArray<ActorView> }>(({ actors }) => actors.listActors({ urlParams: present({ ...filter, limit: Math.min(limit, pageMax), cursor }) })),
        ({ items }) => items.map(rowOf),
      );
    };
    const actors = (wanted: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<ActorRow>> =>
      Effect.map(
        Effect.forEach(
          wanted,
          (address) =>
            ask<ActorView | undefined>(({ actors }) =>
              Effect.catchIf(
                actors.readActor({ path: { address: encodeURIComponent(address) }, headers: {} }) as Effect.Effect<unknown, { readonly code?: string }>,
                ({ code }) => code === "unknown_actor",
                () => Effect.succeed(undefined),
              ),
            ),
          { concurrency: requestsMax },
        ),
        (found) => found.flatMap((view) => (view === undefined ? [] : [rowOf(view)])),
      );
    const history = (address: string, after: number, limit: number): Effect.Effect<ReadonlyArray<HistoryRow>> =>
      Effect.map(
        ask<{ readonly items: ReadonlyArray<Omit<HistoryRow, "event"> & { readonly event: { readonly type: string } }> }>(({ actors }) =>
          actors.readHistory({ path: { address: encodeURIComponent(address) }, urlParams: present({ after, limit: Math.min(limit, pageMax) }) }),
        ),
        ({ items }) => items.map((entry) => ({ ...entry, actor: ids.get(address) ?? 0, type: entry.event.type, event: JSON.stringify(entry.event) })),
      );
    const letterOf = ({ id, address, at, event, from, error, action, seq }: DeadLetter): StoredDeadLetter => ({
      id,
      address,
      at,
      envelope: JSON.stringify({ to: address, event, from, action, seq }),
      error: JSON.stringify(error),
    });
    const deadLetters = ({ ids: wanted, after = 0, ...filter }: DeadLetterFilter): Effect.Effect<ReadonlyArray<StoredDeadLetter>> =>
      wanted === undefined
        ? Effect.map(
            ask<{ readonly items: ReadonlyArray<DeadLetter> }>((client) =>
              client.deadLetters.listDeadLetters({ urlParams: present({ ...filter, cursor: after === 0 ? undefined : cursorOf(after) }) }),
            ),
            ({ items }) => items.map(letterOf),
          )
        : Effect.map(
            Effect.forEach(wanted, (id) =>
              ask<DeadLetter | undefined>((client) =>
                Effect.catchIf(
                  client.deadLetters.readDeadLetter({ path: { id } }) as Effect.Effect<unknown, { readonly code?: string }>,
                  ({ code }) => code === "unknown_dead_letter",
                  () => Effect.succeed(undefined),
                ),
              ),
            ),
            (found) => found.flatMap((letter) => (letter === undefined ? [] : [letterOf(letter)])),
          );
    const nameOf = (outbox: string) => encodeURIComponent(outbox.slice(outbox.indexOf("/") + 1));
    const entries = ({ outbox, status, after = 0, upTo = Number.MAX_SAFE_INTEGER, limit }: EntryFilter): Effect.Effect<ReadonlyArray<EntryRow>> =>
      Effect.map(
        ask<{ readonly items: ReadonlyArray<EntryView> }>(({ outboxes }) =>
          outboxes.listOutboxEntries({ path: { name: nameOf(outbox) }, urlParams: present({ status, limit: Math.min(limit, pageMax), cursor: after <= 0 ? undefined : cursorOf(after) }) }),
        ),
        ({ items }) => items.flatMap((entry) => (entry.seq > upTo ? [] : [{ ...entry, outbox, payload: JSON.stringify(entry.payload) }])),
      );
    const entryCounts = (outbox: string): Effect.Effect<EntryCounts> =>
      Effect.map(
        ask<{ readonly items: ReadonlyArray<EntryCounts & { readonly name: string }> }>(({ outboxes }) => outboxes.listOutboxes()),
        ({ items }) => {
          const { pending = 0, poisoned = 0, unknown = 0 } = items.find(({ name }) => `outbox/${name}` === outbox) ?? {};
          return { pending, poisoned, unknown };
        },
      );
    const machines = Effect.map(
      ask<{ readonly items: ReadonlyArray<{ readonly id: string; readonly versions: ReadonlyArray<{ readonly version: string; readonly hash: string }> }> }>((client) =>
        client.machines.listMachines(),
      ),
      ({ items }) => items.flatMap(({ id, versions }) => versions.map((form) => ({ ...form, id, chart: "", at: 0 }))),
    );
    const owner = Effect.map(
      ask<{ readonly owner: Pick<OwnerRow, "id" | "epoch">; readonly process?: Pick<OwnerRow, "pid" | "host" | "since"> }>(({ system }) => system.status()),
      ({ owner: { id, epoch }, process: { pid, host, since } = { pid: 0, host: hostname(), since: 0 } }): OwnerRow => ({ id, epoch, pid, host, since, until: Number.MAX_SAFE_INTEGER }),
    );
    const reads: Partial<Journal> = { list, actors, history: history as unknown as Journal["history"], deadLetters, entries, entryCounts, machines, owner };
    const missing = refused(`${server}: a server does not give that; ask for it where the file of the journal is`);
    const otherwise = (name: string | symbol) => (typeof name === "symbol" || name === "then" ? undefined : plain.has(name) ? Effect.fail(missing) : () => Effect.fail(missing));
    return new Proxy(reads, { get: (target, name) => target[name as keyof Journal] ?? otherwise(name) }) as Journal;
  });
