import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import { orchestrator as orchestratorMachine, type OrchestratorContext } from "../../machines/orchestrator.ts";
import type { Dispatcher, Submitted, TaskPage, TaskSpec, TaskState, TaskView } from "../dispatch/index.ts";
import { endedStates } from "../dispatch/index.ts";
import { type Address, rootAddress } from "../domain/address.ts";
import { failureOf } from "../domain/json.ts";
import type { Order } from "../domain/task.ts";
import { type Doors, type Engine, EngineClosed, type Follower } from "../engine/index.ts";

/** What orchestration needs of a dispatcher. */
export type SupervisionDesk = Pick<Dispatcher, "submit" | "get" | "list" | "observe" | "cancel" | "queues">;

/**
 * Tells orchestrators what becomes of their tasks. It holds no truth: what it has told is compared with the tasks
 * whenever a dispatcher is attached, so that nothing that happened meanwhile is missed.
 */
export interface Supervision {
  readonly follower: (doors: Doors) => Follower;
  readonly opened: (engine: Engine) => void;
  readonly attach: (desk: SupervisionDesk, runningMax: number) => Promise<void>;
  readonly submit: (specs: ReadonlyArray<TaskSpec>) => Effect.Effect<ReadonlyArray<Submitted>, Error>;
  readonly cancel: (tasks: ReadonlyArray<string>, order: Order) => Effect.Effect<void, Error>;
  /** Tells where these tasks stand now. */
  readonly look: (tasks: ReadonlyArray<string>) => Effect.Effect<void, Error>;
}

const addressOf = (id: string): Address => rootAddress(orchestratorMachine.id, id);
const hasEnded = (state: TaskState): boolean => endedStates.has(state);
const live: ReadonlyArray<TaskState> = ["waiting", "queued", "assigned", "running", "parked", "verifying", "backingOff", "paused"];

export const makeSupervision = (queue: string): Supervision => {
  let doors: Doors | undefined;
  let engine: Engine | undefined;
  let desk: SupervisionDesk | undefined;
  let forget = () => {};

  const report = (address: Address, event: { readonly type: string; readonly [key: string]: unknown }) => doors?.report(address, event);
  const orchestratorOf = ({ spec }: TaskView): string | undefined => {
    const id = spec.queue === queue ? spec.attributes?.orchestrator : undefined;
    return typeof id === "string" ? id : undefined;
  };
  const tell = (view: TaskView) => {
    const id = orchestratorOf(view);
    if (id === undefined) return;
    const { id: task, state, at, failure } = view;
    report(addressOf(id), { type: "TASK_MOVED", task, state, at, ...(failure === undefined ? {} : { failure: { code: failure.code ?? failure.name, message: failure.message } }) });
  };
  const call = <A>(use: (desk: SupervisionDesk) => Promise<A>): Effect.Effect<A, Error> =>
    Effect.suspend(() => {
      const present = desk;
      if (present === undefined) return Effect.fail(new EngineClosed({ detail: "no dispatcher is attached to the orchestration; call orchestration.attach(dispatcher)" }));
      return Effect.tryPromise({ try: () => use(present), catch: (error) => error as Error });
    });

  /** Every orchestrator that works, with what it supervises as far as it knows. */
  const working = (of: Engine): Effect.Effect<ReadonlyMap<string, OrchestratorContext>, Error> =>
    Effect.gen(function* () {
      const found = new Map<string, OrchestratorContext>();
      for (let after = 0; ; ) {
        const page = yield* of.list({ machine: orchestratorMachine.id, status: "active", after, limit: 1_000 });
        for (const actor of page) {
          after = actor.id;
          found.set(actor.address, actor.context as OrchestratorContext);
        }
        if (page.length < 1_000) return found;
      }
    });
  /** Compares what orchestrators know with what there is. */
  const reconcile = (of: Engine, from: SupervisionDesk): Effect.Effect<void, Error> =>
    Effect.gen(function* () {
      const orchestrators = yield* working(of);
      const seen = new Set<string>();
      for (let cursor: string | undefined; ; ) {
        const page: TaskPage = yield* Effect.tryPromise({
          try: () => from.list({ queue, state: live, limit: 1_000, ...(cursor === undefined ? {} : { cursor }) }),
          catch: (error) => error as Error,
        });
        for (const view of page.tasks) {
          seen.add(view.id);
          const id = orchestratorOf(view);
          if (id === undefined) continue;
          const address = addressOf(id);
          if (orchestrators.has(address)) {
            report(address, { type: "TRACK", tasks: [view.id] });
            tell(view);
          } else yield* cancel([view.id], { by: address, why: "its orchestrator retired" });
        }
        cursor = page.cursor;
        if (cursor === undefined) break;
      }
      for (const [address, { tasks }] of orchestrators) {
        for (const task of Object.keys(tasks)) {
          if (seen.has(task)) continue;
          const view = yield* Effect.tryPromise({ try: () => from.get(task), catch: (error) => error as Error });
          if (view !== undefined) tell(view);
          // It has ended, and was removed since; how it ended is not known any more.
          else report(address, { type: "TASK_MOVED", task, state: "cancelled", at: doors?.time.now() ?? 0 });
        }
      }
    });
  const cancel = (tasks: ReadonlyArray<string>, order: Order): Effect.Effect<void, Error> => (tasks.length === 0 ? Effect.void : Effect.asVoid(call((of) => of.cancel(tasks, order))));

  return {
    follower: (given) => {
      doors = given;
      desk = undefined;
      forget();
      return { follow: () => {}, running: () => 0, suspend: () => {}, end: () => forget() };
    },
    opened: (given) => {
      engine = given;
    },
    attach: async (given, runningMax) => {
      forget();
      desk = given;
      forget = given.observe(tell);
      const of = engine;
      if (of === undefined) throw new EngineClosed({ detail: "this orchestration is not part of an open engine: pass it in the engine's plugins" });
      await given.queues.configure(queue, { slotsMax: runningMax });
      const exit = await Effect.runPromiseExit(reconcile(of, given));
      if (exit._tag === "Failure") doors?.log({ level: "error", message: "what became of supervised tasks could not be read", data: failureOf(Cause.squash(exit.cause)) });
    },
    submit: (specs) => call((of) => of.submit(specs)),
    cancel,
    look: (tasks) =>
      call(async (of) => {
        for (const task of tasks) {
          const view = await of.get(task);
          if (view !== undefined && (hasEnded(view.state) || view.state !== "waiting")) tell(view);
        }
      }),
  };
};
