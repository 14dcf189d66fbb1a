import * as Effect from "effect/Effect";
import * as Cause from "effect/Cause";
import { parseJson } from "../actor/index.ts";
import { type Address, childAddress, isSystemAddress, parentAddress, parseSystemAddress, systemAddress } from "../domain/address.ts";
import type { EngineEvent } from "../domain/event.ts";
import { type Failure, failureOf } from "../domain/json.ts";
import type { Limits } from "../domain/limits.ts";
import { JournalError, type JournalFenced } from "../journal/index.ts";
import type { DeadLetterRow, Journal, KeyRow, KeyWanted, Turn as StoredTurn } from "../journal/index.ts";
import type { Careful, Share } from "./careful.ts";
import { letterOf, type OwedEffect } from "./effects.ts";
import { ActorParked, EngineBusy, EngineClosed, EngineDegraded, InvalidAddress } from "./errors.ts";
import { failpoint } from "./failpoint.ts";
import { type Delivery, endAfter, envelopeOf, type TakenLetter } from "./intake.ts";
import { repeated } from "./request.ts";
import { dropped, type LetterRoom, owedAgain, requeued, withNotes } from "./letters.ts";
import type { EngineState } from "./lifecycle.ts";
import { migrateNow } from "./migration.ts";
import type { Pump } from "./pump.ts";
import { awaken, Resident } from "./resident.ts";
import { markStored, rowsOf } from "./rows.ts";
import type { Sweep } from "./retention.ts";
import type { Time } from "./time.ts";
import { Turn, type World } from "./turn.ts";

/** Milliseconds for which turns may follow one another before the event loop runs: timers and sockets live on. */
const yieldMsMax = 2;

/** How long an unreadable actor's due timer is left alone before it is looked at again. */
const parkedWakeMs = 60_000;

/** Old idempotency keys that one turn removes; what is left waits for the next turn. */
const keysPrunedMax = 2_000;

export interface LoopOptions {
  readonly journal: Journal;
  readonly world: World;
  readonly limits: Limits;
  readonly time: Time;
  readonly pump: Pump;
  readonly sweep: Sweep;
  readonly state: () => EngineState;
  /** Present after a crash. */
  readonly careful: Careful | undefined;
  readonly runAction: (owed: OwedEffect) => void;
  readonly letterRoom: LetterRoom;
  /** The turn is stored; everybody who waits for it may know. */
  readonly onStored: (turn: Turn) => void;
  readonly onCommitted: () => void;
  readonly onCommitFailed: (cause: Failure) => void;
  readonly onFenced: (cause: Failure) => void;
}

/**
 * Takes what waits in the intake, a bounded turn at a time, and stores it. One turn runs at a time; between two turns
 * the event loop runs, so that timers and sockets live and callers can fill the next turn.
 */
export class Loop {
  turns = 0;
  transitions = 0;
  readonly #options: LoopOptions;
  #queue: Array<Delivery> = [];
  /** Messages from the stored mailbox, in the order of their ids: they go before the queue. */
  #mail: Array<Delivery> = [];
  #scheduled = false;
  #running = false;
  #renewDue = false;
  /** The latest turn had one delivery or none. */
  #wasAlone = false;
  #yieldedAt = 0;
  #pruneDue = false;
  #effectsDone: Array<number> = [];
  #deadLetters: Array<DeadLetterRow> = [];
  /** Messages that became dead letters because of a defect of the engine itself. */
  #mailBuried: Array<number> = [];
  /** Turns and probes that failed. */
  #failures = 0;
  /** Actors whose row is behind their history: what they would store is refused every time. */
  readonly #behind = new Set<Address>();
  /** A turn whose commit failed, until it is known whether it was stored. */
  #doubtful: Attempt | undefined;

  constructor(options: LoopOptions) {
    this.#options = options;
  }

  /** Messages of the stored mailbox that no turn has taken. */
  get mailbox(): number {
    return this.#mail.length;
  }

  get waiting(): number {
    return this.#queue.length + this.#mail.length;
  }

  /** Nothing can happen until somebody calls, an activity ends, or time goes on. */
  get isQuiet(): boolean {
    return !this.#scheduled && !this.#running && !this.#hasWork();
  }

