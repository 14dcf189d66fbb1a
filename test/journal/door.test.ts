import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import { describe, expect, it } from "vitest";
import { makeDoor } from "../../src/journal/door.ts";

/** Lets what can run do so. */
const pass = Effect.forEach(Array.from({ length: 10 }), () => Effect.yieldNow(), { discard: true });

describe("journal > door", () => {
  it("lets one operation in at a time, and answers each with its own result", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const alone = makeDoor();
        let inside = 0;
        const operation = (n: number) =>
          Effect.gen(function* () {
            expect(++inside).toBe(1);
            if (n % 3 === 0) yield* pass;
            inside--;
            return n % 5 === 0 ? yield* Effect.fail(n) : n;
          });
        const answers = yield* Effect.forEach(
          Array.from({ length: 50 }, (_, n) => n),
          (n) => Effect.either(alone(operation(n))),
          { concurrency: "unbounded" },
        );
        for (const [n, answer] of answers.entries()) expect(answer).toMatchObject(n % 5 === 0 ? { left: n } : { right: n });
      }),
    ));

  it("is free again after a failure, a defect and an interruption inside, and after one of somebody who waited", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const alone = makeDoor();
        expect(Exit.isFailure(yield* Effect.exit(alone(Effect.fail("no"))))).toBe(true);
        expect(Exit.isFailure(yield* Effect.exit(alone(Effect.die("never"))))).toBe(true);
        const end = yield* Deferred.make<void>();
        const first = yield* Effect.fork(alone(Deferred.await(end)));
        yield* pass;
        const waiting = yield* Effect.fork(alone(Effect.succeed("waited in vain")));
        yield* pass;
        expect(Exit.isInterrupted(yield* Fiber.interrupt(waiting))).toBe(true);
        expect(Exit.isInterrupted(yield* Fiber.interrupt(first))).toBe(true);
        expect(yield* alone(Effect.succeed("inside"))).toBe("inside");
        // Interrupted before it has begun: it may not be inside without leaving.
        const late = yield* Effect.fork(alone(Effect.void));
        yield* Fiber.interrupt(late);
        expect(yield* alone(Effect.succeed("inside"))).toBe("inside");
      }),
    ));
});
