import { isDeepStrictEqual } from "node:util";
import { type ActorState, type Command, type Definition, decode, encode, nextOffer, start, step, type Step } from "../actor/index.ts";
import { childAddress, childId } from "../domain/address.ts";
import type { Outcome } from "../domain/envelope.ts";
import type { EngineEvent, Event } from "../domain/event.ts";
import { failureOf, type Json } from "../domain/json.ts";
import { type History, parentOf } from "./history.ts";
import type { Input, Recorded, RecordedChild } from "./recorded.ts";

/**
 * Why what is told here is a guess. `unasked`: nobody asked for it this time, so that it is left out. `other input`: the
 * answer is of a child that was started with something else. `other deadline`: the deadline is another one, so that it comes
 * at another moment. `unprompted`: it may answer a message that was not sent this time. `stand-in`: an answer that was given
 * for this retelling. `changed`: an entry that was swapped or added for it.
 */
export type Mark = "unasked" | "other input" | "other deadline" | "unprompted" | "stand-in" | "changed";

/** One event of a retelling. */
export interface Told {
  /** The entry that it stands for; absent where there was none. */
  readonly seq: number | undefined;
  readonly at: number;
  readonly event: Event | EngineEvent;
  /** `failed`: the machine threw. */
  readonly outcome: Outcome;
  /** Who sent it: an address, or empty. */
  readonly from: string;
  readonly threw?: string;
  readonly before: ActorState | undefined;
  readonly after: ActorState | undefined;
  readonly commands: ReadonlyArray<Command>;
  readonly microsteps: Step["microsteps"];
  readonly mark: Mark | undefined;
}

/** A history, told to a machine. */
export interface Tale {
  readonly told: ReadonlyArray<Told>;
  /** Entries that were not told, because nobody asked for them. */
  readonly unasked: ReadonlyArray<number>;
  /** The state at the end. */
  readonly state: ActorState | undefined;
  /** Children that wait for an answer which nobody knows, by id with their source. */
  readonly open: Readonly<Record<string, string>>;
  /** It came to rest: nothing is due any more. */
  readonly isAtRest: boolean;
}

/** What an activity or child answers in a retelling: its output, or an error. Default: at once. */
export interface Answer {
  readonly output?: unknown;
  readonly error?: unknown;
  /** Milliseconds after its start. */
  readonly afterMs?: number;
}

/** Given the input, and how often a child of this id was started before. Nothing: it does not answer. */
export type StandIn = Answer | ((input: unknown, nth: number) => Answer | undefined);

export interface MarkedInput extends Input {
  readonly mark?: Mark | undefined;
}

export interface RetellOptions {
  /** In place of the recorded inputs. */
  readonly inputs?: ReadonlyArray<MarkedInput>;
  /** In place of recorded answers, by the number of their entry. Nothing: it does not answer. */
  readonly answers?: ReadonlyMap<number, Answer | undefined> | undefined;
  /** By the name in `setup({ actors })`: for children that have no recorded answer. */
  readonly standIns?: Readonly<Record<string, StandIn>> | undefined;
  /** Goes on behind the last input until nothing is due, at most so many milliseconds. Default 0: it ends there. */
  readonly restMs?: number | undefined;
}

/** Events of one retelling: a machine that never rests ends here. */
const toldMax = 100_000;

interface Pending {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/**
 * Tells a history to a machine: what came from outside as it came, the answers of children so long after their start as
 * they took, deadlines when they are due. The machine that wrote the history goes its way again, entry by entry; another one
 * goes its own. Nothing runs, and no time passes.
 */
export const retell = (definition: Definition, history: History, recorded: Recorded, options: RetellOptions = {}): Tale => new Retelling(definition, history, recorded, options).tale();

class Retelling {
  readonly #definition: Definition;
  readonly #history: History;
  readonly #recorded: Recorded;
  readonly #options: RetellOptions;
  readonly #told: Array<Told> = [];
  readonly #unasked = new Set<number>();
  #state: ActorState | undefined;
  /** In the order in which they come. */
  #inputs: ReadonlyArray<MarkedInput> = [];
  #nextInput = 0;
  /** Answers that are on their way. */
  #pending: ReadonlyArray<Pending> = [];
  /** How often a child of this id was started. */
  readonly #started = new Map<string, number>();
  readonly #set = new Map<string, number>();
  /** When the deadlines that wait are to be told, by their token. */
  readonly #due = new Map<number, Omit<Pending, "run"> & { readonly id: string; readonly seq: number | undefined; readonly mark: Mark | undefined }>();
  readonly #sentTo = new Set<string>();
  readonly #sentThen: ReadonlyMap<string, number>;
  /** Of the input that is told. */
  #from = "";
  /** It did not throw where it threw then: what was decided because of that does not come. */
  #isSpared = false;

