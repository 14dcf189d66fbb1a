import type { Dispatcher, QueueView, TaskView, WorkerView } from "../dispatch/index.ts";
import { attemptsMax, endedStates, standingOf } from "../dispatch/index.ts";
import type { Time } from "../engine/index.ts";
import { breath } from "./breath.ts";
import type { TaskLine, TaskList } from "./task-wire.ts";

/** Tasks that are known at a time; beyond it the oldest that have ended are left out. */
const tasksMax = 300_000;
const page = 500;
/** How long what queues and workers said holds for the reasons of a list. */
const factsMs = 500;
/** How old the order of a list may be while tasks move. */
const sortedMs = 1_000;
/** Characters of a reason. */
const whyMax = 200;

interface Known extends TaskLine {
  /** What a search looks at. */
  readonly text: string;
  readonly createdAt: number;
}

export const taskSorts = ["id", "state", "queue", "priority", "attempts", "since", "until", "createdAt"] as const;
export interface TaskQuery {
  readonly state?: string | undefined;
  readonly queue?: string | undefined;
  readonly kind?: string | undefined;
  readonly search?: string | undefined;
  readonly sort: (typeof taskSorts)[number];
  readonly descending: boolean;
  readonly from: number;
  readonly limit: number;
}

interface Facts {
  readonly at: number;
  readonly queues: ReadonlyMap<string, QueueView>;
  readonly workers: ReadonlyArray<WorkerView>;
}

/**
 * All tasks of a dispatcher in short, kept in memory while somebody looks: read once in pages, then told. It holds no
 * truth; what it says of a task may be a frame old.
 */
export class Tasks {
  readonly #dispatcher: Dispatcher;
  readonly #time: Time;
  readonly #known = new Map<string, Known>();
  #stop: (() => void) | undefined;
  #reading: Promise<void> | undefined;
  #isComplete = false;
  #revision = 0;
  #sorted: { readonly key: string; readonly revision: number; readonly at: number; readonly lines: ReadonlyArray<Known> } | undefined;
  #counted: (Pick<TaskList, "states" | "queues" | "kinds"> & { readonly revision: number; readonly at: number }) | undefined;
  #facts: Promise<Facts> | undefined;
  #factsAt = 0;

  constructor(dispatcher: Dispatcher, time: Time) {
    this.#dispatcher = dispatcher;
    this.#time = time;
  }

  /** Begins to watch, if nobody does. Resolves when all stored tasks were read. */
  watch(): Promise<void> {
    if (this.#stop === undefined) {
      this.#stop = this.#dispatcher.observe((task) => this.#hear(task));
      this.#reading = this.#read();
    }
    return this.#reading as Promise<void>;
  }

  /** Nobody looks any more. */
  rest(): void {
    this.#stop?.();
    this.#stop = undefined;
    this.#isComplete = false;
    this.#sorted = undefined;
    this.#counted = undefined;
    this.#known.clear();
  }

  async #read(): Promise<void> {
    const stop = this.#stop;
    for (let cursor: string | undefined; ; ) {
      const read = await this.#dispatcher.list({ limit: page, ...(cursor === undefined ? {} : { cursor }) });
      if (this.#stop !== stop) return;
      // What was told meanwhile is newer.
      for (const task of read.tasks) if (!this.#known.has(task.id)) this.#place(task, task.at);
      cursor = read.cursor;
      if (cursor === undefined) break;
      await breath();
    }
    this.#isComplete = true;
  }

  #hear(task: TaskView): void {
    const before = this.#known.get(task.id);
    this.#place(task, before?.state === task.state ? before.since : task.at);
  }

  #place(task: TaskView, since: number): void {
    if (this.#known.size >= tasksMax && !this.#known.has(task.id)) this.#forget();
    const { key = "", tags } = task.spec;
    this.#known.set(task.id, { ...lineOf(task, since), text: [task.id, key, ...tags].join("\n").toLowerCase(), createdAt: task.createdAt });
    this.#revision++;
  }

