import * as Effect from "effect/Effect";
import { orchestrator as orchestratorMachine, type OrchestratorContext } from "../../machines/orchestrator.ts";
import { requester as requesterMachine, type RequesterContext } from "../../machines/requester.ts";
import { outboxAddress } from "../delivery/index.ts";
import type { TaskSpec } from "../dispatch/index.ts";
import { type Address, childId, rootAddress } from "../domain/address.ts";
import { type DelegationPolicy, letThroughAt, type Permission } from "../domain/delegation.ts";
import { type AllNames, checkNames } from "../domain/names.ts";
import type { FailurePicture, StatusSummary } from "../domain/status-summary.ts";
import type { Order } from "../domain/task.ts";
import { inferKind, type WorkKind } from "../domain/work-kind.ts";
import { type ActorView, type Doors, type Engine, EngineClosed, InvalidOptions, type Plugin, type SendError, type TimedOut, type Unanswered } from "../engine/index.ts";
import type { JournalError } from "../journal/index.ts";
import { AlreadyBound, NotBound, OrchestratorFull, OrchestratorRetired, UnknownOrchestrator } from "./errors.ts";
import { type CallTool, OrchestratorEvents, RequesterEvents } from "./events.ts";
import { makeSupervision, type SupervisionDesk } from "./supervision.ts";
import { taskKeyOf } from "./task-key.ts";

/** A piece of work as it is ordered. What is left out is as a task's, or as the options say. */
export interface NewWork
  extends Pick<
    TaskSpec,
    "priority" | "needs" | "whenNeedFails" | "runAt" | "deadline" | "executionTimeoutMs" | "answerTimeoutMs" | "retry" | "budget" | "verification" | "notification" | "slots" | "tags"
  > {
  /** What is to be done. */
  readonly body: string;
  /** Inferred from the label and the body where it is not given. */
  readonly kind?: WorkKind;
  /** Who is to do it, for a runtime with several agents. */
  readonly agent?: string;
  readonly label?: string;
  /** Which request it answers. A plan is known by it. */
  readonly requestId?: string;
}

/** What the worker of such a task is given as its input. */
export interface AgentWork {
  readonly kind: WorkKind;
  readonly body: string;
  readonly agent?: string;
  readonly label?: string;
  readonly requestId?: string;
  readonly requester: string;
  readonly orchestrator: string;
}

export interface OrchestrationOptions {
  /** The outbox for status summaries, incidents and messages; absent: they are emitted. */
  readonly outbox?: string;
  /** The kind of the tasks. Default "agent". */
  readonly taskKind?: string;
  /** Their queue. Default "agents". */
  readonly queue?: string;
  /** Tasks of that queue that run at the same time. Default 6. */
  readonly runningMax?: number;
  /** Without anything to do for so long an orchestrator retires. Default 180,000 ms. */
  readonly idleMs?: number;
  /** The pause between two status summaries of an orchestrator. Default 700 ms. */
  readonly statusEveryMs?: number;
  /** Tasks that one orchestrator supervises at a time. Default 1,000. */
  readonly tasksMax?: number;
  /** Tools that each role may call itself; a role without a list calls all. */
  readonly tools?: { readonly requester?: ReadonlyArray<string>; readonly orchestrator?: ReadonlyArray<string> };
}

/** Who orders: a requester or an orchestrator. */
export type Party = { readonly requester: string } | { readonly orchestrator: string };

export interface Ordered {
  readonly task: string;
  readonly key: string;
  readonly kind: WorkKind;
  readonly orchestrator: string;
  /** The same work is active already: this is its task, nothing was stored. */
  readonly duplicate: boolean;
}

export interface OrchestratorView {
  readonly orchestrator: string;
  readonly requester: string;
  readonly state: "binding" | "idle" | "busy" | "retired" | "refused";
  /** Ids of its tasks that have not ended. */
  readonly tasks: ReadonlyArray<string>;
  readonly summary: StatusSummary;
  readonly failures: FailurePicture;
  /** Why it is over. */
  readonly reason: string | undefined;
  /** Tasks that waited for their retry when it retired: they were cancelled. */
  readonly droppedRetries: ReadonlyArray<string>;
}

export interface Outgoing {
  readonly target: string;
  /** The same key to the same target is held back for 120 s. */
  readonly key: string;
  readonly type: string;
  readonly payload: unknown;
}

