import { nextDue, type Definition } from "../../src/actor/index.ts";
import { childAddress } from "../../src/domain/address.ts";
import { type BrokerBounds, BrokerBook } from "./check-broker.ts";
import { checkBank } from "./check-bank.ts";
import { EntryBook } from "./check-entries.ts";
import { InboxBook } from "./check-inboxes.ts";
import { ScheduleBook } from "./check-schedules.ts";
import { checkTasks, TaskBook } from "./check-tasks.ts";
import type { Ledger } from "./ledger.ts";
import { type Life, live, type Moment } from "./life.ts";
import type { Mark } from "./marks.ts";
import type { Store, Stored, StoredActor } from "./store.ts";

/** The numbers are those of docs/internals/invariants.md. */
export type Invariant = "I1" | "I2" | "I3" | "I4" | "I5" | "I6" | "I7" | "I8" | "I9" | "I10" | "I11" | "I12";

export interface Violation {
  readonly invariant: Invariant;
  readonly what: string;
}

export interface Bounds {
  readonly turnEnvelopesMax: number;
  readonly dueTimersMax: number;
  readonly keyRetentionMs: number;
  readonly leaseMs: number;
  readonly broker: BrokerBounds | undefined;
}

export interface CheckerOptions {
  readonly store: Store;
  readonly definitions: ReadonlyMap<string, Definition>;
  readonly ledger: Ledger;
  readonly bounds: Bounds;
  readonly mark: (mark: Mark) => void;
  /** Told each new entry, in order. */
  readonly onMoment: (moment: Moment) => void;
}

const internal: ReadonlySet<string> = new Set(["activity", "live", "supervisor", "outbox"]);

/**
 * Looks at everything that is stored after every commit, with plain reads and a model that is built from the history
 * by the pure step. It uses nothing of the engine, and believes nothing that the engine says.
 */
export class Checker {
  readonly violations: Array<Violation> = [];
  readonly lives = new Map<number, Life>();
  readonly #options: CheckerOptions;
  readonly entryBook = new EntryBook();
  readonly #tasks = new TaskBook();
  readonly brokerBook: BrokerBook;
  readonly inboxBook: InboxBook;
  readonly scheduleBook: ScheduleBook;
  readonly #seqs = new Map<number, number>();
  /** What each client's request was stored as: `address type op`, with the moment. */
  readonly #requests = new Map<string, number>();
  #effects = new Map<number, string>();
  readonly #struck = new Map<string, Set<string>>();
  #history = 0;
  #deadLetters = 0;
  #epoch = 0;
  /** Money in letters that nobody could be given. */
  #lostMoney = 0;
  commits = 0;
  entries = 0;

  constructor(options: CheckerOptions) {
    this.#options = options;
    const violate = (invariant: Invariant, what: string) => this.violate(invariant, what);
    const mark = (name: Mark) => options.mark(name);
    this.brokerBook = new BrokerBook(this.lives, violate, mark);
    this.inboxBook = new InboxBook(violate, mark);
    this.scheduleBook = new ScheduleBook(violate, mark);
  }

  violate(invariant: Invariant, what: string): void {
    this.violations.push({ invariant, what });
  }

  /** An engine claimed the store. */
  claimed(epoch: number): void {
    if (epoch <= this.#epoch) this.violate("I5", `an engine was given the epoch ${epoch}, which is not above ${this.#epoch}`);
    this.#epoch = Math.max(this.#epoch, epoch);
  }

  get epoch(): number {
    return this.#epoch;
  }

  #read(): Stored {
    return this.#options.store.read({ history: this.#history, deadLetters: this.#deadLetters, seqs: this.#seqs });
  }

