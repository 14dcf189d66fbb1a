import { type Failure, failureOf } from "../domain/json.ts";
import type { RunOutcome, TaskReceipt, Usage } from "../domain/task.ts";
import type { Kinds } from "./kinds.ts";
import type { RunContext, TaskFunction } from "./task-function.ts";
import type { AttemptReport, Offer, Report, WorkerTransport } from "./worker-transport.ts";

/** What `ask` throws: the run is over, and the task parks. */
class Asked extends Error {
  readonly text: string;
  readonly data: unknown;
  constructor(text: string, data: unknown) {
    super(`the task parks with a question: ${text}`);
    this.text = text;
    this.data = data;
  }
}
/** What `end` throws: the run is over, with this outcome. */
class EndedAs extends Error {
  readonly outcome: RunOutcome;
  constructor(outcome: RunOutcome, message: string) {
    super(message);
    this.outcome = outcome;
  }
}

interface Running {
  readonly worker: string;
  readonly controller: AbortController;
}

const keyOf = ({ assignment, attempt }: { readonly assignment: string; readonly attempt: number }) => `${assignment} ${attempt}`;

/**
 * Functions of this process as workers. A function that is revoked hears it by its signal; by force, its end is told
 * at once and whatever it does afterwards is not heard.
 */
export const makeFunctionWorkers = (kinds: Kinds): WorkerTransport => {
  const running = new Map<string, Running>();
  const lives = new Map<string, number>();
  let report: Report | undefined;

  const stop = (worker: string) => {
    lives.delete(worker);
    for (const [key, run] of [...running]) {
      if (run.worker !== worker) continue;
      running.delete(key);
      run.controller.abort(new Error("its worker was stopped"));
    }
  };
  const begin = (offer: Offer, run: TaskFunction) => {
    const { assignment, attempt, incarnation } = offer;
    const key = keyOf(offer);
    const controller = new AbortController();
    running.set(key, { worker: offer.worker, controller });
    const isHeard = () => running.get(key)?.controller === controller;
    const tell = (said: { readonly type: AttemptReport["type"]; readonly [name: string]: unknown }) => {
      if (isHeard()) report?.(assignment, { ...said, attempt, incarnation } as AttemptReport);
    };
    let receipt: TaskReceipt | undefined;
    let criteriaMet: ReadonlyArray<string> = [];
    let usage: Partial<Usage> | undefined;
    const end = (outcome: RunOutcome, more: { readonly result?: unknown; readonly failure?: Failure }) => {
      tell({
        type: "ENDED",
        outcome,
        ...more,
        ...(receipt === undefined ? {} : { receipt }),
        ...(usage === undefined ? {} : { usage }),
        ...(criteriaMet.length === 0 ? {} : { criteriaMet }),
      });
      if (isHeard()) running.delete(key);
    };
    const context: RunContext = {
      task: offer.task,
      attempt,
      session: offer.session,
      question: offer.question,
      answer: offer.answer,
      needs: offer.needs,
      budget: offer.budget,
      folder: offer.folder,
      traceparent: offer.traceparent,
      heartbeat: () => tell({ type: "HEARTBEAT" }),
      progress: (progress) => tell({ type: "PROGRESS", progress }),
      usage: (said) => {
        usage = { ...usage, ...said };
        tell({ type: "USAGE", usage: said });
      },
      sessionIs: (session) => tell({ type: "SESSION", session }),
      receipt: (given) => {
        receipt = given;
      },
      criteriaMet: (...criteria) => {
        criteriaMet = [...criteriaMet, ...criteria];
      },
      ask: (text, data) => {
        throw new Asked(text, data);
      },
      end: (outcome, message) => {
        throw new EndedAs(outcome, message ?? `it ended with the outcome ${outcome}`);
      },
    };
    tell({ type: "ACCEPTED" });
    // Never before `offer` has returned: what it reports follows its acceptance.
    Promise.resolve()
      .then(() => run(offer.input, controller.signal, context))
      .then(
        (result) => end("ok", result === undefined ? {} : { result }),
        (error: unknown) => {
          if (error instanceof Asked) {
            tell({ type: "QUESTION", question: { text: error.text, ...(error.data === undefined ? {} : { data: error.data }) } });
            if (isHeard()) running.delete(key);
          } else if (error instanceof EndedAs) end(error.outcome, { failure: { name: "RunEnded", code: error.outcome, message: error.message } });
          else end("error", { failure: failureOf(error) });
        },
      );
  };

  return {
    attach: (to) => {
      report = to;
    },
    start: (worker, incarnation) => {
      if (report === undefined) return;
      stop(worker);
      lives.set(worker, incarnation);
      report(worker, { type: "READY", incarnation });
    },
    stop,
    offer: (offer) => {
      if (report === undefined || lives.get(offer.worker) !== offer.incarnation || running.has(keyOf(offer))) return;
      const run = kinds[offer.kind]?.run as TaskFunction | undefined;
      if (run === undefined) report(offer.assignment, { type: "DECLINED", attempt: offer.attempt, incarnation: offer.incarnation, reason: `no function carries out "${offer.kind}"` });
      else begin(offer, run);
    },
    revoke: ({ assignment, attempt, incarnation, force }) => {
      const key = keyOf({ assignment, attempt });
      const run = running.get(key);
      if (run === undefined) return;
      run.controller.abort(new Error("the task is not wanted any more, or takes too long"));
      if (!force) return;
      running.delete(key);
      report?.(assignment, { type: "ENDED", attempt, incarnation, outcome: "killed", failure: { name: "RunEnded", code: "killed", message: "it did not end when it was asked to" } });
    },
    endAll: async () => {
      report = undefined;
      for (const worker of [...lives.keys()]) stop(worker);
    },
  };
};
