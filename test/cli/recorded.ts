import type { SignalSource, StopSignal } from "../../src/cli/interrupts.ts";
import type { Streams } from "../../src/cli/streams.ts";
import type { Work } from "../../src/cli/work.ts";
import type { Dispatcher, TaskSpec, TaskState, TaskView } from "../../src/dispatch/index.ts";

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

export const view = (id: string, state: TaskState, more: Partial<TaskView> = {}): TaskView => ({
  id,
  spec: { id, command: { argv: ["true"] } },
  state,
  attempts: 0,
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
    submit: async (specs) => {
      calls.push("submit");
      for (const spec of specs) if (!views.has(spec.id)) views.set(spec.id, view(spec.id, "queued", { spec }));
      begun(specs);
    },
    tasks: async () => [...views.values()],
    observe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    whenEnded: (ids) =>
      new Promise((resolve) => {
        const look = () => {
          const wanted = ids.map((id) => views.get(id));
          if (wanted.every((task) => task !== undefined && ["done", "dead", "cancelled"].includes(task.state))) resolve(wanted as ReadonlyArray<TaskView>);
        };
        waiters.add(look);
        look();
      }),
    cancel: async () => {},
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
