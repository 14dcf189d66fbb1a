import type { LiveContext } from "../../machines/live.ts";
import { type Address, systemAddress } from "../domain/address.ts";
import type { Event } from "../domain/event.ts";
import { failureOf } from "../domain/json.ts";
import type { Limits } from "../domain/limits.ts";
import { EngineBusy } from "./errors.ts";
import { failpoint } from "./failpoint.ts";
import { admit, admitEvent } from "./intake.ts";
import { invokedSource, type Registry } from "./registry.ts";
import type { Resident } from "./resident.ts";

interface Observer {
  readonly next: (value: unknown) => void;
  readonly error: (error: unknown) => void;
  readonly complete: () => void;
}

/** What is common to the logic that `fromCallback`, `fromObservable` and `fromEventObservable` make. */
interface LiveLogic {
  readonly config: (args: {
    readonly input: unknown;
    readonly self: unknown;
    readonly system: unknown;
    readonly emit: (event: unknown) => void;
    readonly sendBack: (event: unknown) => void;
    readonly receive: (listener: (event: Event) => void) => void;
  }) => unknown;
}

/** One run of the code of a live actor. */
interface Run {
  /** The row id of the actor. */
  readonly incarnation: number;
  readonly number: number;
  readonly listeners: Set<(event: Event) => void>;
  /** What it was told before it listened. */
  untold: Array<Event>;
  end: () => void;
}

export interface LivePool {
  /** Compares what runs with what the stored state says should run. Called after every commit that touched the actor. */
  readonly follow: (actor: Resident) => void;
  /** Tells the running code what its actor was sent. */
  readonly handOver: (actor: Resident, event: Event) => void;
  readonly running: () => number;
  /** Tells every run, and each that would begin from now on, that the engine closes: it ends once that is stored. */
  readonly suspendAll: () => void;
  readonly endAll: () => void;
}

export interface LivePoolOptions {
  readonly limits: Limits;
  readonly registry: Registry;
  readonly now: () => number;
  /** Envelopes that wait for a turn. */
  readonly waiting: () => number;
  readonly post: (to: Address, event: Event, incarnation?: number) => void;
  /** No registered machine has its code. */
  readonly onAbsent: (address: Address, context: LiveContext) => void;
  /** A clean-up threw, or an observer that nobody could tell. */
  /** A limit refused something. */
  readonly reached: (limit: keyof Limits) => void;
  readonly onError: (address: Address, error: unknown) => void;
}

