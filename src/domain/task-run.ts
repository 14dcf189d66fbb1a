import type { Failure } from "./json.ts";
import { backoffMs, nextDelayMs } from "./retry.ts";
import { addUsage, afterSuccess, isRetried, noUsage, type Order, type Question, type Run } from "./task.ts";
import type { TaskContext } from "./task-life.ts";

export const taskFailure = (code: string, message: string): Failure => ({ name: "TaskFailed", code, message });
export const because = (event: unknown): string => (event as Partial<Order>).why ?? "no reason was given";
export const ranInto =
  (...outcomes: ReadonlyArray<Run["outcome"]>) =>
  ({ context }: { context: TaskContext }): boolean =>
    context.run !== null && outcomes.includes(context.run.outcome);
export const succeededTo = ({ spec, run, receipt }: TaskContext) => (run?.outcome === "succeeded" ? afterSuccess(spec.verification, receipt) : undefined);
/** So often in a row it is offered again at once; after that with pauses, so that workers which decline all are not asked all the time. */
export const refusalsAtOnceMax = 3;
const refusalBackoff = { kind: "exponential", baseMs: 100, capMs: 30_000 } as const;
export const mayBeBegunAgain = ({ spec, run, delayMs }: TaskContext): boolean =>
  run !== null && (run.outcome === "failed" || run.outcome === "timedOut" ? isRetried(spec.retry, run as Run) && delayMs !== null : run.outcome !== "succeeded");
const expiryCodes: Readonly<Record<string, string>> = { queue: "queue_timeout", deadline: "deadline_exceeded" };
export const expiry = (event: unknown): Failure => taskFailure(expiryCodes[(event as Partial<Order>).by ?? ""] ?? "expired", because(event));
/** The pause before another attempt; null where the budget has none. */
export const pauseAfter = ({ spec }: TaskContext, failures: number): number | null => nextDelayMs(spec.retry, { attempt: failures, firstAt: 0, now: 0, seed: spec.id }) ?? null;

/** What a task knows once a run is over. */
export const afterRun = (context: TaskContext, run: Run): Partial<TaskContext> => {
  const { outcome, reported } = run;
  const used = addUsage(context.used, { ...context.using, ...run.usage });
  const common = { run: { outcome, reported }, refusals: 0, used, using: noUsage, receipt: run.receipt, criteriaMet: run.criteriaMet, result: run.result ?? null };
  // Why it was withdrawn says more than that it was.
  const failure = context.intent === null || context.intent === "pause" ? run.failure : context.failure;
  switch (outcome) {
    case "succeeded": {
      const to = afterSuccess(context.spec.verification, run.receipt);
      const question: Question | null =
        to === "parked"
          ? { id: String(context.assignments), about: "blocked", text: run.receipt?.summary ?? "", ...(run.receipt?.blockers === undefined ? {} : { data: run.receipt.blockers }) }
          : null;
      return { ...common, question, answer: null, failure: to === "failed" ? taskFailure("failed", run.receipt?.summary || "its receipt says that it failed") : to === "done" ? null : failure };
    }
    case "asked":
      return { ...common, question: run.question, answer: null, failure };
    case "failed":
    case "timedOut": {
      // The session that it was to go on with is not there: it begins from its input, which is no failure of its own.
      if (reported === "resumeUnavailable" && context.session !== null) return { ...common, run: { outcome: "interrupted" as const, reported }, session: null, failure };
      if (context.intent === "cancel") return { ...common, failure };
      const failures = context.failures + 1;
      const delayMs = pauseAfter(context, failures);
      return { ...common, session: null, failures, delayMs, failure: failure ?? taskFailure("failed", "the attempt failed without a reason") };
    }
    case "lost":
      return { ...common, failure, losses: context.intent === "cancel" ? context.losses : context.losses + 1, result: context.result };
    case "cancelled":
      return { ...common, failure: context.intent === null ? taskFailure("cancelled", "its assignment was cancelled") : failure };
    case "notAccepted": {
      // A worker that is lost is given its own pause; one that declines is there, and may be asked again at once.
      const refusals = run.failure?.code === "declined" ? context.refusals + 1 : 0;
      return { ...common, refusals, delayMs: backoffMs(refusalBackoff, Math.max(1, refusals - refusalsAtOnceMax)), failure, result: context.result };
    }
    default:
      return { ...common, failure, result: context.result };
  }
};