/** What a call can fail with, beside what the dispatcher says of a task. */
export type OrchestrationError = SendError | JournalError | TimedOut | Unanswered | AlreadyBound | NotBound | UnknownOrchestrator | OrchestratorRetired | OrchestratorFull;

/**
 * Requesters that order work, and orchestrators that have it done. Everything stands in actors: bindings, what is
 * supervised, what was said, and so it is there again after a restart.
 */
export interface Orchestration extends Plugin {
  /** Who takes the tasks. Configures their queue, and hears what became of tasks while no engine was open. */
  readonly attach: (desk: SupervisionDesk) => Promise<void>;
  /** From now on this orchestrator works for this requester. The same binding again is a duplicate. */
  readonly bind: (requester: string, orchestrator: string) => Effect.Effect<{ readonly duplicate: boolean }, OrchestrationError>;
  /** The orchestrator of a requester, if it has one. */
  readonly orchestratorOf: (requester: string) => Effect.Effect<string | undefined, OrchestrationError>;
  /** Has work done. What a requester orders itself goes through its orchestrator. */
  readonly order: {
    (from: Party, work: NewWork): Effect.Effect<Ordered, OrchestrationError | Error>;
    (from: Party, work: ReadonlyArray<NewWork>): Effect.Effect<ReadonlyArray<Ordered>, OrchestrationError | Error>;
  };
  /** Sends something to somebody, through the outbox; a repetition is held back, and says so. */
  readonly say: (orchestrator: string, message: Outgoing) => Effect.Effect<{ readonly suppressed: boolean }, OrchestrationError>;
  /** Whether a session may call a tool itself, by the policy of its role. `run`: its present run; counts begin anew with each. */
  readonly permit: (from: Party, call: { readonly run: string; readonly tool: string; readonly input?: unknown }) => Effect.Effect<Permission, OrchestrationError>;
  /** A session has ended: the orchestrator retires, its tasks are cancelled. */
  readonly end: (from: Party, order: Order) => Effect.Effect<void, OrchestrationError>;
  readonly get: (orchestrator: string) => Effect.Effect<OrchestratorView, OrchestrationError>;
  /** Orchestrators that have not retired; at most `limit` (1,000). */
  readonly list: (options?: { readonly limit?: number }) => Effect.Effect<ReadonlyArray<OrchestratorView>, OrchestrationError>;
}

export const orchestratorAddress = (id: string): Address => rootAddress(orchestratorMachine.id, id);
export const requesterAddress = (id: string): Address => rootAddress(requesterMachine.id, id);

/** Errors and time-outs are tried again twice. */
const retry = { outcomes: ["error", "timeout"], attemptsMax: 3, backoff: { kind: "exponential", baseMs: 1_500, capMs: 60_000 }, jitter: { min: 0.5, max: 1 } } as const;
const verification = { when: "receipt", graceMs: 120_000 } as const;

const optionNames: AllNames<OrchestrationOptions> = { outbox: true, taskKind: true, queue: true, runningMax: true, idleMs: true, statusEveryMs: true, tasksMax: true, tools: true };