  #forget(): void {
    let left = Math.ceil(tasksMax / 20);
    for (const [id, { state }] of this.#known) {
      if (left === 0) return;
      if (!endedStates.has(state)) continue;
      this.#known.delete(id);
      left--;
    }
  }

  async list(query: TaskQuery): Promise<TaskList> {
    const { from, limit } = query;
    const lines = this.#sort(query);
    const facts = await this.facts();
    const { states, queues, kinds } = this.#count();
    return {
      total: lines.length,
      of: this.#known.size,
      from,
      lines: lines.slice(from, from + limit).map(({ text: _, createdAt: __, ...line }) => ({ ...line, why: whyOf(line, facts) })),
      states,
      queues,
      kinds,
      complete: this.#isComplete,
    };
  }

  /** The ids of all that a filter finds, in its order. */
  ids(query: TaskQuery): ReadonlyArray<string> {
    return this.#sort(query).map(({ id }) => id);
  }

  /** What the reasons of tasks that wait for a slot depend on. */
  facts(): Promise<Facts> {
    const at = this.#time.now();
    if (this.#facts === undefined || at - this.#factsAt > factsMs) {
      this.#factsAt = at;
      this.#facts = Promise.all([this.#dispatcher.queues.list(), this.#dispatcher.workers.list()]).then(([queues, workers]) => ({
        at,
        queues: new Map(queues.map((queue) => [queue.name, queue])),
        workers,
      }));
    }
    return this.#facts;
  }

  /** One task as a line: also of one that no list knows. */
  async line(task: TaskView): Promise<TaskLine> {
    const known = this.#known.get(task.id);
    const line = lineOf(task, known?.state === task.state ? known.since : task.at);
    return { ...line, why: whyOf(line, await this.facts()) };
  }

  #isFresh(made: { readonly revision: number; readonly at: number } | undefined): boolean {
    return made !== undefined && (made.revision === this.#revision || this.#time.now() - made.at <= sortedMs);
  }

  #count(): Pick<TaskList, "states" | "queues" | "kinds"> {
    if (this.#counted === undefined || !this.#isFresh(this.#counted)) {
      const states: Record<string, number> = {};
      const queues: Record<string, number> = {};
      const kinds: Record<string, number> = {};
      for (const { state, queue, kind } of this.#known.values()) {
        states[state] = (states[state] ?? 0) + 1;
        queues[queue] = (queues[queue] ?? 0) + 1;
        kinds[kind] = (kinds[kind] ?? 0) + 1;
      }
      this.#counted = { states, queues, kinds, revision: this.#revision, at: this.#time.now() };
    }
    return this.#counted;
  }

  #sort({ from: _, limit: __, ...query }: TaskQuery): ReadonlyArray<Known> {
    const key = JSON.stringify(query);
    // Sorting a hundred thousand costs too much to be done anew for each row that scrolls by.
    if (this.#sorted?.key === key && this.#isFresh(this.#sorted)) return this.#sorted.lines;
    const { state, queue, kind, search, sort, descending } = query;
    const wanted = search?.toLowerCase() ?? "";
    const found: Array<Known> = [];
    for (const task of this.#known.values())
      if ((state === undefined || task.state === state) && (queue === undefined || task.queue === queue) && (kind === undefined || task.kind === kind) && (wanted === "" || task.text.includes(wanted)))
        found.push(task);
    const sign = descending ? -1 : 1;
    const by =
      sort === "id" || sort === "state" || sort === "queue"
        ? (left: Known, right: Known) => (left[sort] < right[sort] ? -1 : left[sort] > right[sort] ? 1 : 0)
        : sort === "until"
          ? (left: Known, right: Known) => (left.until ?? Number.MAX_VALUE) - (right.until ?? Number.MAX_VALUE)
          : (left: Known, right: Known) => left[sort] - right[sort];
    const lines = found.sort((left, right) => sign * by(left, right) || left.createdAt - right.createdAt);
    this.#sorted = { key, revision: this.#revision, at: this.#time.now(), lines };
    return lines;
  }
}

const lineOf = (task: TaskView, since: number): TaskLine => {
  const { id, state, spec, priority, attempts, worker, until } = task;
  return {
    id,
    state,
    kind: spec.kind,
    queue: spec.queue,
    tags: spec.tags,
    priority,
    attempts,
    attemptsMax: attemptsMax(task),
    ...(worker === undefined ? {} : { worker }),
    since,
    ...(until === undefined ? {} : { until }),
    why: clipped(state === "queued" ? (task.failure?.message ?? "") : standingOf(task)),
  };
};

const clipped = (text: string): string => (text.length > whyMax ? `${text.slice(0, whyMax - 1)}…` : text);

/** The reason of one that waits for a slot lies with its queue and the workers. */
const whyOf = (line: TaskLine, { queues, workers }: Facts): string => (line.state === "queued" ? `${slotReason(line, queues, workers)}${line.why === "" ? "" : `, after: ${line.why}`}` : line.why);

const slotReason = ({ queue, kind }: TaskLine, queues: Facts["queues"], workers: Facts["workers"]): string => {
  const { state, policy, running } = queues.get(queue) ?? { state: "open", policy: {} as QueueView["policy"], running: 0 };
  if (state === "paused") return "its queue is paused";
  const able = workers.filter((worker) => worker.kinds.includes(kind));
  if (able.length === 0) return `no worker carries out "${kind}"`;
  const active = able.filter((worker) => worker.state === "active" && !worker.isDraining);
  if (active.length === 0) return `no worker that carries out "${kind}" takes anything now`;
  if (policy.slotsMax !== undefined && running >= policy.slotsMax) return `its queue has all its ${policy.slotsMax} slots in use`;
  return active.every(({ slots, used }) => used >= slots) ? "waits for a free slot" : "waits for its turn";
};
