import type { Command, Definition, Step } from "../../src/actor/index.ts";
import { type ActorState, decode, encode, start, step } from "../../src/actor/index.ts";
import type { EngineEvent, Event } from "../../src/domain/event.ts";
import type { Failure } from "../../src/domain/json.ts";

/** What can happen to an actor: an event, one of its timers by the name of its delay, or the end of a child. */
export type Stimulus = Event | Elapsed | ChildDone | ChildFailed;
export interface Elapsed {
  readonly type: "elapsed";
  readonly delay: string;
}
export interface ChildDone {
  readonly type: "done";
  readonly child: string;
  readonly output: unknown;
}
export interface ChildFailed {
  readonly type: "error";
  readonly child: string;
  readonly error: Failure;
}

export const elapsed = (delay: string): Elapsed => ({ type: "elapsed", delay });
export const done = (child: string, output: unknown): ChildDone => ({ type: "done", child, output });
export const failed = (child: string, error: Failure): ChildFailed => ({ type: "error", child, error });

/** A token that no timer and no child ever has. */
const stale = 1_000_000;

/** One actor of a machine, moved by the pure step alone. Each state it comes to is stored and read again. */
export class Actor {
  readonly #definition: Definition;
  readonly #heard: (result: Step) => void;
  readonly #parent: string | undefined;
  state: ActorState;
  /** Milliseconds since 1970. */
  now: number;
  readonly commands: Array<Command> = [];

  constructor(definition: Definition, parent: string | undefined, input: unknown, heard: (result: Step) => void) {
    this.#definition = definition;
    this.#parent = parent;
    this.#heard = heard;
    this.now = Date.UTC(2030, 0, 1);
    const first = start(definition, parent === undefined ? `${definition.id}/1` : `${parent}/${definition.id}`, parent, input, this.now);
    this.state = first.state;
    this.#keep(first);
  }

  tell(stimulus: Stimulus): Step {
    const event = this.#eventOf(stimulus);
    const result = step(this.#definition, this.state, event, this.now);
    this.#keep(result);
    return result;
  }

  #keep(result: Step): void {
    this.#heard(result);
    this.commands.push(...result.commands);
    this.state = decode(this.#definition, result.state.self.address, this.#parent, encode(result.state));
  }

  #eventOf(stimulus: Stimulus): Event | EngineEvent {
    const { type } = stimulus;
    if (type === "elapsed") {
      const delay = (stimulus as Elapsed).delay;
      const [id, timer] = Object.entries(this.state.timers).find(([name]) => name.startsWith(`after.${delay}.`)) ?? [`after.${delay}.gone`, undefined];
      if (timer !== undefined) this.now = Math.max(this.now, timer.due);
      return { type: "taskwright.timer", id, token: timer?.token ?? stale };
    }
    if (type === "done" || type === "error") {
      const { child } = stimulus as ChildDone | ChildFailed;
      const token = this.state.children[child]?.token ?? stale;
      if (type === "done") return { type: "taskwright.done", child, token, output: (stimulus as ChildDone).output as never };
      return { type: "taskwright.error", child, token, error: (stimulus as ChildFailed).error };
    }
    return stimulus as Event;
  }

  /** Where it stands, as a path: "running.limited.watched". */
  get value(): string {
    return pathOf(this.state.snapshot.value);
  }

  context<Context>(): Context {
    return this.state.snapshot.context as Context;
  }

  get json(): string {
    return encode(this.state);
  }

  /** Names of the custom actions so far, in order. */
  get acts(): ReadonlyArray<string> {
    return this.commands.flatMap((command) => (command.type === "act" ? [command.action] : []));
  }

  /** Types of the messages so far, in order. */
  get sent(): ReadonlyArray<string> {
    return this.commands.flatMap((command) => (command.type === "send" ? [command.event.type] : []));
  }
}

const pathOf = (value: unknown): string => {
  if (typeof value === "string") return value;
  const [[key, below] = ["", {}]] = Object.entries(value as Record<string, unknown>);
  return `${key}.${pathOf(below)}`;
};