  get isIdle(): boolean {
    return this.waiting === 0 && !this.#scheduled && !this.#running && this.#effectsDone.length === 0 && this.#deadLetters.length === 0;
  }

  /** Takes an envelope into the intake, or refuses it. */
  post(delivery: Delivery): void {
    if ((delivery.internal !== true && delivery.kept !== true) || delivery.letter !== undefined) {
      const refusal = this.#refusal();
      if (refusal !== undefined) {
        delivery.settle?.(refusal, undefined);
        return;
      }
    }
    const { intakeMax, reportsMax } = this.#options.limits;
    if (delivery.kept === true && this.#queue.length >= intakeMax + reportsMax) {
      this.#options.world.reached("reportsMax");
      throw new EngineBusy({ limit: "reportsMax", waiting: this.#queue.length, waitingMax: intakeMax + reportsMax });
    }
    if (delivery.mail === undefined) this.#queue.push(delivery);
    else this.#mail.push(delivery);
    this.request();
  }

  /** All of them, for one turn; or none. */
  postTogether(deliveries: ReadonlyArray<Delivery>): void {
    const refusal = this.#refusal(deliveries.length);
    for (const delivery of deliveries) {
      if (refusal === undefined) this.#queue.push(delivery);
      else delivery.settle?.(refusal, undefined);
    }
    this.request();
  }

  #refusal(posted = 1): EngineBusy | EngineClosed | EngineDegraded | undefined {
    const { state, limits } = this.#options;
    switch (state()) {
      case "degraded":
        return new EngineDegraded({ detail: "the store refuses", reason: "degraded" });
      case "draining":
      case "suspending":
        return new EngineClosed({ detail: "it is closing" });
      case "stopped":
        return new EngineClosed({ detail: "it is closed" });
      default:
        if (this.#queue.length + posted <= limits.intakeMax) return undefined;
        this.#options.world.reached("intakeMax");
        return new EngineBusy({ limit: "intakeMax", waiting: this.#queue.length, waitingMax: limits.intakeMax });
    }
  }

  /** A custom action was carried out: the next turn strikes it from the list. */
  effectDone(id: number, deadLetter?: DeadLetterRow): void {
    this.#effectsDone.push(id);
    this.#options.careful?.ended(id);
    if (deadLetter !== undefined) this.#deadLetters.push(deadLetter);
    this.request();
  }

  renew(): void {
    this.#renewDue = true;
    this.request();
  }

  /**
   * Runs a turn soon: after what runs now, and after the callers that wake up by it have spoken. A lone caller that
   * sends one event after the other need not go round the event loop each time; many at once fill a turn together.
   */
  request(): void {
    if (this.#scheduled || this.#running) return;
    this.#scheduled = true;
    if (this.#wasAlone && performance.now() - this.#yieldedAt < yieldMsMax) queueMicrotask(this.#begin);
    else setImmediate(this.#beginAfterYield);
  }

  readonly #beginAfterYield = (): void => {
    this.#yieldedAt = performance.now();
    this.#begin();
  };

  readonly #begin = (): void => {
    this.#scheduled = false;
    const state = this.#options.state();
    if (state === "stopped") return this.#refuseAll();
    if (state === "degraded") return;
    // Closing while a commit's outcome is unknown: that comes first, its senders wait for it.
    if (this.#doubtful !== undefined) return this.probe();
    this.#run(this.#turn());
  };

  #run(effect: Effect.Effect<void>): void {
    this.#running = true;
    Effect.runCallback(effect, {
      onExit: () => {
        this.#running = false;
        if (this.#options.state() === "stopped") this.#refuseAll();
        if (this.#hasWork()) this.request();
        else this.onIdle?.();
      },
    });
  }
  onIdle: (() => void) | undefined;

  #hasWork(): boolean {
    const state = this.#options.state();
    // While the engine recovers its intake waits: a turn for it would take nothing, over and over.
    if (state === "recovering") return this.#renewDue || this.#effectsDone.length > 0 || this.#deadLetters.length > 0;
    return state !== "degraded" && state !== "stopped" && this.#isOwing();
  }

  #isOwing(): boolean {
    return (
      this.waiting > 0 || this.#renewDue || this.#pruneDue || this.#effectsDone.length > 0 || this.#deadLetters.length > 0 || this.#options.pump.isDue() || this.#options.careful?.isWaiting === true
    );
  }

  /** One turn: load, step, store, tell. A failure before the commit leaves nothing; one in the commit is looked into. */
  #turn(): Effect.Effect<void> {
    this.#wasAlone = this.waiting <= 1;
    const share = this.#share();
    const attempt: Attempt = {
      share,
      batch: share === undefined ? this.#take() : share.kind === "mail" ? this.#mail.splice(0, share.count) : [],
      turn: new Turn(this.#options.world, ++this.turns, this.#options.time.now()),
      stored: undefined,
      error: undefined,
      deadLetters: [],
      mailBuried: none,
      timers: none,
      recovered: 0,
    };
    return Effect.catchAllCause(this.#attempt(attempt), (cause) => this.#afterFailure(attempt, Cause.squash(cause)));
  }

  /** What this turn takes of what was there after a crash. */
  #share(): Share | undefined {
    const { careful, state } = this.#options;
    return careful === undefined || careful.isOver || state() === "recovering" ? undefined : careful.share(this.#mail, this.#queue.length > 0);
  }

  readonly #attempt = Effect.fnUntraced(function* (this: Loop, attempt: Attempt) {
    const { journal, limits, pump, time, letterRoom } = this.#options;
    const { turn, batch, share } = attempt;
    const careful = this.#options.careful?.isOver === false ? this.#options.careful : undefined;
    if (this.#renewDue) {
      this.#renewDue = false;
      yield* journal.renew(time.now());
      this.#pruneDue = true;
      this.#options.sweep.begin();
    }
    if (this.#pruneDue) {
      const keys = yield* journal.pruneKeys(turn.at - limits.keyRetentionMs, keysPrunedMax);
      this.#pruneDue = (yield* this.#options.sweep.step(turn.at)) || keys === keysPrunedMax;
    }
    const absent = this.#absent(batch);
    if (absent.length > 0) yield* this.#load(turn, absent);
    failpoint("turn.loaded");
    // What became of earlier calls with the same idempotency keys.
    const wanted = keysOf(batch);
    const known = new Map<string, KeyRow>();
    if (wanted.length > 0) for (const row of yield* journal.keys(wanted)) if (row.at >= turn.at - limits.keyRetentionMs) known.set(`${row.address}\n${row.key}`, row);
    if (careful !== undefined) attempt.recovered = careful.takeSent(batch);
    if (this.#mail.length > 0 || attempt.recovered > 0) turn.postpones = true;
    const poison = share === undefined || careful === undefined ? undefined : yield* this.#beginShare(careful, share, batch);
    if (batch[0]?.mail !== undefined) turn.hold();
    for (const delivery of withNotes(turn, batch)) {
      if (delivery.mail === undefined) {
        turn.release();
        if (turn.missing.size > 0) yield* this.#loadMissing(turn);
      }
      if (poison !== undefined) turn.giveUp(delivery, poison);
      else if (delivery.letter !== undefined) yield* this.#takeLetter(turn, delivery, delivery.letter);
      else if (delivery.event.type === "taskwright.restart") yield* this.#restart(turn, delivery);
      else if (delivery.event.type === "taskwright.migrate") this.#migrate(turn, delivery);
      else this.#deliver(turn, delivery, known);
      // What a delivery brings about comes before the next one, whoever is in memory.
      if (turn.missing.size > 0) yield* this.#loadMissing(turn);
      if (delivery.key !== undefined) this.#remember(turn, delivery, known);
    }
    turn.release();
    if (turn.missing.size > 0) yield* this.#loadMissing(turn);
    if (careful?.hasTimers === true ? share?.kind === "timers" : pump.isDue()) attempt.timers = yield* this.#deliverTimers(turn, careful);
    failpoint("turn.stepped");
    if (turn.isEmpty && this.#effectsDone.length === 0 && this.#deadLetters.length === 0) {
      careful?.stored({});
      return this.#tell(turn);
    }
    turn.deadLetters.push(...this.#deadLetters);
    turn.mailTaken.push(...this.#mailBuried);
    if (turn.deadLetters.length > 0) yield* letterRoom.make(turn);
    const concluded = rowsOf(turn, this.#effectsDone);
    const stored = careful === undefined ? concluded : { ...concluded, attemptsDone: careful.doneWith(concluded.mailTaken, concluded.effectsDone, attempt.timers) };
    attempt.stored = stored;
    attempt.deadLetters = this.#deadLetters;
    attempt.mailBuried = this.#mailBuried;
    this.#effectsDone = [];
    this.#deadLetters = [];
    if (this.#mailBuried.length > 0) this.#mailBuried = [];
    yield* journal.commit(stored);
    this.#commited(turn, stored);
  });

  #commited(turn: Turn, stored: StoredTurn): void {
    failpoint("turn.committed");
    this.#options.careful?.stored(stored);
    this.#options.letterRoom.stored(stored);
    for (const machine of stored.machines) this.#options.world.registry.stored.set(machine.hash, machine);
    this.transitions += stored.history.length;
    this.#options.pump.arm(markStored(turn, stored.wakes));
    this.#tell(turn);
    failpoint("turn.told");
  }

  #tell(turn: Turn): void {
    for (const delivery of turn.postponed) this.#mail.push(delivery);
    this.#options.onStored(turn);
    this.#options.world.residents.evict();
  }

  /**
   * Nothing while the engine recovers: what a turn stores then (mail, owed actions), recovery would read and take up
   * a second time. The lease is renewed meanwhile.
   */
  #take(): ReadonlyArray<Delivery> {
    if (this.#options.state() === "recovering") return [];
    const max = this.#options.limits.turnEnvelopesMax;
    const mail = this.#mail.splice(0, max);
    // At least one of the others goes along: an exchange that never ends would hold them up for ever.
    const others = this.#queue.splice(0, endAfter(this.#queue, Math.max(1, max - mail.length)));
    return mail.length === 0 ? others : [...mail, ...others];
  }

  #absent(batch: ReadonlyArray<Delivery>): ReadonlyArray<Address> {
    const absent: Array<Address> = [];
    for (const { to } of batch) if (this.#options.world.residents.get(to) === undefined) absent.push(to);
    return absent.length > 1 ? [...new Set(absent)] : absent;
  }

  readonly #load = Effect.fnUntraced(function* (this: Loop, turn: Turn, addresses: ReadonlyArray<Address>) {
    const { journal, world } = this.#options;
    const wanted = addresses.flatMap((address) => parseSystemAddress(address) ?? []);
    if (wanted.length > 0) {
      for (const { tree, systemId, address } of yield* journal.names(wanted)) turn.names.set(systemAddress(tree, systemId), address);
      for (const address of addresses) if (isSystemAddress(address) && !turn.names.has(address)) turn.absent.add(address);
      addresses = addresses.filter((address) => !isSystemAddress(address));
    }
    const rows = yield* journal.actors(addresses);
    for (const row of rows) {
      const actor = this.#behind.has(row.address) ? { address: row.address, reason: "damaged" as const, detail: "its history goes further than its row" } : awaken(world.registry, row, turn.at);
      if (actor instanceof Resident) {
        world.residents.set(actor);
        turn.move(actor);
      } else turn.parked.set(row.address, actor);
    }
    if (rows.length === addresses.length) return;
    const found = new Set(rows.map((row) => row.address));
    for (const address of addresses) if (!found.has(address)) turn.absent.add(address);
  });

  #deliver(turn: Turn, delivery: Delivery, known: Map<string, KeyRow>): void {
    const { to, key } = delivery;
    if (key !== undefined) {
      const earlier = known.get(`${to}\n${key}`);
      if (earlier !== undefined) {
        turn.settlements.push({ delivery, ...repeated(delivery, earlier) });
        return;
      }
    }
    if (turn.parked.has(to) || (turn.absent.has(to) && delivery.create === undefined && this.#options.world.residents.get(to) === undefined)) return turn.undeliverable(delivery);
    if (delivery.internal !== true && delivery.create === undefined && this.#options.world.residents.get(to)?.registered.internal === true) {
      turn.refuse(delivery, new InvalidAddress({ address: to, detail: "this actor is the engine's own; send to the actor that invoked it" }));
      return;
    }
    turn.deliver(delivery);
  }

  /** The same key again in the same turn is answered with this receipt. */
  #remember(turn: Turn, { to, key }: Delivery, known: Map<string, KeyRow>): void {
    const stored = turn.keys.findLast((row) => row.address === to && row.key === key);
    if (stored !== undefined) known.set(`${to}\n${key}`, stored);
  }

  /** The actor is loaded by now, and so it has moved already if it had to. */
  #migrate(turn: Turn, delivery: Delivery): void {
    const actor = this.#options.world.residents.get(delivery.to);
    if (actor === undefined || (delivery.only !== undefined && delivery.only !== actor.id)) turn.undeliverable(delivery);
    else migrateNow(turn, this.#options.world.registry, actor, delivery);
  }

  /** Actors that a step wanted to reach and that were not in memory; then what wanted them is done again. */
  readonly #loadMissing = Effect.fnUntraced(function* (this: Loop, turn: Turn) {
    while (turn.missing.size > 0) {
      yield* this.#load(turn, [...turn.missing]);
      turn.resume();
    }
  });

  /** Stores attempts for what a careful turn takes; answers why it is given up instead. */
  readonly #beginShare = Effect.fnUntraced(function* (this: Loop, careful: Careful, share: Share, batch: ReadonlyArray<Delivery>) {
    switch (share.kind) {
      case "mail":
        return yield* careful.takeMail(batch);
      case "actions":
        yield* careful.beginActions(this.#options.runAction, (action, error) => this.effectDone(action.row.id, letterOf(action, this.#options.time.now(), error)));
        return undefined;
      case "end":
        yield* careful.end;
        return undefined;
      case "timers":
        return undefined; // which they are is known once they are read
    }
  });

  /** A dead letter is removed by the turn that delivers it again; if it fails again, that turn stores a new one. */
  readonly #takeLetter = Effect.fnUntraced(function* (this: Loop, turn: Turn, delivery: Delivery, letter: TakenLetter) {
    const { world, journal } = this.#options;
    const parent = delivery.create?.parent;
    if (parent !== undefined && world.residents.get(parent) === undefined) yield* this.#load(turn, [parent]);
    const again = letter.isDropped
      ? dropped(turn, delivery, letter, world)
      : letter.action === undefined
        ? requeued(turn, delivery, letter, world)
        : yield* owedAgain(turn, delivery, letter, letter.action, world, journal);
    if (again?.event.type === "taskwright.restart") yield* this.#restart(turn, again);
    else if (again !== undefined) this.#deliver(turn, again, new Map());
  });

