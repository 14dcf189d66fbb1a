import * as Effect from "effect/Effect";
import { type Journal, JournalError, JournalFenced } from "../../src/journal/index.ts";
import type { SimProcess } from "./process.ts";
import type { World } from "./world.ts";

type Failed = JournalFenced | JournalError;

const failure = (detail: string, reason: "failed" | "full" = "failed") => new JournalError({ reason, where: "the simulated store", detail });
const gone = new JournalFenced({ where: "the simulated store", epoch: 0, current: 0 });

/**
 * The store as one process sees it: it fails, delays, is away, reports what is not so; and when the process is dead, no
 * call ever comes back.
 */
export const diskOf = (world: World, process: SimProcess, base: Journal): Journal => {
  const hung = Effect.async<never, Failed>((resume) => process.hang(() => resume(Effect.fail(gone))));
  const wait = (ms: number) =>
    Effect.async<void, Failed>((resume) => {
      process.hang(() => resume(Effect.fail(gone)));
      world.later(process, ms, () => resume(Effect.void));
    });
  /** Nothing comes back to a dead process. */
  const mortal = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E | Failed> =>
    Effect.suspend((): Effect.Effect<A, E | Failed> => {
      if (process.dead) return hung;
      return Effect.matchEffect(effect, {
        onSuccess: (answer): Effect.Effect<A, E | Failed> => (process.dead ? hung : Effect.succeed(answer)),
        onFailure: (error): Effect.Effect<A, E | Failed> => (process.dead ? hung : Effect.fail(error)),
      });
    });
  const reach = <A, E>(effect: Effect.Effect<A, E>, fault: "readFailed" | "renewFailed"): Effect.Effect<A, never> =>
    mortal(
      Effect.suspend((): Effect.Effect<A, E | Failed> => {
        if (world.isStoreGone) {
          if (process.doubt !== undefined) process.doubtStayed = true;
          return Effect.fail(failure("it can't be reached"));
        }
        return world.fault(fault) ? Effect.fail(failure(`a simulated fault: ${fault}`)) : effect;
      }),
    ) as Effect.Effect<A, never>;
  const fenced = (error: unknown) => {
    if (!(error instanceof JournalFenced) || process.dead) return;
    world.mark("stale epoch refused");
    if (process.wasPaused) world.mark("paused owner woke up and was fenced");
  };

  const store = (turn: Parameters<Journal["commit"]>[0]) =>
    Effect.suspend((): Effect.Effect<void, Failed> => {
      if (process.dead) return hung;
      return base.commit(turn).pipe(
        Effect.tapError((error) =>
          Effect.sync(() => {
            fenced(error);
            if (error instanceof JournalError) world.checker.violate("I1", `${process.name}: the store refused a turn: ${error.message}`);
          }),
        ),
        Effect.flatMap((): Effect.Effect<void, Failed> => {
          world.stored(process, turn);
          if (world.fault("crashAfterCommit")) {
            if (process.unanswered > 0) world.mark("crash between commit and receipt");
            world.crash(process, "after a commit");
            return hung;
          }
          if (world.fault("commitLied")) {
            process.doubt = "stored";
            if (world.source.chance("goneToo", 0.3)) world.loseStore();
            return Effect.fail(failure("the answer to a commit was lost"));
          }
          return world.fault("answerSlow") ? wait(world.source.whole("answerMs", 1, 4_000)) : Effect.void;
        }),
      );
    });

  const reads = Object.fromEntries(
    Object.entries(base).map(([name, member]) => [
      name,
      typeof member === "function"
        ? (...args: ReadonlyArray<never>) => reach((member as (...args: ReadonlyArray<never>) => Effect.Effect<unknown, unknown>)(...args), "readFailed")
        : reach(member as Effect.Effect<unknown, unknown>, "readFailed"),
    ]),
  ) as unknown as Journal;
  return {
    ...reads,
    open: (info) =>
      mortal(
        Effect.suspend(() => base.open({ ...info, pid: process.pid, host: process.host.name, isAlive: (pid) => world.isAlive(pid) })).pipe(
          Effect.tap((opened) => Effect.sync(() => world.claimed(process, opened))),
        ),
      ) as never,
    reopen: reach(base.reopen, "readFailed").pipe(
      Effect.tap(() =>
        Effect.sync(() => {
          if (process.doubt === undefined) return;
          world.mark(process.doubt === "stored" ? "unknown commit turned out committed" : "unknown commit turned out lost");
          if (process.doubtStayed) world.mark("outcome stayed unknown until the store came back");
          process.doubt = undefined;
          process.doubtStayed = false;
        }),
      ),
    ),
    renew: (now) => Effect.tapError(reach(base.renew(now), "renewFailed"), (error) => Effect.sync(() => fenced(error))),
    release: mortal(base.release) as never,
    commit: (turn) =>
      mortal(
        Effect.suspend((): Effect.Effect<void, Failed> => {
          if (world.isStoreGone) return Effect.fail(failure("it can't be reached"));
          if (world.isStoreFull) {
            world.mark("full disk refused a turn");
            return Effect.fail(failure("no space is left", "full"));
          }
          if (world.fault("crashBeforeCommit")) {
            world.crash(process, "before a commit");
            return hung;
          }
          if (world.fault("commitRefused")) {
            process.doubt = "lost";
            if (world.source.chance("goneToo", 0.3)) world.loseStore();
            return Effect.fail(failure("a commit failed"));
          }
          return world.fault("commitSlow") ? Effect.zipRight(wait(world.source.whole("commitMs", 1, 4_000)), store(turn)) : store(turn);
        }),
      ) as never,
  };
};
