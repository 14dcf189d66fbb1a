/*
 * A program that has agents work: it reads orders as JSON lines and writes what becomes of them. Kill it at any moment
 * and start it again on the same folder: it goes on, and its agents go on with their sessions.
 *
 *   { "order": { "label": "report", "body": "write a\ndone" } }     what costs more than a dollar needs an approval first
 *   { "approve": "report" } { "deny": "report" }                    the approval
 *   { "answer": "report", "text": "the left one" }                  what an agent asked
 *   { "verify": "report" } { "reject": "report" }                   what an agent says that it has done
 *
 * Usage: node host.mjs FOLDER
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { agentFunction, AgentWorkSchema, dispatchMachines, makeOrchestration, makeOutboxes, openDispatcher, openEngine } from "taskwright";
import { clarification } from "taskwright/machines";
import { assign, fromPromise, setup } from "xstate";
import { subprocessAgents } from "./subprocess-agents.mjs";

const folder = process.argv[2] ?? "agents";
mkdirSync(folder, { recursive: true });
const print = (line) => void process.stdout.write(`${JSON.stringify(line)}\n`);

/** Work that has to be approved before it is ordered: a question with a deadline, as a child. */
const approval = setup({
  actors: { clarification, order: fromPromise(({ input }) => order(input)) },
  guards: { isYes: ({ event }) => event.output?.answer === "yes" },
  actions: { keep: assign(({ event }) => ({ outcome: event.output?.outcome })) },
}).createMachine({
  id: "approval",
  version: "1",
  context: ({ input }) => ({ work: input, outcome: null }),
  initial: "asked",
  states: {
    asked: {
      invoke: {
        id: "question",
        src: "clarification",
        input: ({ context }) => ({ question: `May "${context.work.label}" cost ${context.work.budget.costUsd} USD?`, options: ["yes", "no"], deadlineMs: 24 * 60 * 60 * 1000 }),
        onDone: [
          { guard: "isYes", target: "ordering" },
          { target: "denied", actions: "keep" },
        ],
      },
    },
    // At least once; the same work is the same task.
    ordering: { invoke: { src: "order", input: ({ context }) => context.work, onDone: "ordered", onError: "denied" } },
    ordered: { type: "final" },
    denied: { type: "final" },
  },
});

const runtime = subprocessAgents([process.execPath, fileURLToPath(new URL("agent.mjs", import.meta.url)), folder]);
const dispatch = dispatchMachines({ kinds: { agent: { input: AgentWorkSchema, run: agentFunction(runtime) } } });
const outboxes = makeOutboxes({ told: { destination: ({ type, payload }) => print({ told: type, ...payload }) } });
const orchestration = makeOrchestration({ outbox: "told", runningMax: 4 });
/** An orchestrator retires when it has nothing to do; then another one takes its place. */
const order = async (work) => {
  const requester = "operator";
  if ((await orchestration.orchestratorOf(requester)) === undefined) await orchestration.bind(requester, `orchestrator-${Date.now()}`);
  return orchestration.order({ requester }, { kind: "worker", budget: { costUsd: 1 }, ...work });
};

const engine = await openEngine({
  database: join(folder, "journal.db"),
  machines: [{ machine: approval, activities: { order: { retry: { attemptsMax: 10, backoff: { kind: "exponential", baseMs: 200, capMs: 10_000 } } } } }],
  plugins: [dispatch, outboxes, orchestration],
});
const dispatcher = await openDispatcher(engine, dispatch, {});
dispatcher.observe(({ id, spec, state, attempts, session, question, failure, usage }) =>
  print({ task: spec.attributes?.label ?? id, state, attempts, session, question: question?.text, failure: failure?.code, costUsd: usage.costUsd }),
);
await orchestration.attach(dispatcher);
print({ ready: true });

const operator = (why) => ({ by: "operator", why });
const labelled = (label) => ({ attributes: { label } });
const commands = {
  order: async ({ order: work }) => {
    if ((work.budget?.costUsd ?? 1) > 1) await engine.start(approval, work.label, work);
    else await order(work);
  },
  approve: ({ approve: label }) => engine.send(`approval/${label}/question`, { type: "ANSWER", answer: "yes", by: "operator" }),
  deny: ({ deny: label }) => engine.send(`approval/${label}/question`, { type: "ANSWER", answer: "no", by: "operator" }),
  answer: async ({ answer: label, text }) => {
    const { tasks } = await dispatcher.list({ ...labelled(label), state: "parked" });
    for (const { id } of tasks) await dispatcher.answer(id, text, operator("asked"));
  },
  verify: ({ verify: label }) => dispatcher.verify(labelled(label), operator("looked at it")),
  reject: ({ reject: label }) => dispatcher.reject(labelled(label), { ...operator("looked at it"), retry: true }),
};
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  await commands[Object.keys(command)[0]](command);
}
await dispatcher.stop();
await engine.close();