/** The running callbacks and observables of one engine. Holds no decision: those stand in `machines/live.ts`. */
export const makeLivePool = ({ limits, registry, now, waiting, reached, post, onAbsent, onError }: LivePoolOptions): LivePool => {
  const runs = new Map<Address, Run>();
  /** Runs that have ended here, until their end is stored: what touches their actor before must not begin them again. */
  const ended = new Map<Address, { readonly incarnation: number; readonly number: number }>();
  let isClosing = false;

  const begin = (address: Address, incarnation: number, context: LiveContext, logic: LiveLogic) => {
    const run: Run = { incarnation, number: context.run, listeners: new Set(), untold: [], end: () => {} };
    const isCurrent = () => runs.get(address) === run;
    const say = (event: { readonly type: string; readonly [key: string]: unknown }) => {
      if (!isCurrent()) return;
      // The host is refused here too; whoever runs in this process can wait as well.
      if (waiting() >= limits.intakeMax) {
        reached("intakeMax");
        throw new EngineBusy({ limit: "intakeMax", waiting: waiting(), waitingMax: limits.intakeMax });
      }
      post(address, { ...event, run: run.number } as Event, incarnation);
    };
    const fail = (error: unknown) => {
      if (!isCurrent()) return;
      forget(address, run);
      post(address, { type: "taskwright.live.failed", run: run.number, error: failureOf(error) as never, at: now() }, incarnation);
      end(address, run);
    };
    const complete = () => {
      if (!isCurrent()) return;
      forget(address, run);
      post(address, { type: "taskwright.live.ended", run: run.number }, incarnation);
    };
    const sendBack = (event: unknown) => say({ type: "taskwright.live.sent", event: admitEvent(address, event, limits).value });
    const observer: Observer = {
      next: (value) => {
        try {
          if (context.kind === "eventObservable") sendBack(value);
          else say({ type: "taskwright.live.value", ...(value === undefined ? {} : { value: admit(address, value, limits).value }) });
        } catch (error) {
          fail(error);
        }
      },
      error: fail,
      complete,
    };
    const reference = (to: Address, only?: number) => ({
      id: to,
      address: to,
      sessionId: to,
      send: (event: unknown) => post(to, admitEvent(to, event, limits).value, only),
      getSnapshot: () => undefined,
    });
    const args = {
      input: context.input,
      self: reference(address, incarnation),
      system: { get: (systemId: string) => reference(systemAddress(address, systemId)) },
      emit: (event: unknown) => say({ type: "taskwright.live.emitted", event: admitEvent(address, event, limits).value }),
      sendBack,
      receive: (listener: (event: Event) => void) => {
        run.listeners.add(listener);
        const untold = run.untold;
        run.untold = [];
        for (const event of untold) listener(event);
      },
    };
    runs.set(address, run);
    failpoint("activity.started");
    try {
      const made = logic.config(args);
      if (context.kind === "callback") follow(made, run, fail);
      else run.end = subscribe(made, observer);
    } catch (error) {
      fail(error);
    }
    // It may have ended while it began.
    if (!isCurrent()) end(address, run);
  };

  const forget = (address: Address, { incarnation, number }: Run) => {
    runs.delete(address);
    ended.set(address, { incarnation, number });
  };
  const end = (address: Address, run: Run) => {
    const { end } = run;
    run.end = () => {};
    run.listeners.clear();
    try {
      end();
    } catch (error) {
      onError(address, error);
    }
  };
  const stop = (address: Address) => {
    const run = runs.get(address);
    if (run === undefined) return;
    runs.delete(address);
    end(address, run);
  };

  return {
    follow: (actor) => {
      const { address, id } = actor;
      const { snapshot } = actor.state;
      const context = snapshot.context as LiveContext;
      const run = runs.get(address);
      const shouldRun = snapshot.status === "active" && snapshot.value === "running";
      // An earlier incarnation has nothing to say about the run of a later one.
      if (run !== undefined && run.incarnation > id) return;
      if (run !== undefined && shouldRun && run.number === context.run && run.incarnation === id) return;
      stop(address);
      const over = ended.get(address);
      const isOver = over?.incarnation === id && over.number === context.run;
      if (over !== undefined && over.incarnation <= id && !(isOver && shouldRun)) ended.delete(address);
      if (!shouldRun || isOver) return;
      if (isClosing) return post(address, { type: "taskwright.live.suspended", run: context.run }, id);
      const source = invokedSource(registry, context);
      if (source === undefined) return onAbsent(address, context);
      if (source.kind !== context.kind) {
        const error = { name: "UnknownActorLogic", message: `the machine "${context.machine}" has a ${source.kind} actor "${context.src}" where it had a ${context.kind} actor` };
        return post(address, { type: "taskwright.live.failed", run: context.run, error, at: now() }, id);
      }
      begin(address, id, context, source.logic as unknown as LiveLogic);
    },
    handOver: (actor, event) => {
      const run = runs.get(actor.address);
      if (run === undefined || run.incarnation !== actor.id) return;
      if (run.listeners.size === 0) {
        // A callback may begin to listen later; one that never does must not fill the memory.
        if (run.untold.length < untoldMax) run.untold.push(event);
        return;
      }
      for (const listener of run.listeners) {
        try {
          listener(event);
        } catch (error) {
          if (runs.get(actor.address) !== run) return;
          forget(actor.address, run);
          post(actor.address, { type: "taskwright.live.failed", run: run.number, error: failureOf(error) as never, at: now() }, run.incarnation);
          end(actor.address, run);
          return;
        }
      }
    },
    running: () => runs.size,
    suspendAll: () => {
      isClosing = true;
      for (const [address, { number, incarnation }] of runs) post(address, { type: "taskwright.live.suspended", run: number }, incarnation);
    },
    endAll: () => {
      isClosing = true;
      for (const address of [...runs.keys()]) stop(address);
    },
  };
};

/** Events that a callback is told before it listens; those beyond it reach nobody. */
const untoldMax = 1_000;

/** A callback answers with its clean-up, or with nothing. An async one answers with a promise, whose failure is its own. */
const follow = (made: unknown, run: Run, fail: (error: unknown) => void): void => {
  if (typeof made === "function") run.end = made as () => void;
  else if (typeof made === "object" && made !== null && typeof (made as { then?: unknown }).then === "function") {
    (made as PromiseLike<unknown>).then((later) => {
      if (typeof later === "function") run.end = later as () => void;
    }, fail);
  }
};

const subscribe = (made: unknown, observer: Observer): (() => void) => {
  const subscribable = made as { readonly subscribe?: (observer: Observer) => unknown } | null | undefined;
  if (typeof subscribable?.subscribe !== "function") throw new Error("the function given to fromObservable() returned nothing that can be subscribed to");
  const subscription = subscribable.subscribe(observer) as { readonly unsubscribe?: () => void } | undefined;
  return () => subscription?.unsubscribe?.();
};
