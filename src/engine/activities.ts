import { AsyncLocalStorage } from "node:async_hooks";
import * as Effect from "effect/Effect";
import type { ActivityContext } from "../../machines/activity.ts";
import type { Address } from "../domain/address.ts";
import type { Event } from "../domain/event.ts";
import { failureOf } from "../domain/json.ts";
import { admit } from "./intake.ts";
import { failpoint } from "./failpoint.ts";
import type { Fibers } from "./fibers.ts";
import { invokedSource, type Registry } from "./registry.ts";
import { effectKeyOf, type Resident } from "./resident.ts";
import type { Limits } from "../domain/limits.ts";

/** What the promise of an activity can ask about itself while it runs. */
export interface ActivityInfo {
  readonly address: Address;
  /**
   * Its idempotency key: 43 characters. The same for all its attempts; another one for each other activity, also when
   * its state is entered again.
   */
  readonly key: string;
  /** Counted from 1; interruptions of the process count too. With the key it names one attempt. */
  readonly attempt: number;
  /** What the last heartbeat of an earlier attempt said. */
  readonly details: unknown;
  /** Says that the attempt is alive; `details` are there for the next attempt. */
  readonly heartbeat: (details?: unknown) => void;
  /** Aborted when the actor leaves the state, the attempt times out, or the engine closes. */
  readonly signal: AbortSignal;
  /** The span of this attempt as W3C Trace Context writes it, where the engine is traced: hand it to whom the code calls. */
  readonly traceparent?: string;
}

/** The span of one attempt, for the code that carries it out. */
export interface AttemptTrace {
  readonly traceparent: string;
  /** The same effect; its spans are children of the attempt's. */
  readonly within: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>;
}

/** Says under which span an attempt runs, before its code is called. */
export type TraceAttempt = (address: Address, context: ActivityContext) => AttemptTrace;

const running = new AsyncLocalStorage<{ readonly info: ActivityInfo; readonly fibers: Fibers }>();

/** Inside an activity: its address, attempt, signal and heartbeat. Elsewhere: nothing. */
export const currentActivity = (): ActivityInfo | undefined => running.getStore()?.info;

/** Inside an activity: what runs its effects. */
export const currentFibers = (): Fibers | undefined => running.getStore()?.fibers;

type PromiseLogic = {
  readonly config: (args: { readonly input: unknown; readonly signal: AbortSignal; readonly self: unknown; readonly system: unknown; readonly emit: (event: unknown) => void }) => unknown;
};

interface Job {
  /** The row id of the activity's actor. */
  readonly incarnation: number;
  readonly attempt: number;
  readonly controller: AbortController;
}

export interface ActivityPool {
  /** Compares what runs with what the stored state says should run. Called after every commit that touched the actor. */
  readonly follow: (actor: Resident) => void;
  readonly isRunning: (address: Address, attempt: number) => boolean;
  readonly running: () => number;
  /** Tells every running activity that the engine closes: it is aborted once that is stored. */
  readonly suspendAll: () => void;
  readonly abortAll: (reason: string) => void;
  /** Attempts that begin from now on run under these spans. Returns how to stop. */
  readonly trace: (trace: TraceAttempt) => () => void;
}

