import type { SignalSource, StopSignal } from "../../src/cli/interrupts.ts";
import type { Streams } from "../../src/cli/streams.ts";
import type { Work } from "../../src/cli/work.ts";
import { type Dispatcher, endedStates, type TaskSpec, type TaskState, type TaskView } from "../../src/dispatch/index.ts";
import { noUsage, type TaskEnvelope } from "../../src/domain/task.ts";

/** Streams that keep what is written. */
export const recordedStreams = (options: { readonly input?: string; readonly isTerminal?: boolean } = {}) => {
  const written = { out: "", error: "" };
  const streams: Streams = {
    out: (text) => {
      written.out += text;
    },
    error: (text) => {
      written.error += text;
    },
    isTerminal: options.isTerminal ?? false,
    columns: () => 80,
    input: async () => options.input ?? "",
  };
  return { streams, written };
};

/** Signals that a test sends by hand. */
export const heldSignals = () => {
  const listeners = new Set<(signal: StopSignal) => void>();
  const source: SignalSource = (listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  const send = (signal: StopSignal) => {
    for (const listener of listeners) listener(signal);
  };
  return { source, send, listening: () => listeners.size };
};

/** A task that runs a command, as it is resolved. */
export const envelope = (id: string, more: Partial<TaskEnvelope> = {}): TaskEnvelope => ({
  id,
  kind: "command",
  queue: "default",
  input: { command: { argv: ["true"] } },
  priority: 0,
  needs: [],
  whenNeedFails: "cancel",
  acceptanceTimeoutMs: 30_000,
  executionTimeoutMs: 3_600_000,
  answerTimeoutMs: 86_400_000,
  retry: { attemptsMax: 1, backoff: { kind: "fixed", baseMs: 0 }, outcomes: ["error", "timeout"] },
  lossesMax: 5,
  budget: {},
  verification: { when: "never", graceMs: 120_000 },
  slots: 1,
  tags: [],
  attributes: {},
  ...more,
});

export const view = (id: string, state: TaskState, more: Partial<TaskView> = {}): TaskView => ({
  id,
  spec: envelope(id),
  state,
  priority: 0,
  needs: [],
  attempts: 0,
  failures: 0,
  usage: noUsage,
  progress: undefined,
  session: undefined,
  question: undefined,
  receipt: undefined,
  verdict: undefined,
  artifact: undefined,
  worker: undefined,
  failure: undefined,
  result: undefined,
  until: undefined,
  createdAt: 0,
  at: 0,
  ...more,
});

export const failed = (message: string) => ({ name: "CommandFailed", message });
export const result = (exitCode: number, stderr = "") => ({ exitCode, signal: null, stdout: "", stderr, durationMs: 20 });

/** A named moment: somebody gives it, others wait for it. */
const signal = () => {
  let give = () => {};
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { given, give: () => give() };
};

const noOrder = async () => ({ done: [], refused: [] });
const nothing = async () => {};
const orders: Pick<Dispatcher, "cancel" | "pause" | "resume" | "retryNow" | "reprioritise" | "expire" | "answer" | "verify" | "reject" | "preview" | "queues" | "workers"> = {
  cancel: noOrder,
  pause: noOrder,
  resume: noOrder,
  retryNow: noOrder,
  reprioritise: noOrder,
  expire: noOrder,
  answer: noOrder,
  verify: noOrder,
  reject: noOrder,
  preview: noOrder,
  queues: { list: async () => [], configure: nothing, pause: nothing, resume: nothing, drain: nothing },
  workers: { list: async () => [], connect: () => Promise.reject(new Error("there are none")), drain: nothing, retire: nothing },
};

/** A dispatcher that does what the test says: nothing moves by itself. */
export const heldWork = (begun: (specs: ReadonlyArray<TaskSpec>) => void = () => {}) => {
  const views = new Map<string, TaskView>();
  const listeners = new Set<(task: TaskView) => void>();
  const waiters = new Set<() => void>();
  const calls: Array<string> = [];
  const drained = signal();
  const drainAsked = signal();
  const health: { state: "well" | "degraded" | "stopped"; cause: { name: string; message: string } | undefined } = { state: "well", cause: undefined };
  const dispatcher: Dispatcher = {
    submit: (async (specs: ReadonlyArray<TaskSpec & { readonly id: string }>) => {
      calls.push("submit");
      const answers = specs.map(({ id }) => ({ id, duplicate: views.has(id) }));
      for (const { id, input, retry } of specs)
        if (!views.has(id)) views.set(id, view(id, "queued", { spec: envelope(id, { input, retry: { ...envelope(id).retry, attemptsMax: retry?.attemptsMax ?? 1 } }) }));
      begun(specs);
      return answers;
    }) as unknown as Dispatcher["submit"],
    get: async (id) => views.get(id),
    list: async () => ({ tasks: [...views.values()], cursor: undefined }),
    observe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    whenEnded: (ids) =>
      new Promise((resolve) => {
        const look = () => {
          const wanted = ids.map((id) => views.get(id));
          if (wanted.every((task) => task !== undefined && endedStates.has(task.state))) resolve(wanted as ReadonlyArray<TaskView>);
        };
        waiters.add(look);
        look();
      }),
    ...orders,
    drain: () => {
      calls.push("drain");
      drainAsked.give();
      return drained.given;
    },
    stop: async () => {
      calls.push("stop");
    },
  };
  const work: Work = {
    dispatcher,
    health: () => health,
    close: async () => {
      calls.push("close");
    },
  };
  return {
    work,
    calls,
    health,
    drainAsked: drainAsked.given,
    letDrain: () => drained.give(),
    /** Moves a task, as the engine would. */
    move: (id: string, state: TaskState, more: Partial<TaskView> = {}) => {
      const moved = { ...(views.get(id) ?? view(id, state)), ...more, state };
      views.set(id, moved);
      for (const listener of listeners) listener(moved);
      for (const waiter of waiters) waiter();
    },
  };
};
