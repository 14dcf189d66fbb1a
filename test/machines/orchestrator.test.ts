import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { orchestrator, type OrchestratorContext, type OrchestratorEvent, type OrchestratorInput } from "../../machines/orchestrator.ts";
import { isOver, summaryStateOf, summaryStates } from "../../src/domain/status-summary.ts";
import { type Actor, done, elapsed, failed, type Stimulus } from "./actor.ts";
import { Chart } from "./chart.ts";
import { describeCoverage, describeTable, describeWalk, ignored, to } from "./table.ts";

const chart = new Chart(orchestrator, []);
const input: OrchestratorInput = { requester: "requester/r", outbox: "outbox/up", idleMs: 180_000, statusEveryMs: 700, tasksMax: 3 };
const at = Date.UTC(2030, 0, 1);
const bound = { type: "BOUND" } as const;
const refused = { type: "REFUSED", other: "orchestrator/other" } as const;
const order = { type: "ORDER_WORK", count: 1 } as const;
const track = (...tasks: ReadonlyArray<string>) => ({ type: "TRACK", tasks }) as const;
const moved = (task: string, state: string, later = 1, code?: string) =>
  ({ type: "TASK_MOVED", task, state, at: at + later, ...(code === undefined ? {} : { failure: { code, message: "it broke" } }) }) as const;
const say = { type: "SAY", target: "channel", key: "k", messageType: "note", payload: { text: "hello" }, at } as const;
const call = { type: "CALL_TOOL", policy: { allowed: { orchestrator: ["submit"] }, letThroughAt: 3 }, run: "1", tool: "write" } as const;
const end = { type: "END", by: "host", why: "it was closed" } as const;
const requesterEnd = { type: "REQUESTER_ENDED", by: "anna", why: "she left" } as const;
const notYet = "it is not bound yet";
const settled = "its requester answered before";

const whileSupervising = (state: string) => ({
  BOUND: ignored(settled, bound),
  REFUSED: ignored(settled, refused),
  ORDER_WORK: to(state, order),
  SAY: to(state, say),
  CALL_TOOL: to(state, call),
  END: to("retired", end),
  REQUESTER_ENDED: to("retired", requesterEnd),
});
const another = (state: string) => ({ "done bulletin": to(state, done("bulletin", undefined)), "error bulletin": to(state, failed("bulletin", { name: "Error", message: "it broke" })) });

