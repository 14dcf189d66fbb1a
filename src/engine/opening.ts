import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import { failureOf } from "../domain/json.ts";
import type { ActorToStart, Engine } from "./engine.ts";
import { EngineClosed, UnknownActor } from "./errors.ts";
import type { Doors } from "./plugin.ts";

/** A call of an actor that its plugin begins at the opening. Where the store refused that until now, it is begun first. */
export const begun = <A, E>(engine: Engine, actor: ActorToStart | undefined, call: Effect.Effect<A, E | UnknownActor>) =>
  Effect.catchIf(
    call,
    (error): error is UnknownActor => actor !== undefined && error instanceof UnknownActor,
    () => Effect.zipRight(engine.startAll(actor === undefined ? [] : [actor]), call),
  );

/** What a plugin could not do because the store refused is tried again after so many milliseconds. */
export const pluginRetryMs = 1_000;

/**
 * What a plugin does when its engine is open: until it has worked, or the engine is closed. `what`: "the outboxes", say.
 * `done` is called then. Ends after the first try: while the store refuses, nobody waits for the next ones.
 */
export const whenOpened = (what: string, { time, log }: Doors, opening: Effect.Effect<unknown, unknown>, done: () => void = () => {}): Effect.Effect<void> => {
  const attempt: Effect.Effect<void> = Effect.map(Effect.exit(opening), (exit) => {
    if (exit._tag === "Success") return done();
    const error = Cause.squash(exit.cause);
    const isOver = error instanceof EngineClosed;
    log({ level: "error", message: `${what} could not be opened${isOver ? "" : "; it is tried again"}`, data: failureOf(error) });
    if (isOver) done();
    else time.wakeAt(time.now() + pluginRetryMs, () => Effect.runFork(attempt));
  });
  return attempt;
};
