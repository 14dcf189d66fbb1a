import { type ActorState, type Command, EarlyEvent, nextOffer, type Step, start, step } from "../actor/index.ts";
import { type Address, childAddress, childId, isSystemAddress, parentAddress, supervisorAddress, systemAddress, treeOf } from "../domain/address.ts";
import type { Outcome } from "../domain/envelope.ts";
import { type EngineEvent, type Event, isReserved } from "../domain/event.ts";
import { type Failure, failureOf } from "../domain/json.ts";
import type { DeadLetterRow, EffectRow, EntryWrite, HistoryRow, KeyRow, MachineRow, MailRow, NameRow } from "../journal/index.ts";
import { causeOf, checkCommands, isLast, limitOf, type Load, Overload } from "./bounds.ts";
import { actionsFirst, childMeant, childOf, childrenFirst, completionOf, passesOn, snapshotFor, takesEvents } from "./child.ts";
import type { Contract } from "./contract.ts";
import { ActorFailed, ActorParked, EventRefused, HistoryFull, InvalidEvent, PayloadTooLarge, UnknownActor, UnknownMachine } from "./errors.ts";
import { type Delivery, envelopeOf, type Receipt, type Taken, withInput } from "./intake.ts";
import { Resident } from "./resident.ts";
import { Absent, Undo } from "./undo.ts";
import type { Unreadable } from "./versions.ts";
import { type Owed, type Transition, transitionOf, type World } from "./world.ts";

export type { Transition, World } from "./world.ts";

/** Nested deliveries beyond this depth wait for their turn in a line instead of on the stack. */
const nestingMax = 64;

/**
 * One turn: takes deliveries, steps the actors that they reach, and collects what the journal must store. Messages
 * between actors are followed as XState follows them: a target that is at rest is stepped at once, one that is under
 * way takes the message when it comes to rest. Nothing here waits or touches the store; a delivery that needs an actor
 * which is not in memory leaves no trace, so that the order of messages never depends on who is.
 */
export class Turn implements Load {
  readonly number: number;
  readonly at: number;
  readonly touched: Array<Resident> = [];
  readonly history: Array<HistoryRow & { readonly id: number }> = [];
  readonly keys: Array<KeyRow> = [];
  readonly mail: Array<MailRow> = [];
  readonly mailTaken: Array<number> = [];
  readonly effectRows: Array<EffectRow> = [];
  readonly deadLetters: Array<DeadLetterRow> = [];
  /** Dead letters that this turn takes away; absent in most turns. */
  lettersTaken: Array<Taken> | undefined;
  /** Who must be loaded before the turn can go on: the engine does so, and calls `resume`. */
  readonly missing = new Set<Address>();
  /** Addresses at which the store has nobody. */
  readonly absent = new Set<Address>();
  /** Actors whose row can't be read by the machines that are registered. */
  readonly parked = new Map<Address, Unreadable>();
  /** Whom a system address means, as far as this turn has asked or decided; nobody where it is empty. */
  readonly names = new Map<Address, Address | undefined>();
  readonly entryWrites: Array<EntryWrite> = [];
  readonly nameRows: Array<NameRow> = [];
  /** What the code of live actors is to be told. */
  readonly handed: Array<{ readonly actor: Resident; readonly event: Event }> = [];
  /** Wakes that lead to nobody, to be moved or removed. */
  readonly asleep: Array<{ readonly actor: number; readonly due: number | undefined }> = [];
  /** Mail that this turn stored instead of stepping, for the next one. */
  readonly postponed: Array<Delivery> = [];
  readonly owed: Array<Owed> = [];
  readonly emitted: Array<{ readonly address: Address; readonly machine: string; readonly event: Event }> = [];
  readonly logs: Array<{ readonly address: Address; readonly label: string | undefined; readonly value: unknown }> = [];
  readonly transitions: Array<Transition> = [];
  readonly answers: Array<{ readonly to: Address; readonly event: Event }> = [];
  readonly settlements: Array<{ readonly delivery: Delivery; readonly error: unknown; readonly receipt: Receipt | undefined }> = [];
  readonly #world: World;
  readonly #line: Array<Delivery> = [];
  /** Payloads of commands as JSON, made once: to be measured, and to be stored. */
  readonly texts = new Map<Command, string | undefined>();
  /** Actors whose wake is set anew at the end of the turn. */
  readonly woken: Array<Resident> = [];
  /** Machines whose chart is not stored yet, by hash. */
  readonly charts = new Map<string, MachineRow>();
  /** Older messages wait in the mailbox beyond this turn: what is sent now goes behind them. */
  postpones = false;
  /** The delivery that waits for the missing ones. */
  #interrupted: { readonly delivery: Delivery; readonly poison: Error | undefined } | undefined;
  /** Actors whose place was taken in this turn by the child of another incarnation of their parent. */
  readonly #displaced: Array<Resident> = [];
  readonly #undo: Undo;
  /** Everything that a delivery adds to. */
  readonly #lists: ReadonlyArray<Array<unknown>> = [
    ...[this.touched, this.history, this.keys, this.mail, this.mailTaken, this.effectRows, this.deadLetters, this.postponed, this.nameRows, this.handed, this.entryWrites],
    ...[this.owed, this.emitted, this.logs, this.transitions, this.answers, this.settlements, this.#line, this.#displaced],
  ];
  #depth = 0;
  #messages = 0;
  #holding = false;