describe("machines > orchestrator", () => {
  describeTable<OrchestratorEvent>(chart, {
    input,
    samples: { BOUND: bound, REFUSED: refused, ORDER_WORK: order, TRACK: track("t"), TASK_MOVED: moved("t", "done"), SAY: say, CALL_TOOL: call, END: end, REQUESTER_ENDED: requesterEnd },
    rows: {
      binding: {
        way: [],
        on: {
          BOUND: to("supervising.idle", bound),
          REFUSED: to("refused", refused),
          ORDER_WORK: ignored(notYet, order),
          TRACK: ignored(notYet, track("t")),
          TASK_MOVED: ignored(notYet, moved("t", "done")),
          SAY: ignored(notYet, say),
          CALL_TOOL: ignored(notYet, call),
          END: to("retired", end),
          REQUESTER_ENDED: to("retired", requesterEnd),
        },
        after: { bindingTimeout: to("refused", elapsed("bindingTimeout")) },
      },
      "supervising.idle": {
        way: [bound],
        on: {
          ...whileSupervising("supervising.idle"),
          TRACK: [to("supervising.busy", track("t")), ignored("they have ended", track("t"), { way: [bound, track("t"), moved("t", "done")] })],
          TASK_MOVED: ignored("it is not its own, or has ended", moved("t", "done")),
        },
        after: { idleTimeout: to("retired", elapsed("idleTimeout")) },
        children: another("supervising.idle"),
      },
      "supervising.busy": {
        way: [bound, track("t")],
        on: {
          ...whileSupervising("supervising.busy"),
          TRACK: [to("supervising.busy", track("t", "u")), ignored("they are its own already", track("t"))],
          TASK_MOVED: [
            to("supervising.busy", moved("t", "running")),
            to("supervising.idle", moved("t", "done")),
            ignored("it is older than what is known", moved("t", "running", -1), { way: [bound, track("t"), moved("t", "queued")] }),
            ignored("it is not its own, or has ended", moved("u", "done")),
          ],
        },
        children: another("supervising.busy"),
      },
      retired: { way: [bound, end], over: "it refuses work" },
      refused: { way: [refused], over: "its requester has another one" },
    },
  });

  const told = (given: OrchestratorInput, ...stimuli: ReadonlyArray<Stimulus>): Actor => {
    const actor = chart.begin(given);
    for (const stimulus of stimuli) actor.tell(stimulus);
    return actor;
  };
  const contextOf = (...stimuli: ReadonlyArray<Stimulus>) => told(input, ...stimuli).context<OrchestratorContext>();
  interface Message {
    readonly to: string;
    readonly type: string;
    readonly [key: string]: unknown;
  }
  const messages = (actor: Actor) => actor.commands.flatMap((command) => (command.type === "send" && command.to.kind === "address" ? [{ to: command.to.address, ...command.event } as Message] : []));
  const said = (actor: Actor) =>
    messages(actor).flatMap((message) =>
      message.type === "ENQUEUE" ? (message as unknown as { entries: ReadonlyArray<{ key: string; type: string; payload: Record<string, unknown> }> }).entries : [],
    );
  const replyTo = { xstate$$type: 1, id: "host/1", address: "host/1" } as never;

  test("asks its requester first, and says who has it where it is refused", () => {
    expect(messages(told(input))).toEqual([{ to: "requester/r", type: "BIND", orchestrator: "orchestrator/1" }]);
    expect(contextOf(refused)).toMatchObject({ other: "orchestrator/other", reason: "its requester has another orchestrator, other" });
    expect(contextOf(elapsed("bindingTimeout")).reason).toBe("its requester did not answer");
    // Its question may be under way: whoever hears it late must not be bound to it for good.
    const late = messages(told(input, elapsed("bindingTimeout"))).filter(({ to }) => to === input.requester);
    expect(late.map(({ type }) => type)).toEqual(["BIND", "UNBIND"]);
  });
  test("counts its tasks, each where it stands", () => {
    expect(contextOf(bound, track("a", "b", "c"), moved("a", "running"), moved("b", "backingOff"), moved("c", "parked"), moved("a", "done", 2)).summary).toMatchObject({
      queued: 1,
      running: 0,
      needsInput: 1,
      done: 1,
    });
  });
  test("a task that is told of twice, late, or after its end is counted once", () => {
    const context = contextOf(
      bound,
      track("a"),
      moved("a", "running", 5),
      moved("a", "queued", 4),
      moved("a", "dead", 6, "timeout"),
      moved("a", "dead", 6, "timeout"),
      moved("a", "running", 7),
      track("a"),
    );
    expect(context).toMatchObject({ tasks: {}, ended: ["a"], summary: { dead: 1, running: 0, queued: 0 }, picture: { "dead timeout": 1 } });
  });
  test("an incident is told once for each failure picture", () => {
    const actor = told(input, bound, track("a", "b"), moved("a", "dead", 1, "timeout"), moved("a", "dead", 1, "timeout"), moved("b", "failed", 2));
    expect(said(actor).map(({ key }) => key)).toEqual(["incident:1:dead timeout 1", "incident:1:dead timeout 1, failed unknown 1"]);
    expect(said(actor)[0]?.payload).toMatchObject({ orchestrator: "1", requester: "r", task: "a", failure: { code: "timeout" } });
  });
  test("takes as many tasks at a time as it may", () => {
    const answers = (...stimuli: ReadonlyArray<Stimulus>) => messages(told(input, bound, ...stimuli, { ...order, count: 2, replyTo } as Stimulus)).at(-1);
    expect(answers(track("a"))).toEqual({ to: "host/1", type: "WORK", hasRoom: true });
    expect(answers(track("a", "b"))).toMatchObject({ hasRoom: false });
  });
  test("what it says again within the window is held back, and whoever asked is told so", () => {
    const actor = told(input, bound, { ...say, replyTo } as Stimulus, { ...say, at: at + 119_999, replyTo } as Stimulus, { ...say, at: at + 120_000, replyTo } as Stimulus);
    expect(messages(actor).flatMap((message) => (message.type === "SAID" ? [message.suppressed] : []))).toEqual([false, true, false]);
    expect(said(actor)).toHaveLength(2);
    expect(said(actor)[0]).toMatchObject({ type: "note", payload: { target: "channel", payload: { text: "hello" } } });
  });
  test("when it retires its tasks are cancelled, its requester is free, and dropped retries are recorded", () => {
    const actor = told(input, bound, track("a", "b", "c"), moved("a", "running"), moved("b", "backingOff"), moved("c", "done"), requesterEnd);
    expect(
      messages(actor)
        .filter(({ type }) => type === "CANCEL")
        .map(({ to }) => to),
    ).toEqual(["task/a", "task/b"]);
    expect(messages(actor)).toContainEqual({ to: "requester/r", type: "UNBIND", orchestrator: "orchestrator/1" });
    expect(said(actor).at(-1)).toMatchObject({ key: "retired:1", payload: { cancelled: ["a", "b"], droppedRetries: ["b"], reason: "its requester's session has ended: she left (anna)" } });
    expect(actor.context<OrchestratorContext>()).toMatchObject({ droppedRetries: ["b"], tasks: {} });
    expect(contextOf(bound, elapsed("idleTimeout")).reason).toBe("it had nothing to do for 180000 ms");
  });
  test("whoever asks for a call is answered", () => {
    const asked = { ...call, replyTo } as Stimulus;
    expect(messages(told(input, bound, asked, asked, asked)).flatMap((message) => (message.type === "PERMISSION" ? [message.permission] : []))).toEqual(["blocked", "blocked", "letThrough"]);
  });
  test("what another orchestrator says in the same millisecond has another key", () => {
    expect(said(told(input, bound, say)).at(-1)?.key).toMatch(/^1:/);
  });
  test("without an outbox it emits what it says", () => {
    const { outbox: _, ...without } = input;
    const emitted = told(without, bound, track("a"), moved("a", "dead", 1, "timeout"), say, end).commands.flatMap((command) => (command.type === "emit" ? [command.event.type] : []));
    expect(emitted).toEqual(["orchestrator.incident", "orchestrator.message", "orchestrator.retired"]);
  });

  const task = fc.constantFrom("a", "b", "c");
  const state = fc.constantFrom("queued", "assigned", "running", "parked", "verifying", "backingOff", "done", "failed", "dead", "cancelled");
  describeWalk<OrchestratorContext>(chart, {
    input: fc.constant(input),
    told: fc.oneof(
      fc.constantFrom<() => OrchestratorEvent>(
        () => bound,
        () => order,
        () => say,
        () => call,
      ),
      { weight: 4, arbitrary: task.map((name) => (): OrchestratorEvent => track(name)) },
      {
        weight: 8,
        arbitrary: fc.tuple(task, state, fc.nat(20)).map(
          ([name, to, later]) =>
            (): OrchestratorEvent =>
              moved(name, to, later),
        ),
      },
    ),
    invariants: {
      "none of them is over": ({ context }) => Object.values(context.tasks).every(({ state }) => !isOver(summaryStateOf(state))),
      "its counts of what is not over are those of `tasks`": ({ state, context }) =>
        state === "retired" ||
        summaryStates.filter((word) => !isOver(word)).every((word) => context.summary[word] === Object.values(context.tasks).filter(({ state }) => summaryStateOf(state) === word).length),
      "no task has ended twice": ({ context }) => new Set(context.ended).size === context.ended.length,
      "it is idle exactly while it has no task": ({ state, context }) => !state.startsWith("supervising") || (state === "supervising.idle") === (Object.keys(context.tasks).length === 0),
    },
  });

  describeCoverage(chart);
});
