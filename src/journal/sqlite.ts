import type { SqlError } from "@effect/sql/SqlError";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import type * as Scope from "effect/Scope";
import * as fs from "node:fs";
import * as path from "node:path";
import * as Claim from "./claim.ts";
import * as Connection from "./connection.ts";
import { makeDoor } from "./door.ts";
import * as Driver from "./driver.ts";
import * as Entries from "./entries.ts";
import { JournalError, JournalFenced, JournalOwned } from "./errors.ts";
import { isHalfMade } from "./failure.ts";
import * as File from "./file.ts";
import * as Imprint from "./imprint.ts";
import { Journal, type OwnerInfo, type OwnerRow, type Turn } from "./journal.ts";
import * as Prune from "./prune.ts";
import * as Reads from "./reads.ts";
import * as Schema from "./schema.ts";
import * as Statements from "./turn.ts";

/**
 * The journal in one SQLite file (with its `-wal` and `-shm` beside it).
 *
 * - A turn is durable when `commit` succeeds: write-ahead log, `synchronous = FULL`.
 * - The owner's epoch is read inside each transaction that writes, under SQLite's write lock: an owner that was
 *   taken over can't write, however late it wakes up.
 * - Each renewal checks that the path still leads to the opened file, and that nobody copied another one over it
 *   (reason `replaced`), and so does a commit when the last look is more than 100 ms old: SQLite itself would go on
 *   writing to a deleted file, or into a foreign one, without a word.
 * - A second row for an (actor, seq) or an id in use is a `JournalError` with reason `failed`, not `JournalFenced`:
 *   another engine can't have written it (the epoch would tell), so it means that the caller's memory is not what is
 *   stored. Reopen and load again.
 * - Waiting for another program's lock takes at most about five seconds, with the event loop running.
 */
export interface SqliteOptions {
  /** Path of the journal. Created if it does not exist; its folder is not. */
  readonly file: string;
  /** Only reads: works beside an owner, claims and creates nothing. Every writing method fails. */
  readonly reader?: boolean;
  /** A driver by name, or one of your own over an `@effect/sql` client. Default: `auto`. */
  readonly driver?: Driver.DriverName | Driver.Driver;
  /** FULL survives power failure. The others may lose acknowledged turns and are for measurements only. */
  readonly synchronous?: Connection.Synchronous;
}

/** Milliseconds between two looks at the path by commits: a look costs as much as two statements. */
const lookMs = 100;

