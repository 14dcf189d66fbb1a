import * as Schema from "effect/Schema";
import type { TaskFunction } from "../dispatch/index.ts";
import { receiptFor } from "../domain/receipt.ts";
import { withContract } from "../domain/result-contract.ts";
import type { Budget, Usage } from "../domain/task.ts";
import { workKinds } from "../domain/work-kind.ts";
import { workerOutcomeOf } from "../domain/worker-outcome.ts";
import type { AgentWork } from "./orchestration.ts";

/** What an agent is asked to do. */
export interface AgentRequest {
  readonly task: string;
  readonly attempt: number;
  readonly work: AgentWork;
  /** The work with the result contract behind it: what the agent is to be told. */
  readonly text: string;
  /** The results of the tasks that it needed, by id. */
  readonly needs: Readonly<Record<string, unknown>>;
  /** What is left of the budget. */
  readonly budget: Budget;
  readonly folder: string | undefined;
}

/** What a runtime says of a spawn. */
export interface Spawned {
  readonly accepted: boolean;
  /** Names the agent's session; without it nobody could ever find it again. */
  readonly session?: string | undefined;
  readonly reason?: string | undefined;
}

/** How an agent's run ended. */
export interface AgentEnd {
  /** The runtime's own word: ok, error, timeout, killed, reset, deleted and so on. */
  readonly outcome: string;
  /** The agent's final text; its receipt is in there. */
  readonly text?: string;
  /** What it can't go on without: the task parks until somebody answers. */
  readonly question?: string;
  readonly message?: string;
  /** What this run has used in all. */
  readonly usage?: Partial<Usage>;
  /** Which criteria of the notification policy were met. */
  readonly criteriaMet?: ReadonlyArray<string>;
}

/** What can be said of an agent while it runs. */
export interface AgentNews {
  readonly heartbeat: () => void;
  readonly progress: (progress: unknown) => void;
  /** What this run has used so far, in all. */
  readonly usage: (usage: Partial<Usage>) => void;
}

/** Where agents run: child processes, another program's sessions, a service. */
export interface AgentRuntime {
  /** Starts an agent. It runs in a session that can be found again. */
  readonly spawn: (request: AgentRequest, signal: AbortSignal) => Promise<Spawned> | Spawned;
  /**
   * Goes on with a session: with the answer to its question, or, after a crash, where it was. Absent, or with false: it
   * can't be loaded, and the work begins anew from its text.
   */
  readonly resume?: (session: string, request: AgentRequest & { readonly answer: unknown }, signal: AbortSignal) => Promise<boolean> | boolean;
  /** Waits for the end of a session's run. Aborted where nobody wants it any more. */
  readonly ended: (session: string, news: AgentNews, signal: AbortSignal) => Promise<AgentEnd>;
}

/** The input of tasks for agents, for the kind of a dispatcher. */
export const AgentWorkSchema = Schema.Struct({
  kind: Schema.Literal(...workKinds),
  body: Schema.String,
  agent: Schema.optional(Schema.String),
  label: Schema.optional(Schema.String),
  requestId: Schema.optional(Schema.String),
  requester: Schema.String,
  orchestrator: Schema.String,
});

/**
 * Carries out tasks by agents: `kinds: { agent: { input: AgentWorkSchema, run: agentFunction(runtime) } }`. Its session
 * is stored as soon as it is known, its receipt is read from its final text, its question parks the task.
 */
export const agentFunction =
  (runtime: AgentRuntime): TaskFunction<AgentWork> =>
  async (work, signal, context) => {
    const { task, attempt, session: known, answer, needs, budget, folder } = context;
    const request: AgentRequest = { task, attempt, work, text: withContract(work.body, { taskId: task, attempt }), needs, budget, folder };
    let session = known;
    if (session === undefined) {
      const spawned = await runtime.spawn(request, signal);
      if (!spawned.accepted) return context.end("noResult", `the runtime did not accept the spawn${spawned.reason === undefined ? "" : `: ${spawned.reason}`}`);
      if (spawned.session === undefined || spawned.session === "") return context.end("noResult", "the runtime accepted the spawn and named no session: nobody could find its agent again");
      session = spawned.session;
      context.sessionIs(session);
    } else if ((await runtime.resume?.(session, { ...request, answer }, signal)) !== true) return context.end("resumeUnavailable", `the session "${session}" can't be loaded`);
    const { heartbeat, progress, usage } = context;
    const end = await runtime.ended(session, { heartbeat, progress, usage }, signal);
    if (end.usage !== undefined) usage(end.usage);
    if (end.criteriaMet !== undefined) context.criteriaMet(...end.criteriaMet);
    if (end.question !== undefined) return context.ask(end.question);
    const outcome = workerOutcomeOf(end.outcome);
    if (outcome !== "ok") return context.end(outcome, end.message ?? `its agent ended with "${end.outcome}"`);
    const receipt = receiptFor(task, end.text ?? "");
    if (receipt !== undefined) context.receipt(receipt);
    return { session, text: end.text ?? "" };
  };