  /** Timers that are due, in the order in which they fell due. Answers those that it delivered. */
  readonly #deliverTimers = Effect.fnUntraced(function* (this: Loop, turn: Turn, careful: Careful | undefined) {
    const { journal, pump, world, limits } = this.#options;
    const now = careful?.hasTimers === true ? Math.min(careful.dueUntil, turn.at) : turn.at;
    const due = yield* journal.due(now, limits.dueTimersMax);
    const absent = due.map((wake) => wake.address).filter((address) => world.residents.get(address) === undefined);
    if (absent.length > 0) yield* this.#load(turn, absent);
    // If more is due than this turn takes, it goes no further than the last wake that it was given: the rest is due later.
    const isAll = due.length < limits.dueTimersMax;
    const until = isAll ? now : (due.at(-1)?.due ?? now);
    const timers: Array<DueTimer> = [];
    for (const { address, actor: id } of due) {
      const actor = world.residents.get(address);
      if (actor === undefined || actor.id !== id) {
        // Parked, or an earlier incarnation: nothing is due there that we could step.
        turn.asleep.push({ actor: id, due: turn.parked.has(address) ? turn.at + parkedWakeMs : undefined });
        continue;
      }
      if (actor.seq >= limits.historyMax) {
        // Its deadlines rest: they could not be told, and would be due for ever.
        turn.asleep.push({ actor: id, due: turn.at + parkedWakeMs });
        world.reached("historyMax");
        continue;
      }
      turn.wake(actor);
      for (const [timer, { due: at, token, held }] of Object.entries(actor.state.timers)) if (at <= until && held !== true) timers.push({ actor, id: timer, due: at, token });
    }
    timers.sort((left, right) => left.due - right.due || left.actor.id - right.actor.id || left.token - right.token);
    const taken = careful?.hasTimers === true ? timers.slice(0, careful.headOfTimers(timers)) : timers;
    const poison = careful?.hasTimers === true ? yield* careful.takeTimers(taken) : undefined;
    for (const { actor, id, token } of taken) {
      // An earlier one of the same turn may have taken it away.
      if (actor.state.timers[id]?.token !== token) continue;
      const event = { type: "taskwright.timer" as const, id, token };
      const delivery: Delivery = { to: actor.address, from: "", event, json: JSON.stringify(event), internal: true, only: actor.id };
      if (poison === undefined) turn.deliver(delivery);
      else turn.giveUp(delivery, poison);
      if (turn.missing.size > 0) yield* this.#loadMissing(turn);
    }
    if (isAll && taken.length === timers.length) {
      careful?.takesLastTimers();
      pump.taken(yield* journal.nextWakeAfter(now));
    } else pump.taken(turn.at);
    return taken;
  });

  /** Begins an actor again, and the siblings that share its fate, each with the input that it was started with. */
  readonly #restart = Effect.fnUntraced(function* (this: Loop, turn: Turn, delivery: Delivery) {
    const { journal, world } = this.#options;
    if (delivery.mail !== undefined) turn.mailTaken.push(delivery.mail);
    // Another one has taken its place since.
    if (delivery.only !== undefined && (world.residents.get(delivery.to)?.id ?? delivery.only) !== delivery.only) return;
    const { scope } = delivery.event as Extract<EngineEvent, { type: "taskwright.restart" }>;
    const parent = parentAddress(delivery.to);
    let addresses: ReadonlyArray<Address> = [delivery.to];
    if (parent !== undefined && scope !== undefined && scope !== "one_for_one") {
      if (world.residents.get(parent) === undefined) yield* this.#load(turn, [parent]);
      const children = Object.entries(world.residents.get(parent)?.state.children ?? {}).sort(([, left], [, right]) => left.token - right.token);
      const siblings = children.map(([id]) => childAddress(parent, id));
      addresses = scope === "one_for_all" ? siblings : siblings.slice(siblings.indexOf(delivery.to));
    }
    const absent = addresses.filter((address) => world.residents.get(address) === undefined);
    if (absent.length > 0) yield* this.#load(turn, absent);
    for (const address of addresses) {
      const [first] = yield* journal.history(address, 0, 1);
      // Of a history that was cut, the checkpoint knows how the actor was started.
      const text = first === undefined || first.seq > 1 ? (yield* journal.checkpoint(address))?.start : first.event;
      const started = text === undefined || text === "" ? {} : readStart(text);
      if (started === undefined) {
        turn.refuse({ ...delivery, to: address }, new ActorParked({ address, reason: "damaged", detail: "the entry of its start can't be read" }));
        continue;
      }
      const { input } = started;
      const event = { type: "taskwright.restart" as const, ...(input === undefined ? {} : { input }) };
      this.#deliver(turn, { to: address, from: "", event, json: JSON.stringify(event), internal: true }, new Map());
      if (turn.missing.size > 0) yield* this.#loadMissing(turn);
    }
  });

  /**
   * The turn may or may not be on disk. Memory is thrown away, the journal opened anew and asked; until it answers,
   * nobody is told anything.
   */
  readonly #afterFailure = Effect.fnUntraced(function* (this: Loop, attempt: Attempt, error: unknown) {
    this.#options.world.residents.clear();
    attempt.error = error;
    if (isFenced(error)) {
      attempt.stored = undefined; // that much is certain
      return this.#fenced(attempt, error);
    }
    if (error instanceof JournalError && error.reason === "replaced") {
      // As certain: the journal looks before it writes. Whoever waited for the file to come back might wait for ever.
      this.#options.pump.arm(this.#options.time.now());
      this.#lose(attempt);
      return this.#failed(error);
    }
    this.#doubtful = attempt;
    if ((yield* this.#resolve()) === "lost") this.#failed(error);
  });

  #failed(error: unknown): void {
    this.#failures++;
    this.#options.onCommitFailed(failureOf(error));
  }

  /** Finds out what became of a doubtful turn. While the store can't be read, the doubt stays. */
  readonly #resolve = Effect.fnUntraced(function* (this: Loop) {
    const attempt = this.#doubtful;
    if (attempt === undefined) return "stored";
    const looked = yield* Effect.either(this.#wasStored(attempt));
    if (looked._tag === "Left") {
      if (isFenced(looked.left)) this.#fenced(attempt, looked.left);
      else this.#failed(looked.left);
      return "unknown";
    }
    this.#doubtful = undefined;
    this.#options.pump.arm(this.#options.time.now());
    const { turn, stored, batch, error } = attempt;
    if (stored !== undefined && looked.right) {
      for (const actor of turn.touched) this.#options.world.residents.set(actor);
      this.#commited(turn, stored);
      return "stored";
    }
    if (error instanceof JournalError && error.reason === "failed" && (yield* this.#findBehind(attempt))) {
      this.#undo(attempt);
      // Without them the same turn can be stored: nobody else needs to know.
      this.#mail = [...batch.filter((delivery) => delivery.mail !== undefined), ...this.#mail];
      this.#queue = [...batch.filter((delivery) => delivery.mail === undefined), ...this.#queue];
      return "again";
    }
    this.#lose(attempt);
    return "lost";
  });

  /** Nothing of the turn was stored: who waits for it is told, and what the engine owes itself is tried again. */
  #lose(attempt: Attempt): void {
    const { turn, batch, error } = attempt;
    this.#undo(attempt);
    const detail = error instanceof Error ? error.message : String(error);
    const isStore = error instanceof JournalError;
    for (const delivery of batch) {
      if (!isOwed(delivery)) delivery.settle?.(new EngineDegraded({ detail, reason: isStore ? error.reason : "defect", cause: error }), undefined);
      // What the engine owes itself is tried again; after a defect of its own that could go on for ever.
      else if (!isStore) {
        this.#deadLetters.push({ address: delivery.to, at: turn.at, envelope: envelopeOf(delivery), error: JSON.stringify(failureOf(error)) });
        if (delivery.mail !== undefined) this.#mailBuried.push(delivery.mail);
      }
    }
    if (isStore) {
      const owed = batch.filter(isOwed);
      this.#mail = [...owed.filter((delivery) => delivery.mail !== undefined), ...this.#mail];
      this.#queue = [...owed.filter((delivery) => delivery.mail === undefined), ...this.#queue];
    }
  }

  /** A damaged row may have a sequence number that its history is beyond. Says whether there is one that was not known. */
  readonly #findBehind = Effect.fnUntraced(function* (this: Loop, { turn }: Attempt) {
    const { journal } = this.#options;
    const known = this.#behind.size;
    const rows = yield* Effect.orElseSucceed(journal.actorsById(turn.touched.map(({ id }) => id)), () => []);
    for (const { address, seq } of rows) {
      const [beyond] = yield* Effect.orElseSucceed(journal.history(address, seq, 1), () => []);
      if (beyond !== undefined) this.#behind.add(address);
    }
    return this.#behind.size > known;
  });

  /** Looks for a row that the turn wrote, or for one that it removed. */
  readonly #wasStored = Effect.fnUntraced(function* (this: Loop, { stored }: Attempt) {
    const { journal } = this.#options;
    const { history } = yield* journal.reopen;
    if (stored === undefined) return false;
    const [entry] = stored.history;
    if (entry !== undefined) return history >= entry.id;
    const [effect] = stored.effectsDone;
    if (effect !== undefined) return (yield* journal.effects(effect - 1, 1))[0]?.id !== effect;
    const [mail] = stored.mailTaken;
    if (mail !== undefined) return (yield* journal.mail(mail - 1, 1))[0]?.id !== mail;
    const [letter] = stored.deadLettersTaken ?? [];
    if (letter !== undefined) return (yield* journal.deadLetters({ ids: [letter], limit: 1 })).length === 0;
    return false; // it only moved wakes, which the next turn does again
  });

  /** Puts back what the turn had taken besides its deliveries. */
  #undo({ recovered, error, stored, deadLetters, mailBuried }: Attempt): void {
    this.#options.letterRoom.forget();
    if (this.#options.careful?.isOver === false) this.#options.careful.lost(error instanceof JournalError ? recovered : 0);
    if (stored === undefined) return;
    this.#mailBuried = [...mailBuried, ...this.#mailBuried];
    this.#effectsDone = [...stored.effectsDone, ...this.#effectsDone];
    this.#deadLetters = [...deadLetters, ...this.#deadLetters];
  }

  /** Called by the engine's machine while it is degraded: is the store back? */
  probe(): void {
    if (this.#running) return;
    const { journal, time, onCommitted, onFenced } = this.#options;
    this.#run(
      Effect.gen(this, function* () {
        if (this.#doubtful === undefined) yield* journal.reopen;
        else if ((yield* this.#resolve()) === "unknown") return;
        yield* journal.renew(time.now());
        // A lease can be renewed where no turn fits in any more (a full disk): what waits is the better proof.
        const failures = this.#failures;
        if (this.#isOwing()) yield* this.#turn();
        if (this.#failures === failures) onCommitted();
      }).pipe(Effect.catchAll((error) => Effect.sync(() => (isFenced(error) ? onFenced(failureOf(error)) : this.#failed(error))))),
    );
  }

  #fenced(attempt: Attempt, error: JournalFenced): void {
    this.#doubtful = attempt;
    this.#options.onFenced(failureOf(error));
    this.#refuseAll();
  }

  #refuseAll(): void {
    const doubtful = this.#doubtful;
    this.#doubtful = undefined;
    // A commit that was tried may have been stored although it was reported as failed, and nobody can be asked any more.
    const detail = doubtful?.stored === undefined ? neverStored : "it stopped before it could find out whether this event was stored; look at the actor's history";
    for (const delivery of doubtful?.batch ?? []) delivery.settle?.(new EngineClosed({ detail }), undefined);
    const refused = [...this.#mail, ...this.#queue];
    this.#mail = [];
    this.#queue = [];
    for (const delivery of refused) delivery.settle?.(new EngineClosed({ detail: neverStored }), undefined);
  }
}

/** What an actor was started with, or nothing where the entry is damaged. */
const readStart = (event: string): { readonly input?: never } | undefined => {
  try {
    return parseJson(event) as { input?: never };
  } catch {
    return undefined;
  }
};

interface DueTimer {
  readonly actor: Resident;
  readonly id: string;
  readonly due: number;
  readonly token: number;
}

interface Attempt {
  /** Events in it that the recovery sent. */
  recovered: number;
  readonly share: Share | undefined;
  readonly batch: ReadonlyArray<Delivery>;
  readonly turn: Turn;
  stored: StoredTurn | undefined;
  /** Why it failed. */
  error: unknown;
  /** Of failed actions, besides those that the turn itself made. */
  deadLetters: Array<DeadLetterRow>;
  mailBuried: ReadonlyArray<number>;
  timers: ReadonlyArray<DueTimer>;
}

const keysOf = (batch: ReadonlyArray<Delivery>): ReadonlyArray<KeyWanted> => {
  const wanted: Array<KeyWanted> = [];
  for (const { to: address, key } of batch) if (key !== undefined) wanted.push({ address, key });
  return wanted;
};

const none: ReadonlyArray<never> = [];
const neverStored = "it stopped before this event was stored";

/** What the engine owes somebody who was not told to wait: it is kept until it can be stored. */
const isOwed = (delivery: Delivery): boolean => (delivery.internal === true || delivery.kept === true) && delivery.settle === undefined;

const isFenced = (error: unknown): error is JournalFenced => typeof error === "object" && error !== null && "_tag" in error && error._tag === "JournalFenced";