  /** Somebody listens to every transition since before this turn. */
  readonly isObserved: boolean;

  constructor(world: World, number: number, at: number) {
    this.#world = world;
    this.isObserved = world.observed();
    this.#undo = new Undo(this.#lists, world.ids, world.residents, this.names);
    this.number = number;
    this.at = at;
  }

  get isEmpty(): boolean {
    return (
      this.history.length === 0 &&
      this.mail.length === 0 &&
      this.mailTaken.length === 0 &&
      this.deadLetters.length === 0 &&
      this.lettersTaken === undefined &&
      this.touched.length === 0 &&
      this.woken.length === 0 &&
      this.asleep.length === 0
    );
  }

  /** Follows one delivery and everything that comes of it. Not while somebody is missing. */
  deliver(delivery: Delivery): void {
    this.#try(delivery);
    if (!this.#holding) this.#drain();
  }

  /** Follows one delivery as a whole or, where somebody is missing, not at all. */
  #try(delivery: Delivery, poison?: Error): void {
    const messages = this.#messages;
    this.#undo.begin();
    try {
      if (poison === undefined) this.#route(delivery);
      else this.#giveUp(delivery, poison);
    } catch (error) {
      if (!(error instanceof Absent)) throw error;
      this.#undo.undo();
      this.#messages = messages;
      this.#depth = 0;
      this.#interrupted = { delivery, poison };
    }
  }

  /** From now on what comes of a delivery waits in the line until `release`: older deliveries follow. */
  hold(): void {
    this.#holding = true;
  }

  release(): void {
    this.#holding = false;
    this.#drain();
  }

  /** Those who were missing are loaded, or known to be absent or parked. */
  resume(): void {
    const interrupted = this.#interrupted;
    this.missing.clear();
    this.#interrupted = undefined;
    if (interrupted === undefined) return;
    this.#try(interrupted.delivery, interrupted.poison);
    if (!this.#holding) this.#drain();
  }

  #drain(): void {
    while (this.missing.size === 0) {
      const next = this.#line.shift();
      if (next === undefined) return;
      this.#try(next);
    }
  }

  /** The store has no such actor, or one that can't be read. */
  undeliverable(delivery: Delivery): void {
    const unreadable = this.parked.get(delivery.to);
    const error = unreadable === undefined ? new UnknownActor({ address: delivery.to }) : new ActorParked({ ...unreadable });
    if (delivery.mail !== undefined) this.mailTaken.push(delivery.mail);
    // The host is told; what actors sent to nobody is kept for an operator.
    if (delivery.settle !== undefined) this.settlements.push({ delivery, error, receipt: undefined });
    else if (delivery.event.type !== "taskwright.timer") this.#bury(delivery, failureOf(error));
  }

