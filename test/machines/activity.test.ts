import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ActivityContext, type ActivityEvent, type ActivityInput, activity, activityActions } from "../../machines/activity.ts";
import { type Actor, elapsed, type Stimulus } from "./actor.ts";
import { Chart } from "./chart.ts";
import { type Case, describeCoverage, describeTable, describeWalk, ignored, to } from "./table.ts";

const chart = new Chart(activity, activityActions, "order/1");
const at = Date.UTC(2030, 0, 1);
const input: ActivityInput = { address: "order/1/pay", machine: "order", src: "pay", at, retry: { attemptsMax: 2, backoff: { kind: "fixed", baseMs: 1_000 } }, interruptionsMax: 2 };
const limited: ActivityInput = { ...input, timeoutMs: 10_000 };
const watched: ActivityInput = { ...input, heartbeatTimeoutMs: 3_000 };
const both: ActivityInput = { ...watched, timeoutMs: 10_000 };
const once = <Some extends ActivityInput>(some: Some) => ({ ...some, retry: { attemptsMax: 1, backoff: { kind: "fixed", baseMs: 0 } } }) as const;

const succeeded = (attempt = 1) => ({ type: "SUCCEEDED", attempt, output: "paid" }) as const;
const failed = (attempt = 1) => ({ type: "FAILED", attempt, error: { name: "Error", message: "no" }, at: at + 500 }) as const;
const heartbeat = (attempt = 1, details: unknown = "half") => ({ type: "HEARTBEAT", attempt, details, at }) as const;
const interrupted = { type: "INTERRUPTED", at: at + 60_000 } as const;
const suspended = (attempt = 1) => ({ type: "SUSPENDED", attempt }) as const;
const resumed = { type: "RESUMED", at: at + 90_000 } as const;

const earlier = (event: ActivityEvent): Case => ignored("an earlier attempt's report comes too late", { ...event, attempt: 0 } as ActivityEvent);

/** An attempt is told the same in each of its three states; `state` is where it goes on after a crash. */
const running = (state: string, given: ActivityInput) => ({
  way: [],
  input: given,
  on: {
    SUCCEEDED: [to("succeeded", succeeded()), earlier(succeeded())],
    FAILED: [to("backingOff", failed()), to("failed", failed(), { input: once(given) }), earlier(failed())],
    HEARTBEAT: [to(state, heartbeat()), earlier(heartbeat())],
    INTERRUPTED: [to(state, interrupted), to("failed", interrupted, { way: [interrupted, interrupted] })],
    SUSPENDED: [to("suspended", suspended()), earlier(suspended())],
    RESUMED: ignored("it was not suspended: the process was faster", resumed),
  },
});
const aborted = "its attempt was given up, and its signal aborted";