  /** A process whose claim has this epoch has just stored something. */
  afterCommit(epoch: number): void {
    this.commits++;
    if (epoch < this.#epoch) this.violate("I5", `an engine of epoch ${epoch} stored a turn, the highest epoch is ${this.#epoch}`);
    const stored = this.#read();
    if (stored.epoch !== this.#epoch) this.violate("I5", `the stored epoch is ${stored.epoch}, the highest that was given is ${this.#epoch}`);
    const moments = this.#liveOn(stored);
    this.#checkRows(stored);
    this.#checkTimers(moments, stored);
    this.#checkEffects(moments, stored);
    this.#checkLetters(moments, stored);
    this.#checkRequests(moments);
    this.#checkBounds(moments);
    this.#lostMoney += checkBank(this.lives, stored, this.#lostMoney, (what) => this.violate("I6", what));
    this.entryBook.check(moments, stored, this.#options.ledger.received, (what) => this.violate("I9", what));
    if (this.entryBook.hasReplaced) this.#options.mark("entry replaced by a later one");
    if (this.#options.bounds.broker !== undefined) this.brokerBook.check(stored, this.#options.bounds.broker);
    this.scheduleBook.check();
    checkTasks(this.#tasks, this.lives, moments, stored, (what) => this.violate("I6", what));
  }

  #liveOn(stored: Stored): ReadonlyArray<Moment> {
    const actors = new Map(stored.actors.map((actor) => [actor.id, actor]));
    const moments: Array<Moment> = [];
    for (const entry of stored.history) {
      this.entries++;
      this.#history = entry.id;
      const actor = actors.get(entry.actor);
      const definition = this.#options.definitions.get(actor?.machine ?? "");
      if (actor === undefined || definition === undefined) {
        this.violate("I1", `history ${entry.id} belongs to the actor ${entry.actor}, which is not there`);
        continue;
      }
      const moment = live(this.lives, definition, actor, entry, (what) => this.violate("I4", `${actor.address}: ${what}`));
      this.#seqs.set(actor.id, entry.seq);
      if (moment === undefined) continue;
      moments.push(moment);
      this.brokerBook.follow(moment);
      this.inboxBook.follow(moment);
      this.scheduleBook.follow(moment);
      this.#options.onMoment(moment);
    }
    return moments;
  }

  /** Each row is what its history leads to; one without news is as it was. */
  #checkRows(stored: Stored): void {
    let found = 0;
    for (const actor of stored.actors) {
      const life = this.lives.get(actor.id);
      if (life === undefined) {
        this.violate("I1", `${actor.address} is stored without a history`);
        continue;
      }
      found++;
      if (actor.seq !== life.seq) this.violate("I1", `${actor.address}: its seq is ${actor.seq}, its history ends at ${life.seq}`);
      if (actor.state !== life.stored) {
        if (actor.state !== life.encoded) this.violate(actor.seq === life.seq ? "I4" : "I10", `${actor.address}: stored is ${actor.state}, the history leads to ${life.encoded}`);
        life.stored = actor.state;
      }
      if (actor.status !== life.state.snapshot.status) this.violate("I4", `${actor.address}: its status is ${actor.status}, the history leads to ${life.state.snapshot.status}`);
      const due = actor.status === "active" ? nextDue(life.state) : undefined;
      // A stored wake may be early (a timer was put off), never late.
      if (due !== undefined && (actor.wake === undefined || actor.wake > due)) this.violate("I1", `${actor.address}: it waits until ${due}, but its wake is ${actor.wake ?? "missing"}`);
    }
    if (found !== this.lives.size) this.violate("I4", `${this.lives.size - found} actors are not stored any more`);
  }

  #checkTimers(moments: ReadonlyArray<Moment>, stored: Stored): void {
    let latest = 0;
    for (const { life, entry, event, before } of moments) {
      if (event.type !== "taskwright.timer") continue;
      const timer = before?.timers[String(event.id)];
      if (timer === undefined || timer.token !== event.token) {
        if (entry.outcome !== "stale" && entry.outcome !== "ended") this.violate("I7", `${life.address}: the timer ${String(event.id)} was effective after it was cancelled`);
        continue;
      }
      if (entry.at < timer.due) this.violate("I7", `${life.address}: the timer ${String(event.id)} fired ${timer.due - entry.at} ms before it was due`);
      if (timer.due < latest) this.violate("I7", `${life.address}: the timer ${String(event.id)} was due before another one that fired earlier`);
      latest = Math.max(latest, timer.due);
    }
    if (latest === 0) return;
    for (const { id, status, address } of stored.actors) {
      const life = status === "active" ? this.lives.get(id) : undefined;
      const due = life === undefined ? undefined : nextDue(life.state);
      if (due !== undefined && due < latest) this.violate("I7", `${address}: a timer is due at ${due}, and one that was due later (${latest}) went before it`);
    }
  }

  #checkEffects(moments: ReadonlyArray<Moment>, stored: Stored): void {
    const wanted = new Map<string, number>();
    for (const { life, entry, commands } of moments) {
      if (internal.has(life.machine)) continue;
      for (const command of commands) {
        if (command.type !== "act") continue;
        const key = `${life.id}/${entry.seq}/${command.action}`;
        wanted.set(key, (wanted.get(key) ?? 0) + 1);
      }
    }
    const now = new Map<number, string>();
    for (const { id, actor, seq, action } of stored.effects) {
      const key = `${actor}/${seq}/${action}`;
      now.set(id, key);
      if (this.#effects.get(id) === key) continue;
      const left = wanted.get(key) ?? 0;
      if (left === 0) this.violate("I1", `the action ${key} is owed, and no new entry asks for it`);
      wanted.set(key, left - 1);
    }
    for (const [key, left] of wanted) if (left > 0) this.violate("I1", `the action ${key} was asked for, and it is not owed`);
    for (const [id, key] of this.#effects) if (now.get(id) !== key) this.#strike(key);
    this.#effects = now;
  }

  #checkLetters(moments: ReadonlyArray<Moment>, stored: Stored): void {
    const letters = stored.deadLetters.map(({ address, envelope }) => `${address} ${(JSON.parse(envelope) as { event: { type: string } }).event.type}`);
    for (const letter of stored.deadLetters) this.#deadLetters = letter.id;
    for (const { life, entry } of moments) {
      if (entry.outcome !== "failed") continue;
      const index = letters.indexOf(`${life.address} ${entry.type}`);
      if (index < 0) this.violate("I6", `${life.address}, entry ${entry.seq} failed, and there is no dead letter for it`);
      else letters.splice(index, 1);
      this.#options.mark("failed event among the dead letters");
    }
  }

  /** Whether an actor with this address owes such an action. */
  owes(address: string, seq: number, action: string): boolean {
    for (const key of this.#effects.values()) if (this.#asked(key) === `${address}#${seq}#${action}`) return true;
    return false;
  }

  /** How an action is asked for outside: two actors that had one address after each other may ask for the same. */
  #asked(key: string): string {
    const [actor, seq, action] = key.split("/");
    return `${this.lives.get(Number(actor))?.address}#${seq}#${action}`;
  }

  /** Carried out for each that is struck off, with a key of its own. */
  #strike(key: string): void {
    const asked = this.#asked(key);
    const struck = this.#struck.get(asked) ?? new Set();
    this.#struck.set(asked, struck.add(key));
    const carriedOut = this.#options.ledger.actions.get(asked)?.size ?? 0;
    if (struck.size > carriedOut) this.violate("I1", `the action ${key} was struck off and never carried out`);
  }

  /** What clients asked for: with a key at most once, and never where they were told that nothing is stored. */
  #checkRequests(moments: ReadonlyArray<Moment>): void {
    const { ledger, bounds } = this.#options;
    for (const { life, entry, event } of moments) {
      const call = entry.type === "CANCEL" ? event.why : event.call;
      if (entry.from !== "" || typeof call !== "string") continue;
      ledger.stored.set(call, `${life.address} entry ${entry.seq}`);
      const told = ledger.refused.get(call);
      if (told !== undefined) this.violate("I3", `${life.address}, entry ${entry.seq}: the call ${call} is stored, but its client was told that it is not (${told})`);
      if (event.keyed !== true) continue;
      const request = `${life.address} ${event.type} ${String(event.op)}`;
      const earlier = this.#requests.get(request);
      if (earlier !== undefined && entry.at < earlier + bounds.keyRetentionMs) this.violate("I3", `${life.address}, entry ${entry.seq}: "${String(event.op)}" was handled a second time`);
      if (earlier !== undefined) this.#options.mark("key forgotten after its time");
      this.#requests.set(request, entry.at);
    }
  }