  /** Not for this actor: the host is told, or, where nobody waits, an operator. */
  refuse(delivery: Delivery, error: Error): void {
    if (delivery.settle !== undefined) this.settlements.push({ delivery, error, receipt: undefined });
    else this.#bury(delivery, failureOf(error));
  }

  /** So many more messages would wait in the stored mailbox. */
  waits(messages: number): boolean {
    return this.postpones || this.#messages + messages > this.#world.limits.turnMessagesMax;
  }

  takeLetter(taken: Taken): void {
    (this.lettersTaken ??= []).push(taken);
  }

  /** A custom action that failed is owed again. */
  owe(actor: Resident, event: Event | EngineEvent, { action, seq, params }: { readonly action: string; readonly seq: number; readonly params: string }): void {
    const row: EffectRow = { id: ++this.#world.ids.effect, actor: actor.id, seq, action, params };
    this.effectRows.push(row);
    this.owed.push({ row, actor, event });
  }

  /**
   * The process ended on it too often: it fails as if the machine had thrown, which is not asked. What comes of that
   * waits in the mailbox, so that this much is stored whatever follows.
   */
  giveUp(delivery: Delivery, error: Error): void {
    this.postpones = true;
    this.#try(delivery, error);
  }

  #giveUp(delivery: Delivery, error: Error): void {
    const actor = this.#world.residents.get(delivery.to);
    if (delivery.create?.parent !== undefined) {
      if (delivery.mail !== undefined) this.mailTaken.push(delivery.mail);
      this.#refuseStart(delivery, delivery.create, error);
    } else if (actor === undefined) this.undeliverable(delivery);
    else {
      if (delivery.mail !== undefined) this.mailTaken.push(delivery.mail);
      this.#undo.changes(actor);
      this.#fail(actor, delivery, error);
    }
  }

  /**
   * Another form of its machine wrote this actor: its move to the registered one is an entry of its own, before whatever
   * it is told. What the move asks for (children to start and to stop) goes through the mailbox, and so does all that
   * is sent after it in this turn.
   */
  move(actor: Resident): void {
    const { move } = actor;
    if (move === undefined) return;
    actor.move = undefined;
    const { event, state, commands } = move;
    this.#chart(actor);
    this.#touch(actor);
    const step: Step = { state, commands, outcome: "handled", microsteps: [] };
    this.#record(actor, { to: actor.address, event, json: JSON.stringify(event), from: "", internal: true }, "handled", step);
    if (commands.length === 0) return;
    this.postpones = true;
    this.#follow(actor, event, step, actor.status);
  }

  #chart(actor: Resident): void {
    const { definition } = actor.registered;
    const { id, version, hash, chart } = definition;
    if (!this.#world.registry.stored.has(hash)) this.charts.set(hash, { hash, id, version, chart, at: this.at });
  }

  /** The pump found this actor's wake due: it is set anew at the end of the turn. */
  wake(actor: Resident): void {
    actor.woken = true;
    this.woken.push(actor);
  }

  #route(delivery: Delivery): void {
    // Once something waits in the line, everything that is sent later goes behind it.
    if (this.#depth > 0 && (this.#holding || this.#line.length > 0 || this.#depth >= nestingMax)) {
      this.#line.push(delivery);
      return;
    }
    const { to, create } = delivery;
    if (isSystemAddress(to)) {
      const meant = this.names.get(to);
      if (meant !== undefined) return this.#route({ ...delivery, to: meant });
      if (this.absent.has(to)) return this.undeliverable(delivery);
      this.missing.add(to);
      throw new Absent();
    }
    const resident = this.#world.residents.get(to);
    const actor = delivery.only === undefined || resident?.id === delivery.only ? resident : (this.#displaced.find(({ id }) => id === delivery.only) ?? resident);
    if (create !== undefined && (create.token > 0 || actor !== undefined || this.absent.has(to))) return this.#create(delivery, create, actor);
    if (actor === undefined) {
      if (this.absent.has(to) || this.parked.has(to)) return this.undeliverable(delivery);
      this.missing.add(to);
      throw new Absent();
    }
    if (actor.processing) {
      // What waits when an actor is told to stop comes too late, as in XState.
      if (delivery.event.type === "taskwright.stop") actor.queue.unshift(delivery);
      else actor.queue.push(delivery);
      return;
    }
    this.#run(actor, delivery);
  }

