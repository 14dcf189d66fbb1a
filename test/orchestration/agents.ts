import type { AgentEnd, AgentNews, AgentRequest, AgentRuntime, Spawned } from "../../src/orchestration/index.ts";

/** An agent that a test plays. */
interface Agent {
  readonly session: string;
  readonly request: AgentRequest & { readonly answer?: unknown };
  readonly news: AgentNews;
  readonly signal: AbortSignal;
  readonly end: (end: AgentEnd) => void;
}

/** A runtime of which a test says what its agents do. Its sessions outlive the engine unless they are forgotten. */
export class Agents implements AgentRuntime {
  /** Those that run now, by task. */
  readonly running = new Map<string, Agent>();
  /** Everything that was ever spawned or resumed, as "task#attempt". */
  readonly begun: Array<string> = [];
  readonly requests: Array<AgentRequest & { readonly answer?: unknown }> = [];
  /** Sessions that can be loaded. */
  readonly sessions = new Set<string>();
  /** What the runtime says of a spawn; default: it takes it. */
  says: ((request: AgentRequest) => Spawned) | undefined;
  #waiting = new Map<string, AgentRequest & { readonly answer?: unknown }>();

  readonly spawn = (request: AgentRequest): Spawned => {
    this.requests.push(request);
    const said = this.says?.(request);
    if (said !== undefined) return said;
    const session = `session of ${request.task}#${request.attempt}`;
    this.sessions.add(session);
    this.#waiting.set(session, request);
    return { accepted: true, session };
  };
  readonly resume = (session: string, request: AgentRequest & { readonly answer: unknown }): boolean => {
    this.requests.push(request);
    if (!this.sessions.has(session)) return false;
    this.#waiting.set(session, request);
    return true;
  };
  readonly ended = (session: string, news: AgentNews, signal: AbortSignal): Promise<AgentEnd> => {
    const request = this.#waiting.get(session) as AgentRequest;
    return new Promise((resolve) => {
      const { task, attempt } = request;
      const end = (said: AgentEnd) => {
        if (this.running.get(task)?.session === session) this.running.delete(task);
        resolve(said);
      };
      this.begun.push(`${task}#${attempt}`);
      this.running.set(task, { session, request, news, signal, end });
      signal.addEventListener("abort", () => end({ outcome: "killed", message: "it was aborted" }));
    });
  };

  /** The process is gone, and what it was told with it. */
  die(): void {
    this.running.clear();
    this.#waiting.clear();
  }
  agent(task: string): Agent {
    const agent = this.running.get(task);
    if (agent === undefined) throw new Error(`no agent works on "${task}"; ${[...this.running.keys()].join(", ") || "none"} do`);
    return agent;
  }
  /** It ends well, with a receipt in its text. */
  receipt(task: string, receipt: object): void {
    this.agent(task).end({ outcome: "completed", text: `Done.\n\`\`\`json\n${JSON.stringify({ task_id: task, ...receipt })}\n\`\`\`` });
  }
}