/** Orchestration, for `openEngine({ plugins: [orchestration] })`; then `orchestration.attach(dispatcher)`. */
export const makeOrchestration = (options: OrchestrationOptions = {}): Orchestration => {
  const problems = checkNames(options, optionNames).map((problem) => `makeOrchestration: ${problem}`);
  if (problems.length > 0) throw new InvalidOptions({ problems });
  const { taskKind = "agent", queue = "agents", runningMax = 6, idleMs = 180_000, statusEveryMs = 700, tasksMax = 1_000 } = options;
  const policy: DelegationPolicy = { allowed: { ...options.tools }, letThroughAt };
  let bound: { readonly engine: Engine; readonly doors: Doors } | undefined;
  const supervision = makeSupervision(queue);

  const use = Effect.suspend(() =>
    bound === undefined ? Effect.fail(new EngineClosed({ detail: "this orchestration is not part of an open engine: pass it in the engine's plugins" })) : Effect.succeed(bound),
  );
  const at = Effect.map(use, ({ doors }) => doors.time.now());
  const stored = (id: string): Effect.Effect<ActorView, OrchestrationError> =>
    Effect.flatMap(use, ({ engine }) => engine.snapshot(orchestratorAddress(id))).pipe(
      Effect.catchTags({ UnknownActor: () => new UnknownOrchestrator({ orchestrator: id }), InvalidAddress: () => new UnknownOrchestrator({ orchestrator: id }) }),
    );
  /** One that works, or why it does not. */
  const working = (id: string): Effect.Effect<ActorView, OrchestrationError> =>
    Effect.flatMap(stored(id), (actor) => (actor.status === "active" ? Effect.succeed(actor) : Effect.fail(retired(id, actor))));
  const retired = (id: string, { context }: ActorView) => new OrchestratorRetired({ orchestrator: id, reason: (context as OrchestratorContext).reason ?? "it has ended" });
  /** Asks an orchestrator. One that ends meanwhile does not answer. */
  const ask = <Reply>(id: string, event: { readonly type: string; readonly [key: string]: unknown }): Effect.Effect<Reply, OrchestrationError> =>
    Effect.zipRight(
      working(id),
      Effect.flatMap(use, ({ engine }) => engine.ask(orchestratorAddress(id), event)),
    ).pipe(
      Effect.map((reply) => reply as unknown as Reply),
      Effect.catchTag("Unanswered", (error) => Effect.zipRight(working(id), Effect.fail(error))),
    );
  const orchestratorOf = (requester: string): Effect.Effect<string | undefined, OrchestrationError> =>
    Effect.flatMap(use, ({ engine }) => engine.snapshot(requesterAddress(requester))).pipe(
      Effect.map(({ context }) => (context as RequesterContext).orchestrator),
      Effect.map((address) => (address === null ? undefined : childId(address))),
      Effect.catchTag("UnknownActor", () => Effect.succeed(undefined)),
    );
  const orchestratorFor = (from: Party): Effect.Effect<string, OrchestrationError> =>
    "orchestrator" in from
      ? Effect.succeed(from.orchestrator)
      : Effect.flatMap(orchestratorOf(from.requester), (id) => (id === undefined ? Effect.fail(new NotBound({ requester: from.requester })) : Effect.succeed(id)));

  const order = (from: Party, given: NewWork | ReadonlyArray<NewWork>) =>
    Effect.gen(function* () {
      const list = Array.isArray(given) ? (given as ReadonlyArray<NewWork>) : [given as NewWork];
      const id = yield* orchestratorFor(from);
      const { context } = yield* working(id);
      const requester = childId((context as OrchestratorContext).requester);
      const { hasRoom } = yield* ask<{ readonly hasRoom: boolean }>(id, { type: "ORDER_WORK", count: list.length });
      if (!hasRoom) return yield* new OrchestratorFull({ orchestrator: id, tasksMax: (context as OrchestratorContext).tasksMax });
      const works = list.map((work) => {
        const { body, kind = inferKind(body, work.label), agent, label, requestId, ...rest } = work;
        const key = taskKeyOf({ requester, kind, agent, label, body, requestId });
        const input: AgentWork = {
          kind,
          body,
          ...(agent === undefined ? {} : { agent }),
          ...(label === undefined ? {} : { label }),
          ...(requestId === undefined ? {} : { requestId }),
          requester,
          orchestrator: id,
        };
        const spec: TaskSpec = {
          ...rest,
          kind: taskKind,
          queue,
          key,
          input,
          retry: { ...retry, ...rest.retry },
          verification: { ...verification, ...rest.verification },
          attributes: { orchestrator: id, requester, workKind: kind, ...(label === undefined ? {} : { label }), ...("requester" in from ? { routed: true } : {}) },
        };
        return { kind, key, spec };
      });
      const submitted = yield* supervision.submit(works.map(({ spec }) => spec));
      const { engine } = yield* use;
      const tasks = submitted.map((answer) => answer.id);
      const { outcome } = yield* engine.send(orchestratorAddress(id), { type: "TRACK", tasks });
      if (outcome === "ended") {
        // It retired meanwhile: what it was to supervise must not go on without it.
        yield* supervision.cancel(
          submitted.filter(({ duplicate }) => !duplicate).map((answer) => answer.id),
          { by: orchestratorAddress(id), why: "its orchestrator retired" },
        );
        return yield* Effect.flatMap(stored(id), (actor) => Effect.fail(retired(id, actor)));
      }
      yield* supervision.look(tasks);
      return submitted.map(({ id: task, duplicate }, index): Ordered => {
        const { key, kind } = works[index] as (typeof works)[number];
        return { task, key, kind, orchestrator: id, duplicate };
      });
    }).pipe(Effect.map((answers) => (Array.isArray(given) ? answers : (answers[0] as Ordered))));

  return {
    machines: [
      { machine: orchestratorMachine, events: OrchestratorEvents, early: { ORDER_WORK: "keep", TRACK: "keep", SAY: "keep", CALL_TOOL: "keep" } },
      { machine: requesterMachine, events: RequesterEvents },
    ],
    followers: { [orchestratorMachine.id]: supervision.follower },
    opened: (engine, doors) => {
      bound = { engine, doors };
      supervision.opened(engine);
    },
    attach: (desk) => supervision.attach(desk, runningMax),
    bind: (requester, id) =>
      Effect.gen(function* () {
        const { engine } = yield* use;
        const present = yield* orchestratorOf(requester);
        if (present !== undefined && present !== id) return yield* new AlreadyBound({ requester, orchestrator: id, to: present });
        const outbox = options.outbox === undefined ? {} : { outbox: outboxAddress(options.outbox) };
        const [, receipt] = yield* engine.startAll([
          { machine: requesterMachine.id, id: requester },
          { machine: orchestratorMachine.id, id, input: { requester: requesterAddress(requester), idleMs, statusEveryMs, tasksMax, ...outbox } },
        ]);
        const actor = yield* stored(id);
        const { requester: its, other } = actor.context as OrchestratorContext;
        if (its !== requesterAddress(requester)) return yield* new AlreadyBound({ requester, orchestrator: id, to: childId(its) });
        if (other !== null) return yield* new AlreadyBound({ requester, orchestrator: id, to: childId(other) });
        if (actor.status !== "active") return yield* retired(id, actor);
        return { duplicate: receipt?.duplicate ?? false };
      }),
    orchestratorOf,
    order: order as Orchestration["order"],
    say: (id, { target, key, type, payload }) =>
      Effect.gen(function* () {
        const { suppressed } = yield* ask<{ readonly suppressed: boolean }>(id, { type: "SAY", target, key, messageType: type, payload, at: yield* at });
        return { suppressed };
      }),
    permit: (from, call) =>
      Effect.gen(function* () {
        const { engine, doors } = yield* use;
        const event: typeof CallTool.Type = { type: "CALL_TOOL", policy, ...call };
        const isRequester = "requester" in from;
        if (isRequester) yield* engine.start(requesterMachine.id, from.requester);
        const reply = yield* isRequester ? engine.ask(requesterAddress(from.requester), event) : ask<Permission>(from.orchestrator, event);
        const { type: _, ...answer } = reply as unknown as Permission & { readonly type: string };
        if (answer.permission === "letThrough") {
          const address = isRequester ? requesterAddress(from.requester) : orchestratorAddress(from.orchestrator);
          doors.log({ level: "warning", address, message: `calls "${call.tool}" itself, which its role may not: it was blocked ${answer.blocked - 1} times in this run, and is let through now` });
        }
        return answer as Permission;
      }),
    end: (from, { by, why }) =>
      Effect.gen(function* () {
        const { engine } = yield* use;
        if ("requester" in from) yield* Effect.catchTag(engine.send(requesterAddress(from.requester), { type: "END", by, why }), "UnknownActor", () => new NotBound({ requester: from.requester }));
        else {
          yield* stored(from.orchestrator);
          yield* engine.send(orchestratorAddress(from.orchestrator), { type: "END", by, why });
        }
      }),
    get: (id) => Effect.map(stored(id), viewOf),
    list: ({ limit = 1_000 } = {}) => Effect.flatMap(use, ({ engine }) => Effect.map(engine.list({ machine: orchestratorMachine.id, status: "active", limit }), (page) => page.map(viewOf))),
  };
};

const viewOf = ({ address, value, context }: ActorView): OrchestratorView => {
  const { requester, tasks, summary, picture, reason, droppedRetries } = context as OrchestratorContext;
  const state = (typeof value === "string" ? value : (value as { readonly supervising: string }).supervising) as OrchestratorView["state"];
  return { orchestrator: childId(address), requester: childId(requester), state, tasks: Object.keys(tasks), summary, failures: picture, reason: reason ?? undefined, droppedRetries };
};