/** Opens nothing for an owner (that is `open`'s work); a reader is connected and checked at once. */
export const make = (options: SqliteOptions): Effect.Effect<Journal, JournalError, Scope.Scope> =>
  Effect.gen(function* () {
    const where = path.resolve(options.file);
    const reader = options.reader ?? false;
    const driver = yield* Driver.choose(options.driver ?? "auto", where);
    const settings: Connection.ConnectionOptions = { file: where, reader, synchronous: options.synchronous ?? "FULL" };

    let connection: Connection.Connection | undefined;
    let opened: File.Identity | undefined;
    let claimed: OwnerRow | undefined;
    let descriptor: Imprint.Descriptor | undefined;
    let place: Imprint.Place | undefined;
    let imprint: Imprint.Imprint | undefined;
    let log: File.Identity | undefined;
    let isReplaced = false;
    let lookedAt = 0;
    let written = false;

    const halfMade = new JournalError({ reason: "missing", where, detail: "the engine that made it was ended before anything was stored: open it with an engine" });
    const failed = (detail: string) => new JournalError({ reason: "failed", where, detail });
    const disconnect = Effect.suspend(() => {
      const open = connection;
      connection = undefined;
      return open === undefined ? Effect.void : Effect.zipRight(isReplaced ? setLogAside(open) : Effect.void, open.close);
    });
    /**
     * Only when it is still so, and nobody else has the log: then SQLite would write it over the other database. What
     * was set aside wrongly would be lost.
     */
    const setLogAside = (open: Connection.Connection) =>
      Effect.gen(function* () {
        isReplaced = false;
        if (claimed === undefined || opened === undefined || log === undefined) return;
        const found = File.identityOf(where);
        const isOther = found !== undefined && (found.inode !== opened.inode || found.device !== opened.device);
        if (found === undefined || (!isOther && isGoingOn(claimed))) return;
        const current = yield* Reads.owner(open);
        if (current?.id === claimed.id && current.epoch === claimed.epoch) File.setAside(`${where}-wal`, log, `${where}-wal-${claimed.epoch}`);
      }).pipe(Effect.ignore);

    /** A fresh connection to a file that proved to be a journal. */
    const connect = Effect.gen(function* () {
      yield* File.check(where, reader);
      const fresh = yield* Connection.open(driver, settings);
      connection = fresh;
      const version = yield* Effect.mapError(Schema.inspect(fresh, where), (error) => (reader && isHalfMade(error) ? halfMade : error));
      if (reader && version === 0) return yield* new JournalError({ reason: "missing", where, detail: "the database is empty: no engine has opened it yet" });
      if (reader && version < Schema.version) return yield* failed(`its layout has version ${version}, this program reads version ${Schema.version}: open it with an engine once`);
      yield* Connection.tune(fresh, settings);
      return fresh;
    }).pipe(Effect.onError(() => disconnect));

    // One operation at a time: a fiber may be set aside in the middle of a long transaction, and a read by another one
    // would then see rows that are not committed.
    const alone = makeDoor();
    const notOpen = failed("the journal is not open; call open, or reopen after a failure");
    const reading = <A>(read: (connection: Connection.Connection) => Effect.Effect<A, JournalError>) => alone(Effect.suspend(() => (connection === undefined ? notOpen : read(connection))));

    /** From now on the file must go on from what it says now. */
    const remember = (open: Connection.Connection, identity: File.Identity) =>
      Effect.map(Imprint.locate(open), (found) => {
        place = found;
        descriptor = new Imprint.Descriptor(identity);
        imprint = place === undefined ? undefined : descriptor.read(place)?.imprint;
        log = File.identityOf(`${where}-wal`);
        isReplaced = false;
      });

    /** Fails if the path leads to another file by now, or the file has the bytes of another one. */
    const verify = (open: Connection.Connection, identity: File.Identity, ours: OwnerRow) =>
      Effect.gen(function* () {
        yield* Effect.tapError(File.verify(where, identity), () =>
          Effect.sync(() => {
            // One that was moved away may be put back, beside its log.
            isReplaced = fs.existsSync(where);
          }),
        );
        if (isGoingOn(ours)) return;
        // Somebody may have repacked the database, in order: then the row stands elsewhere.
        place = (yield* Effect.orElseSucceed(Imprint.locate(open), () => undefined)) ?? place;
        if (isGoingOn(ours)) return;
        // Another engine took over: what is written next finds out.
        const current = yield* Effect.orElseSucceed(Reads.owner(open), () => undefined);
        if (current !== undefined && current.epoch > ours.epoch) return;
        isReplaced = true;
        return yield* new JournalError({ reason: "replaced", where, detail: "another file was copied over it under the engine" });
      });
    const isGoingOn = (ours: OwnerRow): boolean => {
      const seen = place === undefined ? undefined : descriptor?.read(place);
      if (seen === undefined) return true;
      if (!Imprint.follows(imprint, seen.imprint, ours)) return false;
      imprint = seen.imprint;
      isReplaced = false;
      return true;
    };

    const fenced = (ours: OwnerRow, current: number) => new JournalFenced({ where, epoch: ours.epoch, current });

    /** A transaction in which the claim is known to be ours. `always`: look at the path however fresh the last look. */
    const owning = <A>(body: (connection: Connection.Connection, ours: OwnerRow) => Effect.Effect<A, SqlError>, always = false): Effect.Effect<A, JournalFenced | JournalError> =>
      alone(
        Effect.suspend(() => {
          const open = connection;
          const ours = claimed;
          if (reader) return failed("it was opened for reading only; open it with an engine to write");
          if (open === undefined) return notOpen;
          if (ours === undefined || opened === undefined) return failed("nobody claimed the journal; call open first");
          const transaction = open.transaction(
            Effect.flatMap(
              open.rows<{ epoch: number }>("SELECT epoch FROM owner"),
              ([row]): Effect.Effect<A, JournalFenced | SqlError> => (row?.epoch === ours.epoch ? body(open, ours) : Effect.fail(fenced(ours, row?.epoch ?? 0))),
            ),
          );
          const now = performance.now();
          if (!always && now - lookedAt <= lookMs) return transaction;
          return Effect.flatMap(verify(open, opened, ours), () => {
            lookedAt = now;
            return transaction;
          });
        }),
      );

    const take = (open: Connection.Connection, info: OwnerInfo) =>
      open.transaction(
        Effect.gen(function* () {
          const [current] = yield* open.rows<OwnerRow>(Reads.ownerText);
          const next = Claim.claim(where, current, info);
          if (next instanceof JournalOwned) return yield* next;
          yield* open.run("REPLACE INTO owner (one, id, epoch, pid, host, since, until) VALUES (1, ?, ?, ?, ?, ?, ?)", [next.id, next.epoch, next.pid, next.host, next.since, next.until]);
          yield* Statements.openedBy(open, next.epoch, info);
          return { ours: next, released: Claim.isReleased(current) };
        }),
      );

    const open = Effect.fn("Journal.open")(function* (info: OwnerInfo) {
      if (reader) return yield* failed("a reader claims nothing; open it without `reader`");
      yield* disconnect;
      claimed = undefined;
      const fresh = yield* connect;
      return yield* Effect.gen(function* () {
        yield* Schema.migrate(fresh, where);
        opened = yield* File.identify(where);
        const { ours, released } = yield* take(fresh, info);
        yield* remember(fresh, opened);
        const answer = { epoch: ours.epoch, counters: yield* Reads.counters(fresh), latestAt: yield* Reads.latestAt(fresh), released };
        claimed = ours;
        return answer;
      }).pipe(Effect.onError(() => disconnect));
    });

    const reopen = Effect.gen(function* () {
      const ours = claimed;
      if (ours === undefined || opened === undefined) return yield* failed("nobody claimed the journal; call open first");
      // Before the old connection is closed: as long as it holds the old file, no other file can have its inode.
      yield* connection === undefined ? File.verify(where, opened) : verify(connection, opened, ours);
      yield* disconnect;
      const fresh = yield* connect;
      yield* remember(fresh, opened);
      const current = yield* Reads.owner(fresh);
      if (current?.epoch !== ours.epoch) return yield* fenced(ours, current?.epoch ?? 0);
      return yield* Reads.counters(fresh);
    });

    const release = Effect.suspend(() => {
      const ours = claimed;
      const open = connection;
      if (ours === undefined || open === undefined || opened === undefined) return Effect.void;
      const free = open.transaction(open.run("UPDATE owner SET until = 0 WHERE epoch = ? AND id = ?", [ours.epoch, ours.id]));
      return Effect.map(Effect.zipRight(verify(open, opened, ours), free), () => {
        claimed = undefined;
      });
    });

    const renew = (now: number) =>
      Effect.zipRight(
        owning((open, ours) => open.run("UPDATE owner SET until = ?", [now + (ours.until - ours.since)]), true),
        alone(
          Effect.suspend(() => {
            if (!written || connection === undefined) return Effect.void;
            written = false;
            return Effect.map(connection.checkpoint, () => {
              // At once: what is copied over it from now on is older than what it says now.
              if (claimed !== undefined) isGoingOn(claimed);
            });
          }),
        ),
      );

    const commit = (turn: Turn) =>
      owning((open) => {
        written = true;
        return Statements.write(open, turn);
      });

    yield* Effect.addFinalizer(() => alone(disconnect));
    if (reader) yield* connect;

    return {
      open: (info) => alone(open(info)),
      reopen: alone(reopen),
      renew,
      release: alone(release),
      commit,
      actors: (addresses) => reading((open) => Reads.actors(open, addresses)),
      actorsById: (ids) => reading((open) => Reads.actorsById(open, ids)),
      keys: (wanted) => reading((open) => Reads.keys(open, wanted)),
      entries: (filter) => reading((open) => Entries.read(open, filter)),
      laneHeads: (outbox) => reading((open) => Entries.laneHeads(open, outbox)),
      laneEntries: (filter) => reading((open) => Entries.laneEntries(open, filter)),
      entryCounts: (outbox) => reading((open) => Entries.counts(open, outbox)),
      posted: (after, limit) => reading((open) => Entries.posted(open, after, limit)),
      names: (wanted) => reading((open) => Reads.names(open, wanted)),
      due: (until, limit) => reading((open) => Reads.due(open, until, limit)),
      nextWakeAfter: (after) => reading((open) => Reads.nextWakeAfter(open, after)),
      mail: (after, limit) => reading((open) => Reads.mail(open, after, limit)),
      effects: (after, limit) => reading((open) => Reads.effects(open, after, limit)),
      list: (filter) => reading((open) => Reads.list(open, filter)),
      counts: reading(Reads.counts),
      history: (address, after, limit) => reading((open) => Reads.history(open, address, after, limit)),
      changes: (after, limit) => reading((open) => Reads.changes(open, after, limit)),
      deadLetters: (filter) => reading((open) => Reads.deadLetters(open, filter)),
      deadLetterCount: reading(Reads.deadLetterCount),
      attempts: reading(Reads.attempts),
      machines: reading(Reads.machines),
      owner: reading(Reads.owner),
      ages: (after, limit) => reading((open) => Reads.ages(open, after, limit)),
      descendants: (ids, limit) => reading((open) => Reads.descendants(open, ids, limit)),
      held: (addresses, since) => reading((open) => Reads.held(open, addresses, since)),
      checkpoint: (address) => reading((open) => Reads.checkpoint(open, address)),
      prune: (pruning) =>
        owning((open) => {
          written = true;
          return Prune.prune(open, pruning);
        }),
      buildOf: (address) => reading((open) => Reads.buildOf(open, address)),
      pruneKeys: (before, limit) => owning((open) => Statements.pruneKeys(open, before, limit)),
    };
  });

export const layer = (options: SqliteOptions): Layer.Layer<Journal, JournalError> => Layer.scoped(Journal, make(options));