  #run(actor: Resident, first: Delivery): void {
    this.#undo.changes(actor);
    actor.processing = true;
    this.#depth++;
    for (let delivery: Delivery | undefined = first; delivery !== undefined; delivery = actor.queue.shift()) this.#process(actor, delivery);
    this.#depth--;
    actor.processing = false;
  }

  /** Makes an actor, or answers that it is there already. */
  #create(delivery: Delivery, creation: NonNullable<Delivery["create"]>, existing: Resident | undefined): void {
    if (delivery.mail !== undefined) this.mailTaken.push(delivery.mail);
    if (creation.token === 0 && existing !== undefined) {
      this.settlements.push({ delivery, error: undefined, receipt: { address: delivery.to, seq: existing.seq, at: this.at, outcome: "handled", duplicate: true } });
      return;
    }
    const { registry } = this.#world;
    const registered = (creation.hash === undefined ? undefined : registry.byHash.get(creation.hash)) ?? registry.byId.get(creation.machine);
    if (registered === undefined) {
      // It waited in the mailbox while the host took the machine away.
      this.#refuseStart(delivery, creation, new UnknownMachine({ machine: creation.machine, known: [] }));
      return;
    }
    // An earlier incarnation of the parent may still be stopping the child that it had there.
    if (existing === undefined && creation.replaces && !this.absent.has(delivery.to) && !this.parked.has(delivery.to) && this.#world.residents.get(creation.parent ?? "")?.created === true) {
      this.missing.add(delivery.to);
      throw new Absent();
    }
    let first: Step;
    try {
      if (registered.contract?.input !== undefined) delivery = withInput(delivery, registered.contract.input(delivery.to, (delivery.event as { input?: unknown }).input));
      const { input, sync } = delivery.event as Extract<EngineEvent, { type: "taskwright.start" }>;
      first = start(registered.definition, delivery.to, creation.parent, input, this.at, { sync });
      registered.contract?.step?.(undefined, first);
    } catch (error) {
      this.#refuseStart(delivery, creation, error);
      return;
    }
    const { definition } = registered;
    const actor = new Resident(
      {
        id: ++this.#world.ids.actor,
        address: delivery.to,
        parent: creation.parentId,
        createdAt: this.at,
        machine: definition.id,
        hash: definition.hash,
        status: "",
        seq: 0,
        at: this.at,
        state: "",
        token: creation.token,
        wake: undefined,
      },
      registered,
      first.state,
    );
    actor.created = true;
    actor.replaces = creation.replaces;
    try {
      checkCommands(actor, first.commands, this.#world, this);
      actor.state = undefined as never; // so that `apply` sees a change
      actor.apply(first, this.#world.limits.stateBytesMax);
    } catch (error) {
      this.#refuseStart(delivery, creation, error);
      return;
    }
    const owner = creation.parent === undefined ? undefined : this.#world.residents.get(creation.parent);
    const isDisplaced = owner === undefined ? this.#displaced.some(({ id }) => id === creation.parentId) : owner.id !== creation.parentId;
    if (existing?.created === true && !isDisplaced) {
      this.#undo.changes(existing);
      // Both are made by this turn: the earlier one never stands at the address that the later one takes.
      actor.replaces = existing.replaces;
      existing.replaces = false;
      existing.succeeded = true;
    }
    if (isDisplaced) {
      // Its parent is being replaced: it begins beside the place that belongs to others now, and is stopped there.
      actor.succeeded = true;
      actor.replaces = false;
      this.#displaced.push(actor);
    } else {
      if (existing !== undefined && existing.parentId !== creation.parentId) this.#displaced.push(existing);
      this.#undo.takes(delivery.to, existing);
      this.#world.residents.set(actor);
    }
    this.#chart(actor);
    this.#touch(actor);
    this.#record(actor, delivery, "handled", first);
    actor.processing = true;
    for (const event of creation.early ?? []) actor.queue.push({ to: delivery.to, event, json: JSON.stringify(event), from: delivery.from, internal: true });
    this.#depth++;
    this.#follow(actor, delivery.event, childrenFirst(first), "");
    for (let next = actor.queue.shift(); next !== undefined; next = actor.queue.shift()) this.#process(actor, next);
    this.#depth--;
    actor.processing = false;
  }

  #refuseStart(delivery: Delivery, creation: NonNullable<Delivery["create"]>, error: unknown): void {
    const failure = failureOf(causeOf(error));
    this.#countLimit(error);
    if (creation.parent !== undefined) {
      this.#internal(creation.parent, { type: "taskwright.error", child: childId(delivery.to), token: creation.token, error: failure }, delivery.to, creation.parentId);
    } else {
      const refusal = error instanceof Overload ? error.busy : error instanceof InvalidEvent || error instanceof PayloadTooLarge ? error : undefined;
      this.settlements.push({
        delivery,
        error: refusal ?? new ActorFailed({ address: delivery.to, event: delivery.event.type, detail: failure.message, cause: causeOf(error) }),
        receipt: undefined,
      });
    }
  }

  #process(actor: Resident, sent: Delivery): void {
    if (sent.mail !== undefined) this.mailTaken.push(sent.mail);
    // A parent stops the child that it knows; a child that has begun again since is not meant.
    if (sent.event.type === "taskwright.stop" && "token" in sent.event && sent.event.token !== actor.token) return;
    // What is said of an earlier incarnation does not belong in the history of this one.
    if (sent.only !== undefined && sent.only !== actor.id) return;
    if (actor.seq >= this.#world.limits.historyMax && !isLast(sent.event)) {
      this.#world.reached("historyMax");
      this.refuse(sent, new HistoryFull({ address: actor.address, entries: actor.seq, entriesMax: this.#world.limits.historyMax }));
      return;
    }
    const check = actor.registered.contract?.event;
    const delivery = check === undefined ? sent : this.#checked(check, sent);
    if (delivery === undefined) return;
    const { event } = delivery;
    const before = actor.status;
    const { kept } = actor.state;
    actor.childrenBefore = actor.state.children;
    let result: Step;
    try {
      result = step(actor.registered.definition, actor.state, event, this.at);
      checkCommands(actor, result.commands, this.#world, this);
      actor.registered.contract?.step?.(actor.state.snapshot.context, result);
      actor.apply(result, this.#world.limits.stateBytesMax);
    } catch (error) {
      if (error instanceof EarlyEvent) {
        if (error.limit !== undefined) this.#world.reached(error.limit);
        this.refuse(delivery, new EventRefused({ address: actor.address, event: event.type, detail: error.message }));
        return;
      }
      this.#countLimit(error);
      if (error instanceof Overload && delivery.settle !== undefined) {
        // Too much of other work: the host may send it again, so nothing of it is stored.
        actor.reload();
        this.settlements.push({ delivery, error: error.busy, receipt: undefined });
      } else this.#fail(actor, delivery, error);
      return;
    }
    this.#touch(actor);
    this.#record(actor, delivery, result.outcome, result);
    if (kept.length > 0 && result.outcome === "handled") this.#offerKept(actor, kept);
    actor.processing = !passesOn(event, result);
    if (result.commands.length > 0 || actor.status !== before) this.#follow(actor, event, actionsFirst(result), before);
    actor.processing = true;
  }

  /** An event as its receiver's schema makes it. One that it refuses leaves no trace in the receiver. */
  #checked(check: NonNullable<Contract["event"]>, delivery: Delivery): Delivery | undefined {
    const { event } = delivery;
    if (isReserved(event.type)) return delivery;
    try {
      const { value, json } = check(delivery.to, event as Event);
      return { ...delivery, event: value, json, sent: event };
    } catch (error) {
      this.#countLimit(error);
      this.refuse(delivery, error as Error);
      return undefined;
    }
  }

  /** The machine threw: the actor stays where it was, the event goes to the dead letters, its supervisor decides. */
  #fail(actor: Resident, delivery: Delivery, error: unknown): void {
    const failure = failureOf(causeOf(error));
    this.#touch(actor);
    actor.reload();
    this.#record(actor, delivery, "failed", undefined, new ActorFailed({ address: actor.address, event: delivery.event.type, detail: failure.message, cause: causeOf(error) }));
    const { event } = delivery;
    if (event.type === "taskwright.cancel" || event.type === "taskwright.hold") actor.leaveAlone(this.at);
    // One that was kept is forgotten now: its letter must hold what it was.
    const kept = event.type === "taskwright.offer" ? actor.state.kept.find(({ token }) => token === event.token) : undefined;
    this.#bury(kept === undefined ? delivery : { ...delivery, event: kept.event }, failure);
    if (event.type === "taskwright.timer") {
      // Within this turn in any case: a deadline that is not set aside would be due again at once.
      const hold = { ...(event as Extract<EngineEvent, { type: "taskwright.timer" }>), type: "taskwright.hold" as const };
      this.#route({ to: actor.address, event: hold, json: JSON.stringify(hold), from: "", internal: true });
    }
    if (event.type === "taskwright.offer") this.#internal(actor.address, { type: "taskwright.forget", token: (event as Extract<EngineEvent, { type: "taskwright.offer" }>).token }, "");
    const { supervision } = actor.registered;
    // An activity or live actor that can't be told how its code ended ends itself, or its parent would wait for ever.
    const { activity, live } = this.#world.registry;
    if ((actor.registered === activity || actor.registered === live) && event.type !== "HEARTBEAT" && event.type !== "taskwright.fail")
      this.#internal(actor.address, { type: "taskwright.fail", error: failure }, "");
    if (supervision.strategy === "resume") return;
    const group = parentAddress(actor.address) ?? actor.address;
    const supervisor = supervisorAddress(group);
    this.#route({
      to: supervisor,
      from: "",
      event: { type: "taskwright.start", input: { supervises: group } },
      json: JSON.stringify({ type: "taskwright.start", input: { supervises: group } }),
      create: { machine: "supervisor", parentId: 0, parent: undefined, token: 0, replaces: false },
      internal: true,
    });
    this.#internal(supervisor, { type: "ACTOR_FAILED", address: actor.address, actor: actor.id, supervision, failure, at: this.at } as unknown as Event, actor.address);
  }

  /** Tells the actor what it kept and takes now, before anything that came later; what it will never take is for an operator. */
  #offerKept(actor: Resident, kept: ActorState["kept"]): void {
    if (actor.status === "active") {
      const offer = nextOffer(actor.registered.definition, actor.state, this.at);
      if (offer !== undefined) actor.queue.unshift({ to: actor.address, event: offer, json: JSON.stringify(offer), from: "", internal: true });
      return;
    }
    for (const { event } of kept)
      this.#bury(
        { to: actor.address, event, json: "", from: "" },
        failureOf(new EventRefused({ address: actor.address, event: event.type, detail: "the actor ended before any of its states took it" })),
      );
  }

  #touch(actor: Resident): void {
    if (actor.turn === this.number) return;
    actor.turn = this.number;
    this.touched.push(actor);
  }

  #record(actor: Resident, delivery: Delivery, outcome: Outcome, result: Step | undefined, error?: ActorFailed): void {
    this.#touch(actor);
    const seq = ++actor.seq;
    actor.at = this.at;
    this.history.push({
      id: ++this.#world.ids.history,
      actor: actor.id,
      seq,
      at: this.at,
      type: delivery.event.type,
      event: delivery.json,
      outcome,
      from: delivery.from,
      stateHash: actor.stateHash,
    });
    if (delivery.key !== undefined) this.keys.push({ address: delivery.to, key: delivery.key, seq, at: this.at, outcome, request: delivery.request ?? "" });
    if (delivery.settle !== undefined) {
      this.settlements.push({ delivery, error, receipt: error === undefined ? { address: delivery.to, seq, at: this.at, outcome, duplicate: false } : undefined });
    }
    if (this.isObserved) this.transitions.push(transitionOf(actor, delivery, this.#world.ids.history, outcome, result));
  }

  #countLimit(error: unknown): void {
    const limit = limitOf(causeOf(error));
    if (limit !== undefined) this.#world.reached(limit);
  }

  /** Carries out the commands of one step, in order. */
  #follow(actor: Resident, event: Event | EngineEvent, result: Step, before: string): void {
    try {
      for (const command of result.commands) {
        if (command.type === "child.start") this.#startChild(actor, command, result.commands);
        else if (command.type !== "send" || command.early === undefined) this.#carryOut(actor, event, command, result.commands);
      }
    } catch (error) {
      // All of them are loaded at once, or each would have its own try.
      if (error instanceof Absent) for (const command of result.commands) this.#miss(actor, command);
      throw error;
    }
    if (actor.status === before || actor.status === "active" || actor.status === "stopped") return;
    const parent = parentAddress(actor.address);
    if (parent === undefined || actor.parentId === 0) return;
    const { output, error } = actor.state.snapshot as { output: unknown; error: unknown };
    this.#internal(parent, completionOf(actor, output, error), actor.address, actor.parentId);
  }

  /** A child of this very actor whose place another one has. */
  #displacedChild(actor: Resident, id: string): Resident | undefined {
    if (this.#displaced.length === 0) return undefined;
    const address = childAddress(actor.address, id);
    return this.#displaced.findLast((child) => child.address === address && child.parentId === actor.id);
  }

  #miss(actor: Resident, command: Command): void {
    if (command.type !== "child.stop" && !(command.type === "send" && command.to.kind === "child")) return;
    const address = childAddress(actor.address, command.type === "send" ? (command.to as { id: string }).id : command.id);
    if (this.#world.residents.get(address) === undefined && !this.absent.has(address) && !this.parked.has(address)) this.missing.add(address);
  }

  #carryOut(actor: Resident, event: Event | EngineEvent, command: Exclude<Command, { type: "child.start" }>, all: ReadonlyArray<Command>): void {
    switch (command.type) {
      case "timer.set":
      case "timer.cancel":
        return; // they stand in the state; the wake is computed once, at the end of the turn
      case "send": {
        const { to } = command;
        switch (to.kind) {
          case "self":
            // It means this incarnation, which another may have replaced while its commands are carried out.
            return this.#send(actor.address, command, actor.address, actor.id);
          case "parent": {
            const parent = parentAddress(actor.address);
            if (parent !== undefined) this.#send(parent, command, actor.address, actor.parentId);
            return;
          }
          case "child": {
            const child = childMeant(actor, to.id, command, all);
            const source = child === undefined ? undefined : actor.registered.definition.sources.get(child.src);
            if (source !== undefined && takesEvents.has(source.kind)) this.#send(childAddress(actor.address, to.id), command, actor.address, this.#displacedChild(actor, to.id)?.id);
            return;
          }
          case "address":
            if (to.address.startsWith("ask/")) this.answers.push({ to: to.address, event: command.event });
            else this.#send(to.address, command, actor.address);
            return;
        }
        return;
      }
      case "child.stop":
        return this.#internal(childAddress(actor.address, command.id), { type: "taskwright.stop", token: command.token }, actor.address, this.#displacedChild(actor, command.id)?.id);
      case "sync":
        return this.#show(actor, event);
      case "emit":
        this.emitted.push({ address: actor.address, machine: actor.registered.definition.id, event: command.event });
        return;
      case "log":
        this.logs.push({ address: actor.address, label: command.label, value: command.value });
        return;
      case "act": {
        if (command.action === "handOver" && actor.registered === this.#world.registry.live) {
          this.handed.push({ actor, event: event as Event });
          return;
        }
        if (actor.registered.internal) return this.#supervise(command.action, command.params);
        const within = actor.registered.within.get(command.action);
        if (within === undefined) this.#act(actor, event, command.action, command.params);
        else this.entryWrites.push(...within({ address: actor.address, at: this.at, params: command.params }));
      }
    }
  }

  #act(actor: Resident, event: Event | EngineEvent, action: string, params: unknown): void {
    const row: EffectRow = { id: ++this.#world.ids.effect, actor: actor.id, seq: actor.seq, action, params: params === undefined ? "" : JSON.stringify(params) };
    this.effectRows.push(row);
    this.owed.push({ row, actor, event });
  }

  #startChild(actor: Resident, command: Extract<Command, { type: "child.start" }>, all: ReadonlyArray<Command>): void {
    const address = childAddress(actor.address, command.id);
    const { machine, hash, input } = childOf(this.#world.registry, actor.registered, address, command, this.at);
    const event = { type: "taskwright.start" as const, ...(input === undefined ? {} : { input: input as never }), token: command.token, ...(command.sync === true ? { sync: true as const } : {}) };
    if (command.systemId !== undefined) {
      const tree = treeOf(actor.address);
      const name = systemAddress(tree, command.systemId);
      this.#undo.renames(name);
      this.names.set(name, address);
      this.nameRows.push({ tree, systemId: command.systemId, address });
    }
    const source = actor.registered.definition.sources.get(command.src);
    const early = source !== undefined && takesEvents.has(source.kind) ? all.flatMap((other) => (other.type === "send" && other.early === command.token ? [other.event] : [])) : [];
    this.#message({
      to: address,
      event,
      json: JSON.stringify(event),
      from: actor.address,
      internal: true,
      create: { machine, hash, parentId: actor.id, parent: actor.address, token: command.token, replaces: !actor.created || actor.replaces, ...(early.length === 0 ? {} : { early }) },
    });
  }

  /** Tells the parent how the child stands now. What the engine adds to a promise or live actor is not shown. */
  #show(actor: Resident, event: Event | EngineEvent): void {
    const parent = parentAddress(actor.address);
    const snapshot = snapshotFor(actor, event);
    if (parent !== undefined && snapshot !== undefined)
      this.#internal(parent, { type: "taskwright.snapshot", child: childId(actor.address), token: actor.token, snapshot }, actor.address, actor.parentId);
  }

  /** The supervisor's decisions, carried out within the turn. */
  #supervise(action: string, params: unknown): void {
    const { address, actor, scope, failure } = (params ?? {}) as { address: Address; actor?: number; scope?: string; failure?: Failure };
    switch (action) {
      case "stopActor":
        return this.#internal(address, { type: "taskwright.stop" }, "", actor);
      case "escalateFailure":
        return this.#internal(address, { type: "taskwright.fail", error: failure as Failure }, "", actor);
      case "restartActor":
        // Needs the inputs from the history, and the siblings: the next turn looks them up before it steps.
        return this.postpone({ to: address, event: { type: "taskwright.restart", ...(scope === undefined ? {} : { scope }) }, json: "", from: "", internal: true, only: actor });
    }
  }

  #send(to: Address, command: Extract<Command, { type: "send" }>, from: Address, only?: number): void {
    this.#message({ to, event: command.event, json: this.texts.get(command) ?? JSON.stringify(command.event), from, internal: true, only });
  }

  #internal(to: Address, event: Event | EngineEvent, from: Address, only?: number): void {
    this.#message({ to, event, json: JSON.stringify(event), from, internal: true, only });
  }

  #message(delivery: Delivery): void {
    if (this.postpones || ++this.#messages > this.#world.limits.turnMessagesMax) this.postpone(delivery);
    else this.#route(delivery);
  }

  /** Stores a message for the next turn. */
  postpone(delivery: Delivery): void {
    const id = ++this.#world.ids.mail;
    this.mail.push({ id, envelope: envelopeOf(delivery) });
    this.postponed.push({ ...delivery, mail: id });
  }

  #bury(delivery: Delivery, error: Failure): void {
    this.deadLetters.push({ address: delivery.to, at: this.at, envelope: envelopeOf({ ...delivery, event: delivery.sent ?? delivery.event }), error: JSON.stringify(error) });
  }
}
