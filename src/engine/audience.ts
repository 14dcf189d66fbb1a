import { parseJson } from "../actor/index.ts";
import type { Address } from "../domain/address.ts";
import { failureOf } from "../domain/json.ts";
import type { SentEvent } from "./engine.ts";
import type { LogEntry } from "./make.ts";
import type { Resident } from "./resident.ts";
import { type Transition, transitionOf } from "./world.ts";
import type { Turn } from "./turn.ts";

/**
 * For who began to listen while this turn was being stored, so that what is read right after that and what is heard leave
 * nothing out: the last transition of each actor, without its steps.
 */
const lastOf = ({ history, touched }: Turn): ReadonlyArray<Transition> => {
  const rows = new Map(history.map((row) => [row.actor, row]));
  return touched.flatMap((actor) => {
    const row = rows.get(actor.id);
    if (row === undefined) return [];
    const delivery = { from: row.from, event: parseJson(row.event) as Transition["event"] };
    return [transitionOf(actor, delivery, row.id, row.outcome, undefined)];
  });
};

/** Everybody who hears of turns once they are stored. Nothing here is told before. */
export class Audience {
  readonly transitions = new Set<(transition: Transition) => void>();
  readonly emitted = new Set<(address: Address, event: SentEvent, machine: string) => void>();
  /** Who waits for the answer to a question, by its reply address. */
  readonly asking = new Map<Address, (event: SentEvent) => void>();
  /** Who waits until nothing is queued or running. */
  readonly settled = new Set<() => void>();
  /** Who must hear that the engine stopped. */
  readonly closed = new Set<() => void>();
  #watching = 0;
  readonly #watchers = new Map<Address, Set<(actor: Resident) => void>>();
  readonly #log: (entry: LogEntry) => void;

  constructor(log: (entry: LogEntry) => void) {
    this.#log = log;
  }

  /** Calls that wait for an answer or for a state. */
  get waiting(): number {
    return this.asking.size + this.#watching;
  }

  /** Hears of every stored turn that touched the actor; returns how to stop. */
  watch(address: Address, watcher: (actor: Resident) => void): () => void {
    const set = this.#watchers.get(address) ?? new Set();
    this.#watchers.set(address, set.add(watcher));
    this.#watching++;
    return () => {
      if (set.delete(watcher)) this.#watching--;
      if (set.size === 0) this.#watchers.delete(address);
    };
  }

  touched(actor: Resident): void {
    if (this.#watchers.size > 0) for (const watcher of this.#watchers.get(actor.address) ?? []) watcher(actor);
  }

  tell(turn: Turn): void {
    for (const { to, event } of turn.answers) this.asking.get(to)?.(event as SentEvent);
    for (const { address, event, machine } of turn.emitted)
      for (const listener of this.emitted) {
        try {
          listener(address, event as SentEvent, machine);
        } catch (error) {
          this.#threw(error);
        }
      }
    for (const { address, label, value } of turn.logs) this.#log({ level: "info", message: label ?? "log", address, data: value });
    for (const transition of turn.isObserved || this.transitions.size === 0 ? turn.transitions : lastOf(turn))
      for (const listener of this.transitions) {
        try {
          listener(transition);
        } catch (error) {
          this.#threw(error);
        }
      }
  }

  ended(): void {
    for (const settled of [...this.settled]) settled();
  }

  stopped(): void {
    this.ended();
    for (const close of [...this.closed]) close();
  }

  #threw(error: unknown): void {
    this.#log({ level: "error", message: "a listener threw", data: failureOf(error) });
  }
}
