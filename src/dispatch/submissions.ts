import { createHash, randomUUID } from "node:crypto";
import type { TaskInput } from "../../machines/task.ts";
import type { TaskEnvelope } from "../domain/task.ts";
import type { ActorView, Taskwright } from "../engine/index.ts";
import { InvalidTask, QueueDraining } from "./errors.ts";
import type { LiveTasks } from "./live-tasks.ts";
import { type Resolution, resolveTask } from "./resolve-task.ts";
import { dependentsFirst, dependentsOf } from "./task-order.ts";
import type { TaskSpec } from "./task-spec.ts";
import { taskAddress, taskStateOf } from "./task-view.ts";

export interface Submitted {
  readonly id: string;
  /** It was there already (by its id), or the same work is active (by its key): nothing was stored. */
  readonly duplicate: boolean;
}

export interface SubmitOptions {
  /** Who submits, as the history of the tasks will say: a name without a slash, at most 200 characters. */
  readonly by?: string;
}

export interface SubmissionParts {
  readonly engine: Taskwright;
  readonly live: LiveTasks;
  readonly resolution: Resolution;
  readonly now: () => number;
  readonly isDraining: (queue: string) => boolean;
}

/** Tasks that are handed to the engine at a time, for one transaction (its `startsTogetherMax`): what waits in its intake is bounded. */
const startsMax = 10_000;
/** Numbers of keys that are remembered; others are found in the journal. */
const numbersMax = 10_000;