/** The running promises of one engine. Holds no decision: those stand in `machines/activity.ts`. */
export const makeActivityPool = (
  limits: Limits,
  registry: Registry,
  now: () => number,
  post: (to: Address, event: Event, incarnation: number) => void,
  fibers: Fibers,
  /** No registered machine has the promise. */
  absent: (address: Address, context: ActivityContext) => void,
): ActivityPool => {
  let traced: TraceAttempt | undefined;
  const jobs = new Map<Address, Job>();
  /** Attempts beyond the limit, oldest first. One that was given up meanwhile is skipped. */
  const waiting = new Map<Address, { readonly incarnation: number; readonly attempt: number; readonly go: () => void }>();
  /** Attempts that have ended here, until their end is stored: what touches their actor before must not begin them again. */
  const ended = new Map<Address, { readonly incarnation: number; readonly attempt: number }>();
  const beginNext = () => {
    const [next] = waiting;
    if (next === undefined) return;
    waiting.delete(next[0]);
    next[1].go();
  };

  const begin = (actor: Resident, context: ActivityContext, logic: PromiseLogic) => {
    const { address, id: incarnation } = actor;
    const controller = new AbortController();
    const job: Job = { incarnation, attempt: context.attempt, controller };
    const { attempt } = context;
    const isCurrent = () => jobs.get(address) === job;
    const end = (event: Event) => {
      if (!isCurrent()) return;
      jobs.delete(address);
      ended.set(address, { incarnation, attempt });
      failpoint("activity.ended");
      post(address, event, incarnation);
      beginNext();
    };
    const fail = (error: unknown) => end({ type: "FAILED", attempt, error: failureOf(error), at: now() });
    const trace = traced?.(address, context);
    const info: ActivityInfo = {
      address,
      get key() {
        return effectKeyOf(actor);
      },
      attempt,
      details: context.details,
      signal: controller.signal,
      ...(trace === undefined ? {} : { traceparent: trace.traceparent }),
      heartbeat: (details) => {
        if (!isCurrent()) return;
        const said = details === undefined ? {} : { details: admit(address, details, limits).value };
        post(address, { type: "HEARTBEAT", attempt, at: now(), ...said }, incarnation);
      },
    };
    jobs.set(address, job);
    failpoint("activity.started");
    const self = { id: address, address, sessionId: address };
    const code = () => logic.config({ input: context.input, signal: controller.signal, self, system: undefined, emit: () => {} });
    new Promise((resolve) => resolve(trace === undefined ? running.run({ info, fibers }, code) : running.run({ info, fibers: under(trace, fibers) }, () => calledUnder(trace, code)))).then(
      (output) => {
        try {
          end({ type: "SUCCEEDED", attempt, ...(output === undefined ? {} : { output: admit(address, output, limits).value }) });
        } catch (error) {
          fail(error);
        }
      },
      fail,
    );
  };

  const abort = (address: Address, reason: string) => {
    const job = jobs.get(address);
    if (job === undefined) return;
    jobs.delete(address);
    job.controller.abort(new Error(reason));
    beginNext();
  };

  return {
    follow: (actor) => {
      const { snapshot } = actor.state;
      const context = snapshot.context as ActivityContext;
      const job = jobs.get(actor.address);
      const shouldRun = snapshot.status === "active" && typeof snapshot.value === "object" && "running" in snapshot.value;
      // An earlier incarnation has nothing to say about the job of a later one, nor has one that ended about any but its own.
      const current = job?.incarnation ?? waiting.get(actor.address)?.incarnation ?? actor.id;
      if (current > actor.id || (current !== actor.id && !shouldRun)) return;
      if (job !== undefined && (!shouldRun || job.attempt !== context.attempt || job.incarnation !== actor.id)) abort(actor.address, "the attempt is over");
      const queued = waiting.get(actor.address);
      if (queued !== undefined && (!shouldRun || queued.attempt !== context.attempt || queued.incarnation !== actor.id)) waiting.delete(actor.address);
      const over = ended.get(actor.address);
      const isOver = over?.incarnation === actor.id && over.attempt === context.attempt;
      if (over !== undefined && over.incarnation <= actor.id && !(isOver && shouldRun)) ended.delete(actor.address);
      if (!shouldRun || isOver || jobs.get(actor.address)?.attempt === context.attempt || waiting.has(actor.address)) return;
      const source = invokedSource(registry, context);
      if (source?.kind !== "promise") return absent(actor.address, context);
      const logic = source.logic as unknown as PromiseLogic;
      const go = () => begin(actor, context, logic);
      if (jobs.size < limits.activitiesMax) go();
      else waiting.set(actor.address, { incarnation: actor.id, attempt: context.attempt, go });
    },
    isRunning: (address, attempt) => jobs.get(address)?.attempt === attempt,
    running: () => jobs.size + waiting.size,
    trace: (trace) => {
      traced = trace;
      return () => {
        if (traced === trace) traced = undefined;
      };
    },
    suspendAll: () => {
      for (const [address, { attempt, incarnation }] of [...jobs, ...waiting]) post(address, { type: "SUSPENDED", attempt }, incarnation);
    },
    abortAll: (reason) => {
      waiting.clear();
      for (const address of [...jobs.keys()]) abort(address, reason);
    },
  };
};

const under = ({ within }: AttemptTrace, { run }: Fibers): Fibers => ({ run: (effect, onExit) => run(within(effect), onExit) });

/** Calls the code of a promise from an effect under the span, so that the tracer makes it the current one for what it calls. */
const calledUnder = <A>({ within }: AttemptTrace, code: () => A): A => {
  let call: () => A = code;
  Effect.runSync(
    within(
      Effect.sync(() => {
        try {
          const value = code();
          call = () => value;
        } catch (error) {
          call = () => {
            throw error;
          };
        }
      }),
    ),
  );
  return call();
};