  constructor(definition: Definition, history: History, recorded: Recorded, options: RetellOptions) {
    this.#definition = definition;
    this.#history = history;
    this.#recorded = recorded;
    this.#options = options;
    this.#sentThen = sentIn(recorded);
  }

  tale(): Tale {
    const { begin, inputs: then, lastAt } = this.#recorded;
    const { inputs = then, restMs = 0 } = this.#options;
    const { livedAt } = this.#history;
    if (begin !== undefined) {
      this.#state = decode(this.#definition, livedAt, parentOf(this.#history), encode(begin.state));
      for (const [id, child] of Object.entries(this.#state.children)) if (child.ended !== true) this.#expect(id, child.src, child.token, undefined, begin.at);
      this.#wait(this.#state);
    }
    this.#inputs = [...inputs].sort((left, right) => left.at - right.at || left.order - right.order);
    const until = Math.max(lastAt, ...inputs.map(({ at }) => at)) + restMs;
    let isAtRest = false;
    while (this.#told.length < toldMax) {
      const next = this.#next();
      if (next === undefined) isAtRest = true;
      if (next === undefined || next.at > until) break;
      next.run();
    }
    const told = new Set(this.#told.map(({ seq }) => seq));
    const underWay = new Set(this.#pending.map(({ order }) => order));
    for (const seq of this.#recorded.answers) if (!told.has(seq) && !underWay.has(seq) && this.#options.answers?.has(seq) !== true) this.#unasked.add(seq);
    return { told: this.#told, unasked: [...this.#unasked].sort((left, right) => left - right), state: this.#state, open: this.#openChildren(), isAtRest };
  }

  /** What comes next: an input, an answer or a deadline. */
  #next(): Pending | undefined {
    const input = this.#inputs[this.#nextInput];
    let next: Pending | undefined;
    if (input !== undefined) {
      const run = () => {
        this.#nextInput++;
        this.#input(input);
      };
      next = { at: input.at, order: input.order, run };
    }
    for (const pending of this.#pending) if (next === undefined || isBefore(pending, next)) next = pending;
    for (const [token, due] of this.#due) if (next === undefined || isBefore(due, next)) next = { at: due.at, order: due.order, run: () => this.#fire(token) };
    return next;
  }

  #input({ seq, at, event, from, outcome, mark }: MarkedInput): void {
    const state = this.#state;
    const told = seq > 0 ? seq : undefined;
    const leave = () => void (told !== undefined && this.#unasked.add(told));
    switch (event.type) {
      case "taskwright.start":
        return this.#begin(event as Extract<EngineEvent, { type: "taskwright.start" }>, at, told, mark);
      case "taskwright.restart":
      case "taskwright.fail":
        if (this.#isSpared) return leave();
        break;
      case "taskwright.timer":
      case "taskwright.cancel": {
        const { id } = event as Extract<EngineEvent, { type: "taskwright.timer" }>;
        const timer = state?.timers[id];
        if (timer === undefined && outcome !== "stale") return leave();
        this.#tell({ ...event, token: outcome === "stale" ? -1 : (timer?.token ?? -1) } as EngineEvent, at, told, mark);
        return;
      }
      case "taskwright.done":
      case "taskwright.error":
        this.#tell({ ...event, token: -1 } as EngineEvent, at, told, mark);
        return;
      case "taskwright.snapshot": {
        const child = state?.children[(event as Extract<EngineEvent, { type: "taskwright.snapshot" }>).child];
        if (child === undefined && outcome !== "stale") return leave();
        this.#tell({ ...event, token: outcome === "stale" ? -1 : child?.token } as EngineEvent, at, told, mark);
        return;
      }
      default:
    }
    const { livedAt } = this.#history;
    if (from.startsWith(`${livedAt}/`) && from === childAddress(livedAt, childId(from)) && !this.#started.has(childId(from))) return leave();
    const sentFirst = this.#sentThen.get(from);
    const isUnprompted = sentFirst !== undefined && sentFirst < seq && !this.#sentTo.has(from);
    this.#from = from;
    this.#tell(event, at, told, mark ?? (isUnprompted ? "unprompted" : undefined), outcome === "failed");
    this.#from = "";
  }

  #begin({ input, sync }: Extract<EngineEvent, { type: "taskwright.start" }>, at: number, seq: number | undefined, mark: Mark | undefined): void {
    const event = { type: "taskwright.start", ...(input === undefined ? {} : { input }) } as EngineEvent;
    this.#take(event, at, seq, mark, () => start(this.#definition, this.#history.livedAt, parentOf(this.#history), input, at, { sync }));
  }

  #tell(event: Event | EngineEvent, at: number, seq: number | undefined, mark: Mark | undefined, threwThen = false): boolean {
    const state = this.#state;
    if (state === undefined) return false;
    const isDone = this.#take(event, at, seq, mark, () => step(this.#definition, state, event, at));
    this.#isSpared = threwThen && isDone;
    return isDone;
  }

  /** Takes one step, and then those that follow from it by themselves. */
  #take(event: Event | EngineEvent, at: number, seq: number | undefined, mark: Mark | undefined, go: () => Step): boolean {
    const before = this.#state;
    let result: Step;
    try {
      result = go();
    } catch (error) {
      this.#told.push({
        seq,
        at,
        event,
        outcome: "failed",
        from: this.#from,
        threw: failureOf(error instanceof Error && error.cause !== undefined ? error.cause : error).message,
        before,
        after: before,
        commands: [],
        microsteps: [],
        mark,
      });
      this.#afterFailure(event, at, seq, mark);
      return false;
    }
    const { state: after, commands, microsteps, outcome } = result;
    this.#state = after;
    this.#told.push({ seq, at, event, outcome, from: this.#from, before, after, commands, microsteps, mark });
    for (const command of commands) {
      if (command.type === "child.start" && after.children[command.id]?.token === command.token) this.#expect(command.id, command.src, command.token, { input: command.input }, at);
      if (command.type === "send" && command.to.kind === "address") this.#sentTo.add(command.to.address);
    }
    this.#wait(after);
    const offer = nextOffer(this.#definition, after, at);
    if (offer !== undefined) this.#tell(offer, at, this.#follows(seq, "taskwright.offer"), mark);
    return true;
  }

  /** As the engine does: a deadline on which the machine throws is set aside, a kept event on which it does is given up. */
  #afterFailure(event: Event | EngineEvent, at: number, seq: number | undefined, mark: Mark | undefined): void {
    const { token } = event as { readonly token: number };
    if (event.type === "taskwright.timer") this.#tell({ type: "taskwright.hold", id: (event as { readonly id: string }).id, token } as EngineEvent, at, this.#follows(seq, "taskwright.hold"), mark);
    if (event.type === "taskwright.offer") this.#tell({ type: "taskwright.forget", token } as EngineEvent, at, this.#follows(seq, "taskwright.forget"), mark);
  }

  /** The entry behind this one, if it is of that type. */
  #follows(seq: number | undefined, type: string): number | undefined {
    const next = seq === undefined ? undefined : this.#recorded.steps[seq + 1 - (this.#recorded.steps[0]?.entry.seq ?? 1)]?.entry;
    return next?.event.type === type ? next.seq : undefined;
  }

  /** A child has begun: its answer comes as it came then, or as a stand-in gives it. */
  #expect(id: string, src: string, token: number, started: RecordedChild["start"], at: number): void {
    const nth = this.#started.get(id) ?? 0;
    this.#started.set(id, nth + 1);
    const { answers, standIns = {} } = this.#options;
    const then = this.#recorded.child(id, nth);
    const standIn = Object.hasOwn(standIns, src) ? standIns[src] : undefined;
    const given = typeof standIn === "function" ? standIn(started?.input, nth) : standIn;
    if (then?.answer !== undefined) {
      const { seq, event, afterMs } = then.answer;
      const isOther = then.src !== src || (started !== undefined && then.start !== undefined && !isDeepStrictEqual(started.input, then.start.input));
      const changed = answers?.has(seq) === true;
      const answer = changed ? answers.get(seq) : isOther ? given : undefined;
      if (changed && answer === undefined) return;
      const mark: Mark | undefined = changed ? "changed" : answer !== undefined ? "stand-in" : isOther ? "other input" : undefined;
      const told = answer === undefined ? { ...event, token } : completionOf(id, token, answer);
      const due = at + (answer?.afterMs ?? afterMs);
      this.#schedule(due, seq, () => this.#answer(id, token, told, due, seq, mark));
    } else if (given !== undefined) {
      const told = completionOf(id, token, given);
      const due = at + (given.afterMs ?? 0);
      this.#schedule(due, Number.POSITIVE_INFINITY, () => this.#answer(id, token, told, due, undefined, "stand-in"));
    }
  }

  #schedule(at: number, order: number, answer: () => void): void {
    const run = () => {
      this.#pending = this.#pending.filter((other) => other !== pending);
      answer();
    };
    const pending: Pending = { at, order, run };
    this.#pending = [...this.#pending, pending];
  }

  #answer(id: string, token: number, event: EngineEvent, at: number, seq: number | undefined, mark: Mark | undefined): void {
    const child = this.#state?.children[id];
    // It was stopped before it answered.
    if (child === undefined || child.token !== token || child.ended === true) return;
    this.#tell(event, at, seq, mark);
  }

