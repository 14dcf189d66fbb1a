/* Agents as child processes that speak JSON lines: a runtime for `agentFunction`. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** `command`: the program of an agent with its arguments. */
export const subprocessAgents = (command) => {
  /** Agents that were begun and are waited for, by their session. */
  const agents = new Map();

  /** Starts a process, tells it what to do, and waits for its first word. */
  const start = async (order, signal) => {
    const child = spawn(command[0], command.slice(1), { stdio: ["pipe", "pipe", "inherit"] });
    // Nobody wants it any more: the task was cancelled, took too long, or spent its budget.
    signal.addEventListener("abort", () => child.kill(), { once: true });
    const said = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    child.stdin.on("error", () => {});
    child.stdin.write(`${JSON.stringify(order)}\n`);
    const { value } = await said.next();
    const first = value === undefined ? {} : JSON.parse(value);
    if (first.session !== undefined) agents.set(first.session, said);
    return first;
  };

  return {
    spawn: async ({ text }, signal) => {
      const { session } = await start({ begin: text }, signal);
      return session === undefined ? { accepted: false, reason: "the agent's process ended at once" } : { accepted: true, session };
    },
    resume: async (session, { answer }, signal) => (await start({ resume: session, answer }, signal)).session === session,
    ended: async (session, news) => {
      const said = agents.get(session);
      agents.delete(session);
      for await (const line of { [Symbol.asyncIterator]: () => said }) {
        const { usage, question, outcome, text } = JSON.parse(line);
        if (usage !== undefined) news.usage(usage);
        if (question !== undefined) return { outcome: "ok", question };
        if (outcome !== undefined) return { outcome, text };
      }
      return { outcome: "error", message: "the agent's process ended without a word" };
    },
  };
};
