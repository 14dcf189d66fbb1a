import { describe, expect } from "vitest";
import { workerOutcomeOf } from "../../src/domain/worker-outcome.ts";
import { summaryStateOf } from "../../src/domain/status-summary.ts";
import { inThreeModes, inTwoModes } from "../../src/testing/index.ts";
import { OrchestrationHost } from "./orchestration-host.ts";

const by = { by: "anna", why: "a test" };
const item = { kind: "command", value: "npm test", expected: "ok" };

describe("scenarios > orchestrator", () => {
  inThreeModes("C1 a task goes through queued, leased, running, needs input, needs verification, and ends done, failed or dead", async (bench) => {
    const host = await OrchestrationHost.open(bench, { runningMax: 1 });
    await host.bind();
    const first = await host.order();
    expect((await host.get()).summary).toMatchObject({ running: 1, queued: 0 });
    const second = await host.order({ body: "Count the folders." });
    expect((await host.get()).summary).toMatchObject({ running: 1, queued: 1 });
    await host.play(() => host.agents.agent(first.task).end({ outcome: "ok", question: "Which files?" }));
    expect((await host.get()).summary).toMatchObject({ needsInput: 1, running: 1, queued: 0 });
    await host.play(() => host.agents.receipt(second.task, { status: "completed", verification: [item] }));
    expect((await host.get()).summary).toMatchObject({ needsInput: 1, needsVerification: 1 });
    await host.play(() => host.dispatcher.verify(second.task, by));
    await host.play(() => host.dispatcher.answer(first.task, "All of them.", by));
    await host.play(() => host.agents.receipt(first.task, { status: "failed", summary: "there are none" }));
    expect(await host.get()).toMatchObject({ state: "idle", tasks: [], summary: { done: 1, failed: 1, running: 0, needsInput: 0, needsVerification: 0 } });
    const history = await host.engine.taskwright.history(`task/${first.task}`, { limit: 100 });
    expect(history.map(({ event }) => event.type)).toEqual(expect.arrayContaining(["ASSIGN", "ACCEPTED", "SESSION", "ANSWER"]));
    expect(["queued", "assigned", "running", "parked", "verifying", "done", "failed", "dead"].map(summaryStateOf)).toEqual([
      "queued",
      "leased",
      "running",
      "needsInput",
      "needsVerification",
      "done",
      "failed",
      "dead",
    ]);
  });

  inThreeModes("C2 the same work is suppressed while it is active, and answered with the active task; its id is its key and a number", async (bench) => {
    const host = await OrchestrationHost.open(bench);
    await host.bind();
    const first = await host.order({ label: "count" });
    expect(first).toMatchObject({ duplicate: false, task: `${first.key}-1` });
    expect(await host.order({ label: "count" })).toEqual({ ...first, duplicate: true });
    expect(await host.order({ label: "count", body: `${"Count the files."}\n\n[Result contract]\nof before` })).toMatchObject({ task: first.task, duplicate: true });
    for (const other of [{ label: "recount" }, { label: "count", agent: "b" }, { label: "count", kind: "audit" as const }, { label: "count", body: "Count the folders." }])
      expect(await host.order(other), JSON.stringify(other)).toMatchObject({ duplicate: false });
    // A plan is known by its request, however it is worded.
    const plan = await host.order({ kind: "planner", body: "Plan it.", requestId: "r1" });
    expect(await host.order({ kind: "planner", body: "Plan it well.", requestId: "r1" })).toMatchObject({ task: plan.task, duplicate: true });
    expect(await host.order({ kind: "planner", body: "Plan it.", requestId: "r2" })).toMatchObject({ duplicate: false });
    await host.play(() => host.agents.receipt(first.task, { status: "completed", verification: [] }));
    expect(await host.order({ label: "count" })).toMatchObject({ duplicate: false, task: `${first.key}-2` });
  });

  inThreeModes("C3 a task has a kind, which is inferred where it is not given", async (bench) => {
    const host = await OrchestrationHost.open(bench);
    await host.bind();
    const kinds = [
      [{ body: "Rename the field." }, "worker"],
      [{ body: "Write a roadmap." }, "planner"],
      [{ body: "Do it.", label: "review-3" }, "audit"],
      [{ body: "Investigate the crash." }, "research"],
      [{ body: "Orchestrate the release." }, "orchestrator"],
      [{ body: "Write a roadmap!", kind: "worker" as const }, "worker"],
    ] as const;
    const ordered = await host.call(
      host.orchestration.order(
        { orchestrator: "o1" },
        kinds.map(([work]) => work),
      ),
    );
    expect(ordered.map(({ kind }) => kind)).toEqual(kinds.map(([, kind]) => kind));
    for (const { task, kind } of ordered) expect(await host.task(task)).toMatchObject({ spec: { input: { kind }, attributes: { workKind: kind } } });
    expect((await host.get()).tasks).toHaveLength(kinds.length);
  });

  inThreeModes("C4 only errors and time-outs are tried again, twice, after 1.5 s doubling; then the task is dead, with an incident", async (bench) => {
    const host = await OrchestrationHost.open(bench);
    await host.bind();
    const { task } = await host.order();
    const pauses: Array<number> = [];
    for (const word of ["error", "timeout"]) {
      await host.play(() => host.agents.agent(task).end({ outcome: word, message: "it broke" }));
      const { state, until = 0 } = await host.task(task);
      expect(state).toBe("backingOff");
      pauses.push(until - host.engine.time.now());
      await host.advance(pauses.at(-1) ?? 0);
    }
    expect(pauses[0]).toBeGreaterThanOrEqual(750);
    expect(pauses[0]).toBeLessThanOrEqual(1_500);
    expect(pauses[1]).toBeGreaterThanOrEqual(1_500);
    expect(pauses[1]).toBeLessThanOrEqual(3_000);
    await host.play(() => host.agents.agent(task).end({ outcome: "error", message: "it broke" }));
    expect(await host.task(task)).toMatchObject({ state: "dead", failures: 3 });
    expect(host.said("orchestrator.incident")).toMatchObject([{ orchestrator: "o1", requester: "main", task, state: "dead" }]);
    expect((await host.get()).summary).toMatchObject({ dead: 1, queued: 0 });
    for (const word of ["killed", "reset", "deleted", "unknown", "great"]) {
      const other = await host.order({ body: `Do ${word}.` });
      await host.play(() => host.agents.agent(other.task).end({ outcome: word }));
      expect(await host.task(other.task), word).toMatchObject({ state: "failed" });
    }
    expect(["ok", "success", "completed"].map(workerOutcomeOf)).toEqual(["ok", "ok", "ok"]);
  });

  inThreeModes("C5 what the receipt in an agent's final text says decides", async (bench) => {
    const host = await OrchestrationHost.open(bench);
    await host.bind();
    const ended = async (body: string, end: (task: string) => void) => {
      const { task } = await host.order({ body });
      await host.play(() => end(task));
      return host.task(task);
    };
    expect(await ended("a", (task) => host.agents.receipt(task, { status: "completed", verification: [item] }))).toMatchObject({ state: "verifying", receipt: { verification: [item] } });
    expect(await ended("b", (task) => host.agents.receipt(task, { status: "completed", verification: [], artifacts: [{ kind: "file", path_or_ref: "out.txt" }] }))).toMatchObject({
      state: "done",
      receipt: { artifacts: [{ kind: "file", ref: "out.txt" }] },
    });
    expect(await ended("c", (task) => host.agents.receipt(task, { status: "completed" }))).toMatchObject({ state: "verifying" });
    expect(await ended("d", (task) => host.agents.receipt(task, { status: "blocked", blockers: [{ type: "access", message: "no key" }], summary: "I need a key." }))).toMatchObject({
      state: "parked",
      question: { about: "blocked", text: "I need a key.", data: [{ type: "access", message: "no key" }] },
    });
    expect(await ended("e", (task) => host.agents.receipt(task, { status: "failed", summary: "no" }))).toMatchObject({ state: "failed" });
    expect(await ended("f", (task) => host.agents.agent(task).end({ outcome: "ok", text: "I am done." }))).toMatchObject({ state: "verifying", receipt: undefined });
    // Malformed: the id and the status are found all the same.
    expect(await ended("g", (task) => host.agents.agent(task).end({ outcome: "ok", text: `\`\`\`json\n{"task_id": "${task}", "status": "failed", "summary": "said "no"}` }))).toMatchObject({
      state: "failed",
    });
    // What an agent says of another task is not its to say.
    expect(await ended("h", (task) => host.agents.agent(task).end({ outcome: "ok", text: '```json\n[{"task_id": "other", "status": "failed"}]\n```' }))).toMatchObject({
      state: "verifying",
      receipt: undefined,
    });
  });

  inThreeModes("C6 a task that nobody verifies within 120 s is done if its receipt spoke of verification; else it asks for somebody, with the reason", async (bench) => {
    const host = await OrchestrationHost.open(bench);
    await host.bind();
    const ids: Record<string, string> = {};
    for (const [body, end] of Object.entries({
      items: { status: "completed", verification: [item] },
      nothing: { status: "completed" },
      missing: undefined,
    })) {
      const { task } = await host.order({ body });
      ids[body] = task;
      await host.play(() => (end === undefined ? host.agents.agent(task).end({ outcome: "ok", text: "" }) : host.agents.receipt(task, end)));
    }
    await host.advance(119_000);
    for (const task of Object.values(ids)) expect((await host.task(task)).state).toBe("verifying");
    await host.advance(1_000);
    expect(await host.task(ids.items as string)).toMatchObject({ state: "done" });
    expect(await host.task(ids.nothing as string)).toMatchObject({ state: "parked", question: { about: "verification", text: "timeout-unverified" } });
    expect(await host.task(ids.missing as string)).toMatchObject({ state: "parked", question: { about: "verification", text: "timeout-missing-receipt" } });
    expect((await host.get()).summary).toMatchObject({ done: 1, needsInput: 2 });
  });

  inThreeModes("C7 at most six agents run, whoever ordered their work", async (bench) => {
    const host = await OrchestrationHost.open(bench);
    await host.bind();
    await host.bind("other", "o2");
    for (let number = 1; number <= 8; number++) await host.order({ body: `Do ${number}.` }, { orchestrator: number % 2 === 0 ? "o1" : "o2" });
    expect(host.agents.running.size).toBe(6);
    expect((await host.get("o1")).summary.running + (await host.get("o2")).summary.running).toBe(6);
    const [task] = host.agents.running.keys();
    await host.play(() => host.agents.receipt(task as string, { status: "completed", verification: [] }));
    expect(host.agents.running.size).toBe(6);
  });

  inTwoModes("C7 due retries go as slots free up, what has waited longest first", async (bench) => {
    const host = await OrchestrationHost.open(bench);
    await host.bind();
    const tasks: Array<string> = [];
    for (let number = 1; number <= 9; number++) tasks.push((await host.order({ body: `Do ${number}.` })).task);
    expect([...host.agents.running.keys()]).toEqual(tasks.slice(0, 6));
    for (const task of tasks.slice(0, 2)) await host.play(() => host.agents.agent(task).end({ outcome: "error" }));
    await host.advance(5_000);
    expect([...host.agents.running.keys()]).toEqual(tasks.slice(2, 8));
    for (const task of tasks.slice(2, 5)) {
      await host.advance(1_000);
      await host.play(() => host.agents.receipt(task, { status: "completed", verification: [] }));
    }
    expect([...host.agents.running.keys()].slice(-3)).toEqual([tasks[0], tasks[1], tasks[8]]);
  });

  inThreeModes("C8 one requester has one orchestrator and the reverse; it retires after 180 s without work, or with a session, and refuses work then", async (bench) => {
    const host = await OrchestrationHost.open(bench);
    expect(await host.bind()).toEqual({ duplicate: false });
    expect(await host.bind()).toEqual({ duplicate: true });
    expect(await host.failure(host.orchestration.bind("main", "o2"))).toMatchObject({ _tag: "AlreadyBound", to: "o1" });
    expect(await host.failure(host.orchestration.bind("other", "o1"))).toMatchObject({ _tag: "AlreadyBound", to: "main" });
    expect(await host.call(host.orchestration.orchestratorOf("main"))).toBe("o1");
    const { task } = await host.order();
    await host.advance(600_000);
    expect(await host.get()).toMatchObject({ state: "busy", tasks: [task] });
    await host.play(() => host.agents.receipt(task, { status: "completed", verification: [] }));
    await host.advance(179_000);
    expect(await host.get()).toMatchObject({ state: "idle" });
    await host.advance(1_000);
    expect(await host.get()).toMatchObject({ state: "retired", reason: "it had nothing to do for 180000 ms" });
    expect(await host.failure(host.orchestration.order({ orchestrator: "o1" }, { body: "More." }))).toMatchObject({ _tag: "OrchestratorRetired", code: "orchestrator_retired", status: 409 });
    expect(await host.failure(host.orchestration.order({ requester: "main" }, { body: "More." }))).toMatchObject({ _tag: "NotBound", code: "not_bound" });
    expect(await host.failure(host.orchestration.order({ orchestrator: "nobody" }, { body: "More." }))).toMatchObject({ _tag: "UnknownOrchestrator" });
    expect(await host.failure(host.orchestration.bind("main", "o1"))).toMatchObject({ _tag: "OrchestratorRetired" });
    // The requester is free again, and the end of a session takes the workers along.
    await host.bind("main", "o2");
    const work = await host.order({}, { orchestrator: "o2" });
    await host.call(host.orchestration.end({ requester: "main" }, { by: "anna", why: "she left" }));
    expect(await host.get("o2")).toMatchObject({ state: "retired", reason: "its requester's session has ended: she left (anna)" });
    expect(await host.task(work.task)).toMatchObject({ state: "cancelled" });
    expect(host.agents.running.size).toBe(0);
    expect(host.said("orchestrator.retired")).toMatchObject([{ orchestrator: "o1" }, { orchestrator: "o2", cancelled: [work.task] }]);
  });

  inThreeModes("C9 the status is told when it changed, at most every 700 ms; an incident once for each failure picture", async (bench) => {
    const host = await OrchestrationHost.open(bench, { statusEveryMs: 700 });
    await host.bind();
    // Tasks that wait for their moment: nothing but their number changes.
    const runAt = host.engine.time.now() + 86_400_000;
    await host.order({ runAt });
    await host.order({ runAt, body: "Count the folders." });
    const told = () => host.said("orchestrator.status").map(({ summary }) => (summary as { queued: number }).queued);
    expect(told()).toEqual([1]);
    await host.advance(699);
    expect(told()).toEqual([1]);
    await host.advance(1);
    expect(told()).toEqual([1, 2]);
    await host.advance(60_000);
    expect(told()).toEqual([1, 2]);
    expect(new Set(host.receiver.keys).size).toBe(2);
    const first = await host.order({ body: "a" });
    const second = await host.order({ body: "b" });
    await host.play(() => host.agents.receipt(first.task, { status: "failed" }));
    await host.restart();
    await host.advance(700);
    expect(host.said("orchestrator.incident")).toHaveLength(1);
    await host.play(() => host.agents.receipt(second.task, { status: "failed" }));
    expect(host.said("orchestrator.incident").map(({ picture }) => picture)).toEqual([{ "failed failed": 1 }, { "failed failed": 2 }]);
  });

  inThreeModes("C10 a message with the same target and key within 120 s is suppressed, and says so", async (bench) => {
    const host = await OrchestrationHost.open(bench);
    await host.bind();
    const say = (target: string, key: string) => host.call(host.orchestration.say("o1", { target, key, type: "note", payload: { text: "hello" } }));
    expect(await say("channel", "k")).toEqual({ suppressed: false });
    expect(await say("channel", "k")).toEqual({ suppressed: true });
    expect(await say("other", "k")).toEqual({ suppressed: false });
    expect(await say("channel", "l")).toEqual({ suppressed: false });
    await host.advance(120_000);
    expect(await say("channel", "k")).toEqual({ suppressed: false });
    expect(host.said("note")).toHaveLength(4);
  });

  inThreeModes("C11 a role calls its own tools; others are blocked with a hint, and the third attempt in a run is let through and logged", async (bench) => {
    const host = await OrchestrationHost.open(bench, { tools: { orchestrator: ["order"], requester: ["order", "status"] } });
    await host.bind();
    const permit = (run: string, tool: string, from: { orchestrator: string } | { requester: string } = { orchestrator: "o1" }) =>
      host.call(host.orchestration.permit(from, { run, tool, input: { path: "a.txt" } }));
    expect(await permit("1", "order")).toEqual({ permission: "allowed" });
    expect(await permit("1", "write")).toMatchObject({ permission: "blocked", hint: expect.stringContaining("submit it as a task for a worker") });
    expect(await permit("1", "write")).toMatchObject({ permission: "blocked", blocked: 2 });
    expect(await permit("2", "write")).toMatchObject({ permission: "blocked", blocked: 1 });
    expect(await permit("1", "write")).toMatchObject({ permission: "letThrough", blocked: 3 });
    expect(host.engine.logged.filter(({ message }) => message.includes("is let through"))).toMatchObject([{ level: "warning", address: "orchestrator/o1" }]);
    expect(await permit("1", "status", { requester: "main" })).toEqual({ permission: "allowed" });
    expect(await permit("1", "write", { requester: "main" })).toMatchObject({ permission: "blocked" });
  });

  inThreeModes("C12 after a restart everything is there: bindings, retry counts, workers, queued retries", async (bench) => {
    const host = await OrchestrationHost.open(bench);
    await host.bind();
    const running = await host.order();
    const retried = await host.order({ body: "Count the folders." });
    await host.play(() => host.agents.agent(retried.task).end({ outcome: "error" }));
    const session = (await host.task(running.task)).session;
    await host.restart();
    expect(await host.call(host.orchestration.orchestratorOf("main"))).toBe("o1");
    expect(await host.get()).toMatchObject({ state: "busy", summary: { running: 1, queued: 1 } });
    expect((await host.get()).tasks.toSorted()).toEqual([running.task, retried.task].sort());
    expect(await host.task(retried.task)).toMatchObject({ state: "backingOff", failures: 1 });
    // The worker goes on with the session that was stored.
    expect(host.agents.agent(running.task).session).toBe(session);
    expect(await host.order()).toMatchObject({ task: running.task, duplicate: true });
    await host.advance(3_000);
    expect(host.agents.running.has(retried.task)).toBe(true);
  });

  inThreeModes("C12 what became of tasks while nobody listened is heard at the next attachment", async (bench) => {
    const host = await OrchestrationHost.open(bench);
    await host.bind();
    const { task } = await host.order();
    host.engine.crash();
    host.agents.die();
    await host.engine.restart();
    await host.dispatch();
    host.agents.receipt(task, { status: "completed", verification: [] });
    // As a crash leaves them between a submission and its record: one whose orchestrator works, and one whose is gone.
    const input = { kind: "worker", body: "x", requester: "main", orchestrator: "o1" };
    const late = { kind: "agent", queue: "agents", input, runAt: host.engine.time.now() + 86_400_000 };
    await host.dispatcher.submit([
      { ...late, id: "unrecorded", attributes: { orchestrator: "o1" } },
      { ...late, id: "orphan", attributes: { orchestrator: "o0" } },
    ]);
    await host.engine.settled();
    expect(await host.get()).toMatchObject({ tasks: [task], summary: { done: 0 } });
    await host.orchestration.attach(host.dispatcher);
    await host.engine.settled();
    expect(await host.get()).toMatchObject({ tasks: ["unrecorded"], summary: { done: 1, queued: 1, running: 0 } });
    expect(await host.task("orphan")).toMatchObject({ state: "cancelled", failure: { message: expect.stringContaining("its orchestrator retired") } });
  });

  inThreeModes("C13 an agent is told the contract with its task and attempt; a spawn that is not accepted, or names no session, fails the task with that reason", async (bench) => {
    const host = await OrchestrationHost.open(bench);
    await host.bind();
    const { task, key } = await host.order();
    const text = host.agents.requests[0]?.text ?? "";
    expect(text).toMatch(/^Count the files\.\n\n\[Result contract\]/);
    expect(text).toContain(`"task_id": "${task}"`);
    expect(text).toContain("Attempt: 1");
    expect((await host.order({ body: text })).key).toBe(key);
    host.agents.says = () => ({ accepted: false, reason: "it is full" });
    const refused = await host.order({ body: "a" });
    expect(await host.task(refused.task)).toMatchObject({ state: "failed", failure: { message: "the runtime did not accept the spawn: it is full" } });
    host.agents.says = () => ({ accepted: true });
    const nameless = await host.order({ body: "b" });
    expect(await host.task(nameless.task)).toMatchObject({ state: "failed", failure: { message: expect.stringContaining("named no session") } });
    // What a requester orders itself goes through its orchestrator.
    host.agents.says = undefined;
    const routed = await host.order({ body: "c" }, { requester: "main" });
    expect(routed.orchestrator).toBe("o1");
    expect((await host.get()).tasks).toContain(routed.task);
    expect(await host.task(routed.task)).toMatchObject({ spec: { attributes: { orchestrator: "o1", requester: "main", routed: true } } });
  });

  inThreeModes("C14 when a session ends its queued retries are dropped, with a record", async (bench) => {
    const host = await OrchestrationHost.open(bench);
    for (const [requester, orchestrator, session] of [
      ["main", "o1", { orchestrator: "o1" }],
      ["other", "o2", { requester: "other" }],
    ] as const) {
      await host.bind(requester, orchestrator);
      const retried = await host.order({}, { orchestrator });
      const waiting = await host.order({ body: "Count the folders." }, { orchestrator });
      await host.play(() => host.agents.agent(retried.task).end({ outcome: "error" }));
      await host.call(host.orchestration.end(session, by));
      expect(await host.get(orchestrator)).toMatchObject({ state: "retired", tasks: [], droppedRetries: [retried.task] });
      expect(await host.task(retried.task)).toMatchObject({ state: "cancelled", failure: { message: expect.stringContaining("its orchestrator retired") } });
      expect(await host.task(waiting.task)).toMatchObject({ state: "cancelled" });
      expect(host.said("orchestrator.retired").at(-1)).toMatchObject({ orchestrator, droppedRetries: [retried.task] });
      await host.advance(10_000);
      expect(host.agents.running.size).toBe(0);
    }
  });
});