  /** Deadlines that were set are told when they were then, if they are the same ones; else when they are due. */
  #wait(state: ActorState): void {
    const tokens = new Set<number>();
    for (const [id, { due, token, held }] of Object.entries(state.timers)) {
      if (held === true) continue;
      tokens.add(token);
      if (this.#due.has(token)) continue;
      const key = `${id}|${due}`;
      const nth = this.#set.get(key) ?? 0;
      this.#set.set(key, nth + 1);
      const then = this.#recorded.timer(id, due, nth);
      this.#due.set(token, { id, at: then?.at ?? due, order: then?.order ?? Number.POSITIVE_INFINITY, seq: then?.seq, mark: then === undefined ? "other deadline" : undefined });
    }
    for (const token of this.#due.keys()) if (!tokens.has(token)) this.#due.delete(token);
  }

  #fire(token: number): void {
    const due = this.#due.get(token);
    if (due === undefined) return;
    this.#due.delete(token);
    this.#tell({ type: "taskwright.timer", id: due.id, token }, due.at, due.seq, due.mark);
  }

  #openChildren(): Readonly<Record<string, string>> {
    const children = Object.entries(this.#state?.children ?? {}).filter(([, { ended }]) => ended !== true);
    return Object.fromEntries(children.map(([id, { src }]) => [id, src]));
  }
}

const isBefore = (left: Omit<Pending, "run">, right: Omit<Pending, "run">): boolean => left.at < right.at || (left.at === right.at && left.order < right.order);

const completionOf = (child: string, token: number, { output, error }: Answer): EngineEvent =>
  error === undefined
    ? { type: "taskwright.done", child, token, ...(output === undefined ? {} : { output: output as Json }) }
    : { type: "taskwright.error", child, token, error: failureOf(typeof error === "string" ? new Error(error) : error) };

/** To whom the actor sent something, and with which entry first. */
const sentIn = ({ steps }: Recorded): ReadonlyMap<string, number> => {
  const sent = new Map<string, number>();
  for (const { entry, commands } of steps)
    for (const command of commands) if (command.type === "send" && command.to.kind === "address" && !sent.has(command.to.address)) sent.set(command.to.address, entry.seq);
  return sent;
};
