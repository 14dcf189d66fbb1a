import * as Effect from "effect/Effect";

/**
 * Lets one operation in at a time; the others wait, and can be interrupted while they do. As a semaphore with one permit,
 * for 8 operations of Effect instead of 20, and the fiber is not set aside where nobody is inside: a turn of one event has
 * 43 in all.
 */
export const makeDoor = (): (<A, E>(operation: Effect.Effect<A, E>) => Effect.Effect<A, E>) => {
  const latch = Effect.unsafeMakeLatch(true);
  let isTaken = false;
  const leave = () => {
    isTaken = false;
    latch.unsafeOpen();
  };
  const enter = <A, E>(operation: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => {
        // Everybody who waits is woken; the first one is inside before the next one looks.
        if (isTaken) return Effect.zipRight(restore(latch.await), restore(enter(operation)));
        isTaken = true;
        latch.unsafeClose();
        return Effect.matchCauseEffect(restore(operation), {
          onFailure: (cause) => {
            leave();
            return Effect.failCause(cause);
          },
          onSuccess: (answer) => {
            leave();
            return Effect.succeed(answer);
          },
        });
      }),
    );
  return enter;
};