  #checkBounds(moments: ReadonlyArray<Moment>): void {
    const { bounds } = this.#options;
    const asked = moments.filter(({ event }) => typeof event.call === "string" && event.op !== undefined).filter(({ entry }) => entry.from === "").length;
    if (asked > bounds.turnEnvelopesMax) this.violate("I11", `one turn took ${asked} events of clients, at most ${bounds.turnEnvelopesMax} are allowed`);
    const woken = new Set(moments.filter(({ event }) => event.type === "taskwright.timer").map(({ life }) => life.id)).size;
    if (woken > bounds.dueTimersMax) this.violate("I11", `one turn woke ${woken} actors, at most ${bounds.dueTimersMax} are allowed`);
  }

  /** Everything is at rest. Says what is not, in words. */
  unrest(now: number): ReadonlyArray<string> {
    const stored = this.#read();
    const found: Array<string> = [];
    if (stored.mail.length > 0) found.push(`${stored.mail.length} messages wait`);
    if (stored.entries.length > 0) found.push(`${stored.entries.length} entries wait`);
    if (stored.effects.length > 0) found.push(`${stored.effects.length} actions are owed`);
    for (const { id, address, machine, status, wake, state } of stored.actors) {
      const life = this.lives.get(id);
      const due = life === undefined || status !== "active" ? undefined : nextDue(life.state);
      if (wake !== undefined && wake <= now) found.push(`${address} is due since ${now - wake} ms`);
      // A wake without a timer is what is left of one that was cancelled: nothing waits for it.
      else if (due !== undefined) found.push(`${address} waits for ${due - now} ms more`);
      if (machine === "activity" && status === "active") found.push(`${address} has not ended: ${state.slice(0, 60)}`);
      if (machine === "task" && status === "active") found.push(`${address} has not ended: ${state.slice(0, 60)}`);
    }
    found.push(...this.scheduleBook.unrest());
    if (stored.until !== 0 && stored.until < now - 2 * this.#options.bounds.leaseMs) found.push("the lease is old");
    return found;
  }

  /** At the end: once more everything, from the beginning. */
  finish(): void {
    const stored = this.#options.store.read({ history: 0, deadLetters: 0, seqs: new Map() });
    if (stored.history.length !== this.entries) this.violate("I4", `${stored.history.length} entries are stored, ${this.entries} were seen`);
    const actors = new Map<string, StoredActor>(stored.actors.map((actor) => [actor.address, actor]));
    for (const actor of stored.actors) {
      const life = this.lives.get(actor.id);
      if (life === undefined || actor.status !== "active") continue;
      for (const [id, child] of Object.entries(life.state.children)) {
        const kind = this.#options.definitions.get(life.machine)?.sources.get(child.src)?.kind;
        if (child.ended === true || (kind !== "machine" && kind !== "promise")) continue;
        const found = actors.get(childAddress(actor.address, id));
        if (found?.token !== child.token || found.status !== "active") this.violate("I1", `${actor.address} waits for its child "${id}", which is ${found?.status ?? "missing"}`);
      }
    }
    for (const key of this.entryBook.keys) if (!this.#options.ledger.received.has(key) && !this.entryBook.wasReplaced(key)) this.violate("I9", `"${key}" was stored, and nobody got it`);
    this.inboxBook.finish();
    this.scheduleBook.finish(this.#options.ledger.triggered);
    this.brokerBook.finish(this.#options.ledger.messages);
    for (const task of this.#options.ledger.tasks) if (!actors.has(`task/${task}`)) this.violate("I2", `the task ${task} was acknowledged and is not there`);
  }
}
