import type { ActorState, Child } from "../actor/index.ts";
import type { EngineEvent, Event } from "../domain/event.ts";
import type { HistoryEntry } from "../engine/index.ts";
import type { Stepped } from "./step-through.ts";

type Completion = Extract<EngineEvent, { type: "taskwright.done" | "taskwright.error" }>;
type TimerEvent = Extract<EngineEvent, { type: "taskwright.timer" }>;

/** How a child that was started ended, if it did: the answer that its parent was told. */
export interface RecordedChild {
  readonly src: string;
  /** What it was started with; absent where it was there before the history begins. */
  readonly start?: { readonly input: unknown };
  answer?: { readonly seq: number; readonly afterMs: number; readonly event: Completion };
}

/** What became of a deadline: when it was told, or the moment until which it was not. */
export interface RecordedTimer {
  /** The entry by which it was told; absent where it was taken away, or waits still. */
  seq?: number;
  /** When, in milliseconds since 1970; never before it is due. */
  at: number;
  /** Behind which entry it comes among those of the same moment. */
  order: number;
}

/** Something that an actor was told from outside: it comes whatever the machine does. */
export interface Input {
  readonly seq: number;
  readonly at: number;
  readonly order: number;
  readonly event: Event | EngineEvent;
  readonly from: string;
  readonly outcome: HistoryEntry["outcome"];
}

const derived: ReadonlySet<string> = new Set(["taskwright.offer", "taskwright.forget", "taskwright.hold", "taskwright.migrate"]);

/**
 * A history taken apart into what came from outside, and what followed from what the machine asked for: answers of its
 * children, told so long after their start, and deadlines. So that another machine, or the same one told something else,
 * gets the answers that it asks for, when it asks.
 */
export class Recorded {
  readonly steps: ReadonlyArray<Stepped>;
  readonly inputs: ReadonlyArray<Input>;
  /** The state at the beginning; nothing where the history begins with the start. */
  readonly begin: { readonly state: ActorState; readonly at: number } | undefined;
  readonly lastAt: number;
  /** By id, in the order in which they were started. */
  readonly #children = new Map<string, Array<RecordedChild>>();
  /** By id and due moment, in the order in which they were set. */
  readonly #timers = new Map<string, Array<RecordedTimer>>();

  constructor(steps: ReadonlyArray<Stepped>) {
    this.steps = steps;
    const [first] = steps;
    const isMoved = first?.entry.event.type === "taskwright.migrate";
    const begin = isMoved ? first.after : first?.before;
    this.begin = begin === undefined || first === undefined ? undefined : { state: begin, at: first.entry.at };
    this.lastAt = steps.at(-1)?.entry.at ?? 0;
    const living = new Map<string, { readonly recorded: RecordedChild; readonly token: number; readonly at: number }>();
    const waiting = new Map<number, { readonly recorded: RecordedTimer; readonly due: number }>();
    const inputs: Array<Input> = [];
    const bear = (id: string, { src, token }: Child, at: number, start?: RecordedChild["start"]) => {
      const recorded: RecordedChild = { src, ...(start === undefined ? {} : { start }) };
      push(this.#children, id, recorded);
      living.set(id, { recorded, token, at });
    };
    const wait = (timers: ActorState["timers"]) => {
      for (const [id, { due, token, held }] of Object.entries(timers)) {
        if (waiting.has(token) || held === true) continue;
        const recorded: RecordedTimer = { at: due, order: Number.POSITIVE_INFINITY };
        push(this.#timers, `${id}|${due}`, recorded);
        waiting.set(token, { recorded, due });
      }
    };
    if (this.begin !== undefined) {
      for (const [id, child] of Object.entries(this.begin.state.children)) if (child.ended !== true) bear(id, child, this.begin.at);
      wait(this.begin.state.timers);
    }
    for (const { entry, before, after, commands } of steps) {
      const { seq, at, from, outcome } = entry;
      const event = entry.event as Event | EngineEvent;
      if (!this.#isAnswer(event, entry, living) && !isTimer(event, entry, before, waiting) && !derived.has(event.type)) inputs.push({ seq, at, order: seq, event, from, outcome });
      for (const command of commands) {
        if (command.type !== "child.start") continue;
        const { id, src, token, input } = command;
        bear(id, { src, token }, at, { input });
      }
      if (after === undefined) continue;
      wait(after.timers);
      const tokens = new Set(Object.values(after.timers).map(({ token }) => token));
      for (const [token, { recorded }] of waiting) {
        if (tokens.has(token)) continue;
        waiting.delete(token);
        // It was taken away, though it may have been due: no engine was there to tell it.
        if (recorded.seq === undefined) {
          recorded.at = Math.max(recorded.at, at);
          recorded.order = seq + 0.5;
        }
      }
    }
    // It waits still, though it may be due.
    for (const { recorded } of waiting.values()) if (recorded.seq === undefined) recorded.at = Math.max(recorded.at, this.lastAt);
    this.inputs = inputs;
  }

  #isAnswer(event: Event | EngineEvent, { seq, at, outcome }: HistoryEntry, living: ReadonlyMap<string, { readonly recorded: RecordedChild; readonly token: number; readonly at: number }>): boolean {
    if (event.type !== "taskwright.done" && event.type !== "taskwright.error") return false;
    const completion = event as Completion;
    const child = living.get(completion.child);
    // One that was stale belongs to nobody: it is told as it came.
    if (outcome === "stale" || child === undefined || child.token !== completion.token || child.recorded.answer !== undefined) return false;
    child.recorded.answer = { seq, afterMs: at - child.at, event: completion };
    return true;
  }

  /** The answer of a child that an entry is. */
  answer(seq: number): RecordedChild["answer"] {
    for (const children of this.#children.values()) for (const { answer } of children) if (answer?.seq === seq) return answer;
    return undefined;
  }

  /** The entries that are answers of children. */
  get answers(): ReadonlyArray<number> {
    return [...this.#children.values()].flatMap((children) => children.flatMap(({ answer }) => (answer === undefined ? [] : [answer.seq])));
  }

  /** The n-th child of an id that was started, counted from 0. */
  child(id: string, nth: number): RecordedChild | undefined {
    return this.#children.get(id)?.[nth];
  }

  /** The n-th deadline of this id and moment. */
  timer(id: string, due: number, nth: number): RecordedTimer | undefined {
    return this.#timers.get(`${id}|${due}`)?.[nth];
  }
}

const push = <A>(map: Map<string, Array<A>>, key: string, value: A): void => {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
};

const isTimer = (
  event: Event | EngineEvent,
  { seq, at }: HistoryEntry,
  before: ActorState | undefined,
  waiting: ReadonlyMap<number, { readonly recorded: RecordedTimer; readonly due: number }>,
): boolean => {
  if (event.type !== "taskwright.timer") return false;
  const { id, token } = event as TimerEvent;
  const found = waiting.get(token);
  if (found === undefined || before?.timers[id]?.token !== token || found.recorded.seq !== undefined) return false;
  Object.assign(found.recorded, { seq, at, order: seq });
  return true;
};