/** How tasks come in: resolved and checked as a whole, then stored, the same work once. */
export const makeSubmissions = ({ engine, live, resolution, now, isDraining }: SubmissionParts) => {
  /** Tasks of keys that are being stored: they are not heard of yet. */
  const reserved = new Map<string, Reservation>();
  const numbers = new Map<string, number>();
  /** Somebody looks for what outboxes did not take. */
  let isSwept = false;

  const find = async (id: string): Promise<ActorView | undefined> => {
    try {
      return await engine.snapshot(taskAddress(id));
    } catch (error) {
      if ((error as { readonly _tag?: unknown })._tag === "UnknownActor") return undefined;
      throw error;
    }
  };
  /** The first number that no task of this key has. */
  const freeNumber = async (prefix: string): Promise<number> => {
    let next = numbers.get(prefix);
    if (next === undefined) return firstFree(prefix);
    // Where retention removed the first ones, there may be others behind a number that was free.
    do next++;
    while ((await find(`${prefix}-${next}`)) !== undefined);
    return next;
  };
  const firstFree = async (prefix: string): Promise<number> => {
    let [taken, free] = [0, 1];
    while ((await find(`${prefix}-${free}`)) !== undefined) [taken, free] = [free, free * 2];
    while (free - taken > 1) {
      const middle = (taken + free) >> 1;
      if ((await find(`${prefix}-${middle}`)) === undefined) free = middle;
      else taken = middle;
    }
    return free;
  };
  const nextId = async (key: string): Promise<string> => {
    const prefix = prefixOf(key);
    const number = await freeNumber(prefix);
    if (numbers.size >= numbersMax) numbers.delete(numbers.keys().next().value as string);
    numbers.set(prefix, number);
    return `${prefix}-${number}`;
  };
  const reserve = (key: string): Reservation => {
    const reservation = makeReservation();
    reserved.set(key, reservation);
    return reservation;
  };

  /** Makes sure that a waiting task hears of the end of one that it needs, whatever a crash left undone. */
  const connect = async (id: string, need: string): Promise<void> => {
    if (live.get(need)?.dependents.includes(id) === true) return;
    const isThere = live.get(need) !== undefined || (await find(need)) !== undefined;
    if (!isThere) return;
    const { outcome } = await engine.send(taskAddress(need), { type: "ADD_DEPENDENT", task: id });
    if (outcome !== "ended") return;
    // It is over, and tells nobody any more.
    const ended = await find(need);
    if (ended === undefined) return;
    await engine.send(taskAddress(id), { type: taskStateOf(ended) === "done" ? "NEED_DONE" : "NEED_FAILED", task: need });
  };
  const connectAll = async (tasks: Iterable<{ readonly id: string; readonly needs: ReadonlyArray<string> }>): Promise<void> => {
    const pairs = [...tasks].flatMap(({ id, needs }) => needs.map((need) => [id, need] as const));
    for (let from = 0; from < pairs.length; from += 1_000) await Promise.all(pairs.slice(from, from + 1_000).map(([id, need]) => connect(id, need)));
  };

  /** Ids that are needed and that nobody knows. */
  const unknownNeeds = async (envelopes: ReadonlyArray<TaskEnvelope>): Promise<ReadonlySet<string>> => {
    const own = new Set(envelopes.map(({ id }) => id));
    const others = new Set(envelopes.flatMap(({ needs }) => needs).filter((need) => !own.has(need) && live.get(need) === undefined));
    const found = await Promise.all([...others].map(async (need) => [need, await find(need)] as const));
    return new Set(found.flatMap(([need, view]) => (view === undefined ? [need] : [])));
  };

  const inputOf = (spec: TaskEnvelope, dependents: ReadonlyArray<string>, at: number): TaskInput => {
    const startDelayMs = spec.debounce?.ms ?? (spec.runAt === undefined ? 0 : Math.max(0, spec.runAt - at));
    return {
      spec,
      needs: spec.needs,
      dependents,
      ...(startDelayMs > 0 ? { startDelayMs } : {}),
      ...(spec.deadline === undefined ? {} : { deadlineMs: Math.max(0, spec.deadline - at) }),
    };
  };

  /** The same work is active: it is suppressed, or puts the work off where it is to be the last of a series. */
  const suppress = async (id: string, envelope: TaskEnvelope, at: number): Promise<Submitted> => {
    const task = live.get(id);
    if (envelope.debounce !== undefined && task?.state === "waiting") {
      const { ms, maxMs } = envelope.debounce;
      const delayMs = maxMs === undefined ? ms : Math.max(1, Math.min(ms, task.createdAt + maxMs - at));
      await engine.send(taskAddress(id), { type: "RESUBMIT", input: envelope.input, delayMs });
    }
    return { id, duplicate: true };
  };

  const submit = async (specs: ReadonlyArray<TaskSpec>, { by }: SubmitOptions = {}): Promise<ReadonlyArray<Submitted>> => {
    const at = now();
    const resolved = specs.map((spec) => resolveTask(spec, resolution, at));
    const problems = resolved.flatMap((result, index) => ("wrong" in result ? result.wrong.map((detail) => ({ index, ...nameOf(specs[index]), detail })) : []));
    if (problems.length > 0) throw new InvalidTask({ problems });
    const answers = new Array<Submitted | Promise<Submitted>>(specs.length);
    const fresh: Array<{ readonly index: number; readonly envelope: TaskEnvelope }> = [];
    const held = new Map<string, Reservation>();
    try {
      for (const [index, result] of resolved.entries()) {
        const { envelope } = result as { readonly envelope: TaskEnvelope };
        const { key, id, queue } = envelope;
        if (isDraining(queue) && live.get(id) === undefined) throw new QueueDraining({ queue });
        const underWay = key === undefined ? undefined : reserved.get(key);
        const active = key === undefined ? undefined : live.byKey(key);
        if (underWay !== undefined) answers[index] = underWay.stored.then((same) => ({ id: same, duplicate: true }));
        else if (active !== undefined) answers[index] = suppress(active, envelope, at);
        else {
          if (key !== undefined) held.set(key, reserve(key));
          fresh.push({ index, envelope });
        }
      }
      const named: Array<{ readonly index: number; readonly envelope: TaskEnvelope }> = [];
      for (const { index, envelope } of fresh) {
        const { key, id } = envelope;
        named.push({ index, envelope: id !== "" ? envelope : { ...envelope, id: key === undefined ? randomUUID() : await nextId(key) } });
      }
      const envelopes = named.map(({ envelope }) => envelope);
      const needing = envelopes.filter(({ needs }) => needs.length > 0);
      const order = needing.length === 0 ? { ordered: named } : dependentsFirst(named.map((task) => ({ ...task, id: task.envelope.id, needs: task.envelope.needs })));
      if ("circle" in order) throw new InvalidTask({ problems: [{ index: 0, id: order.circle[0], detail: `needs: they go in a circle: ${order.circle.join(" → ")}` }] });
      if (needing.length > 0) {
        const unknown = await unknownNeeds(envelopes);
        const wrong = named.flatMap(({ index, envelope }) =>
          live.get(envelope.id) === undefined ? envelope.needs.filter((need) => unknown.has(need)).map((need) => ({ index, id: envelope.id, detail: `needs: nobody knows a task "${need}"` })) : [],
        );
        if (wrong.length > 0) throw new InvalidTask({ problems: wrong });
      }
      if (!isSwept && envelopes.some(({ notification }) => notification !== undefined)) {
        await engine.start("redelivery", "tasks");
        isSwept = true;
      }
      const dependents = dependentsOf(envelopes);
      for (let from = 0; from < order.ordered.length; from += startsMax) {
        const page = order.ordered.slice(from, from + startsMax);
        // Dependents first: whoever ends finds those that it must tell. Some may wait for it already.
        const receipts = await engine.startAll(
          page.map(({ envelope }) => ({
            machine: "task",
            ...(by === undefined ? {} : { by }),
            id: envelope.id,
            input: inputOf(envelope, [...new Set([...(dependents.get(envelope.id) ?? []), ...live.wanting(envelope.id)])], at),
          })),
        );
        for (const [place, { duplicate }] of receipts.entries()) {
          const { index, envelope } = page[place] as { readonly index: number; readonly envelope: TaskEnvelope };
          answers[index] = { id: envelope.id, duplicate };
          if (envelope.key !== undefined) held.get(envelope.key)?.tell(envelope.id);
        }
      }
      // Those whose needs were there before, and those that an earlier submission of the same left half-way.
      if (needing.length > 0) await connectAll(needing.flatMap(({ id }) => live.get(id) ?? []));
      return await Promise.all(answers);
    } catch (error) {
      for (const { fail } of held.values()) fail(error);
      throw error;
    } finally {
      for (const key of held.keys()) reserved.delete(key);
    }
  };

  return { submit, find, connectAll };
};

/** Work that is being stored, for those who ask for the same meanwhile. */
interface Reservation {
  readonly stored: Promise<string>;
  readonly tell: (id: string) => void;
  readonly fail: (error: unknown) => void;
}
const makeReservation = (): Reservation => {
  let [tell, fail]: [(id: string) => void, (error: unknown) => void] = [() => {}, () => {}];
  const stored = new Promise<string>((resolve, reject) => {
    [tell, fail] = [resolve, reject];
  });
  // Where nobody waits for it, its failure is told to the one who made it.
  stored.catch(() => {});
  return { stored, tell: (id) => tell(id), fail: (error) => fail(error) };
};

const nameOf = (spec: TaskSpec | undefined): { readonly id?: string } => (typeof spec?.id === "string" ? { id: spec.id } : {});

/** The beginning of the ids of a key's tasks: readable where it can be, and always unique. */
const prefixOf = (key: string): string => {
  const slug = key.replace(/[^\w.:@-]+/g, "-").slice(0, 60);
  return slug === key ? key : `${slug}-${createHash("sha256").update(key).digest("hex").slice(0, 12)}`;
};