describe("machines > activity", () => {
  describeTable<ActivityEvent>(chart, {
    input,
    samples: { SUCCEEDED: succeeded(), FAILED: failed(), HEARTBEAT: heartbeat(), INTERRUPTED: interrupted, SUSPENDED: suspended(), RESUMED: resumed },
    rows: {
      "running.unlimited": running("running.unlimited", input),
      "running.limited.unwatched": {
        ...running("running.limited.unwatched", limited),
        after: { attemptTimeout: [to("backingOff", elapsed("attemptTimeout")), to("failed", elapsed("attemptTimeout"), { input: once(limited) })] },
      },
      "running.limited.watched": {
        ...running("running.limited.watched", both),
        after: {
          attemptTimeout: to("backingOff", elapsed("attemptTimeout")),
          heartbeatTimeout: [to("backingOff", elapsed("heartbeatTimeout")), to("failed", elapsed("heartbeatTimeout"), { input: once(watched) })],
        },
      },
      suspended: {
        way: [suspended()],
        on: {
          SUCCEEDED: [to("succeeded", succeeded()), earlier(succeeded())],
          FAILED: ignored("that is how an aborted attempt ends; it begins again", failed()),
          HEARTBEAT: ignored("it is no sign of life any more", heartbeat()),
          INTERRUPTED: ignored("the process ended as it had announced", interrupted),
          SUSPENDED: ignored("it was told before", suspended()),
          RESUMED: to("running.unlimited", resumed),
        },
      },
      backingOff: {
        way: [failed()],
        on: {
          SUCCEEDED: [ignored(aborted, succeeded()), ignored(aborted, succeeded(), { input: limited, way: [elapsed("attemptTimeout")] })],
          FAILED: ignored(aborted, failed()),
          HEARTBEAT: ignored(aborted, heartbeat()),
          INTERRUPTED: ignored("no attempt was under way when the process ended", interrupted),
          SUSPENDED: ignored("there is nothing to suspend; its pause goes on while the engine is away", suspended()),
          RESUMED: ignored("there was nothing to suspend", resumed),
        },
        after: { backoff: to("running.unlimited", elapsed("backoff")) },
      },
      succeeded: { way: [succeeded()], over: "it is reported exactly once" },
      failed: { way: [failed()], input: once(input), over: "it is reported exactly once" },
    },
  });

  const told = (given: ActivityInput, ...stimuli: ReadonlyArray<Stimulus>): Actor => {
    const actor = chart.begin(given);
    for (const stimulus of stimuli) actor.tell(stimulus);
    return actor;
  };
  const contextOf = (given: ActivityInput, ...stimuli: ReadonlyArray<Stimulus>) => told(given, ...stimuli).context<ActivityContext>();
  const outputOf = (actor: Actor) => (actor.state.snapshot as { output: unknown }).output;

  describe("attempts", () => {
    test("each is counted and performed when it begins", () => {
      const actor = told(input, failed(), elapsed("backoff"));
      expect(actor.acts).toEqual(["perform", "perform"]);
      expect(actor.context<ActivityContext>()).toMatchObject({ attempt: 2, attemptAt: at + 500 + 1_000 });
      actor.tell(failed(2));
      expect(outputOf(actor)).toEqual({ result: "failed", error: { name: "Error", message: "no" } });
    });
    test("a success after a failure reports the success", () => {
      expect(outputOf(told(input, failed(), elapsed("backoff"), succeeded(2)))).toEqual({ result: "succeeded", output: "paid" });
    });
    test("a crash of the process costs no retry, a time-out does", () => {
      const crashed = told(both, interrupted, interrupted, { ...failed(3), at: at + 70_000 });
      expect(crashed.value).toBe("backingOff");
      expect(crashed.context<ActivityContext>()).toMatchObject({ attempt: 3, interruptions: 2, crashes: 2 });
      expect(told(both, elapsed("attemptTimeout"), elapsed("backoff"), elapsed("heartbeatTimeout")).value).toBe("failed");
    });
    test("the promise that ends every process is given up as the cause", () => {
      expect(outputOf(told(input, interrupted, interrupted, interrupted))).toMatchObject({ result: "failed", error: { code: "activity_interrupted", message: expect.stringContaining("3 times") } });
    });
    test("being suspended never counts as a crash", () => {
      const actor = told(input);
      for (let attempt = 1; attempt <= 10; attempt++) for (const event of [suspended(attempt), resumed]) actor.tell(event);
      expect(actor.value).toBe("running.unlimited");
      expect(actor.context<ActivityContext>()).toMatchObject({ attempt: 11, interruptions: 10, crashes: 0, attemptAt: resumed.at });
    });
    test("one that succeeded before it could be suspended is not begun again", () => {
      expect(outputOf(told(input, suspended(), succeeded()))).toEqual({ result: "succeeded", output: "paid" });
    });
    test("without a retry policy there is one", () => {
      const { retry: _, ...bare } = input;
      expect(told(bare, failed()).value).toBe("failed");
    });
  });

  describe("silence and time", () => {
    test.each([
      ["unlimited", input],
      ["limited", limited],
      ["watched", watched],
    ] as const)("the latest heartbeat's details are there for the next attempt (%s)", (_, given) => {
      expect(contextOf(given, heartbeat(1, { page: 3 }), { type: "HEARTBEAT", attempt: 1, at }, failed(), elapsed("backoff"))).toMatchObject({ attempt: 2, details: { page: 3 } });
    });
    test("each heartbeat puts the silence off, none puts the attempt's end off", () => {
      const actor = told(both);
      const dues = () => Object.fromEntries(Object.entries(actor.state.timers).map(([id, { due }]) => [id.split(".")[1], due - at]));
      expect(dues()).toEqual({ attemptTimeout: 10_000, heartbeatTimeout: 3_000 });
      actor.now = at + 2_000;
      actor.tell(heartbeat());
      expect(dues()).toEqual({ attemptTimeout: 10_000, heartbeatTimeout: 5_000 });
    });
    test("a time-out says what did not come in time", () => {
      expect(contextOf(limited, elapsed("attemptTimeout")).failure).toMatchObject({ code: "activity_timeout", message: "the attempt did not end within 10000 ms" });
      expect(contextOf(watched, elapsed("heartbeatTimeout")).failure).toMatchObject({ code: "activity_timeout", message: "no heartbeat came within 3000 ms" });
    });
  });

  const near = fc.constantFrom(0, 0, 0, 1);
  describeWalk<ActivityContext>(chart, {
    input: fc
      .record({ given: fc.constantFrom(input, limited, watched, both), attemptsMax: fc.integer({ min: 1, max: 5 }), interruptionsMax: fc.integer({ min: 1, max: 4 }) })
      .map(({ given, attemptsMax, interruptionsMax }) => ({
        ...given,
        interruptionsMax,
        retry: { attemptsMax, backoff: { kind: "exponential", baseMs: 100, capMs: 1_000 } },
      })),
    told: fc.oneof(
      {
        weight: 1,
        arbitrary: near.map(
          (behind) =>
            ({ attempt }: ActivityContext): ActivityEvent =>
              succeeded(attempt - behind),
        ),
      },
      {
        weight: 4,
        arbitrary: near.map(
          (behind) =>
            ({ attempt }: ActivityContext): ActivityEvent =>
              failed(attempt - behind),
        ),
      },
      {
        weight: 2,
        arbitrary: near.map(
          (behind) =>
            ({ attempt }: ActivityContext): ActivityEvent =>
              heartbeat(attempt - behind),
        ),
      },
      { weight: 2, arbitrary: fc.constant(({ attempt }: ActivityContext): ActivityEvent => suspended(attempt)) },
      {
        weight: 4,
        arbitrary: fc.constantFrom<() => ActivityEvent>(
          () => interrupted,
          () => resumed,
          () => resumed,
        ),
      },
    ),
    invariants: {
      "interruptions < attempt while running": ({ context, state }) => !state.startsWith("running") || context.interruptions < context.attempt,
      "crashes are interruptions, and bounded": ({ context }) => context.crashes <= context.interruptions && context.crashes <= context.interruptionsMax,
      "attempts that cost a retry stay within the budget": ({ context }) => context.attempt - context.interruptions <= context.retry.attemptsMax,
      "every attempt is performed once": ({ actor, context }) => actor.acts.length === context.attempt,
      "it waits only within its budget": ({ context, state }) => state !== "backingOff" || context.delayMs !== null,
      "it is reported with an output or an error": ({ actor, state }) => {
        const output = outputOf(actor) as { result?: string; error?: unknown } | undefined;
        return state === "succeeded" ? output?.result === "succeeded" : state === "failed" ? output?.error !== undefined : output === undefined;
      },
    },
  });

  describeCoverage(chart);
});
