import { stage } from "./stage.ts";
import { createHash } from "node:crypto";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { defaultBrokerPolicy } from "../../src/broker/index.ts";
import type { Acknowledgement } from "../../src/domain/inbox.ts";
import { dispatchMachines, openDispatcher } from "../../src/dispatch/index.ts";
import { type ActionInfo, type DurableMachine, openEngine } from "../../src/engine/index.ts";
import { Journal, type Opened, type Turn } from "../../src/journal/index.ts";
import { type Folded, foldJournal } from "../../src/testing/fold.ts";
import { brokerOf } from "./broker.ts";
import { castOf, sound } from "./cast.ts";
import { Checker } from "./checker.ts";
import { Clients } from "./clients.ts";
import type { Host } from "./clock.ts";
import { diskOf } from "./disk.ts";
import { SimEndpoint } from "./endpoints.ts";
import type { Fault } from "./faults.ts";
import { inboxesOf } from "./inboxes.ts";
import { Ledger } from "./ledger.ts";
import { hashOf, type Moment } from "./life.ts";
import { outside } from "./machines.ts";
import { markMoment } from "./marker.ts";
import type { Mark } from "./marks.ts";
import { Outdoors } from "./outdoors.ts";
import { type Plan, planOf } from "./plan.ts";
import type { Planted } from "./planted.ts";
import { postOf } from "./post.ts";
import { SimProcess } from "./process.ts";
import { Source } from "./source.ts";
import { schedulesOf } from "./schedules.ts";
import * as Stores from "./store.ts";
import { Turnstile } from "./turnstile.ts";
import { SimWorkers } from "./workers.ts";

export interface RunOptions {
  readonly seed: number;
  readonly planted?: Planted | undefined;
  /** Faults and operations to leave out, as `crash#3` or `op#7`; `crash` leaves out all of a kind. */
  readonly without?: ReadonlySet<string> | undefined;
}

/** True time at which each world begins, in milliseconds since 1970. */
const beginning = Date.UTC(2030, 0, 1);
/** Milliseconds of true time within which everything must be at rest once the faults are over. */
const restMsMax = 60 * 60 * 1000;
/** Steps of the phase without faults. */
const restStepsMax = 20_000;

interface Happening {
  due: number;
  readonly owner: SimProcess | undefined;
  readonly run: () => void;
}

/** What may happen in a step besides the work of the processes. */
const strikes: ReadonlyArray<Fault> = ["crash", "pause", "close", "clockForward", "clockBack", "rival", "forget", "storeGone", "storeFull"];

/**
 * One store, processes with engines over it, clients, workers, disks and clocks, in one thread: one step at a time, each
 * chosen by the seed. First with faults; then without, and everything must come to rest.
 */
export class World {
  readonly source: Source;
  readonly plan: Plan;
  readonly ledger = new Ledger();
  readonly store: Stores.Store;
  readonly checker: Checker;
  readonly marks = new Set<Mark>();
  readonly fired: Record<string, number> = {};
  readonly history: Array<string> = [];
  /** True time. */
  now = beginning;
  /** Who does what happens now. */
  current: SimProcess | undefined;
  steps = 0;
  /** What the product replayed at the end. */
  replayed: Folded = { histories: 0, entries: 0, unknown: 0, problems: [] };
  readonly #options: RunOptions;
  readonly #turnstile = new Turnstile<SimProcess | undefined>(
    () => this.current,
    () => this.now - beginning,
  );
  readonly #clients: Clients;
  readonly #outdoors = new Outdoors(this);
  readonly #endpoints: ReadonlyArray<SimEndpoint>;
  readonly #hosts: ReadonlyArray<Host> = [
    { name: "east", offset: 0 },
    { name: "west", offset: 0 },
  ];
  readonly #counts: Record<string, number> = {};
  #happenings: Array<Happening> = [];
  #processes: Array<SimProcess> = [];
  #all: Array<SimProcess> = [];
  /** An engine will be opened then. */
  #opening: { due: number } | undefined;
  #healing = false;
  #goneUntil = 0;
  #fullUntil = 0;
  #ops = 0;
  /** Calls to a real store that have not answered. */
  #underWay = 0;
  #latestOffset = 0;

  constructor(options: RunOptions) {
    this.#options = options;
    this.source = new Source(options.seed);
    this.plan = planOf(this.source);
    this.store = this.plan.store === "sqlite" && options.planted === undefined ? Stores.sqlite() : Stores.memory();
    this.checker = new Checker({
      store: this.store,
      definitions: sound(options.planted).definitions,
      ledger: this.ledger,
      bounds: { ...this.plan.limits, broker: this.plan.broker === undefined ? undefined : { ...defaultBrokerPolicy, ...this.plan.broker.policy } },
      mark: (mark) => this.mark(mark),
      onMoment: (moment) => this.#heard(moment),
    });
    this.#clients = new Clients(this, this.plan.clients);
    this.#endpoints = Array.from({ length: this.plan.broker?.endpoints ?? 0 }, (_, index) => new SimEndpoint(this, `e${index + 1}`));
  }

  // --- what the parts of the world ask for ---------------------------------------------------------------------------

  mark(mark: Mark): void {
    this.marks.add(mark);
  }

  trace(text: string): void {
    this.history.push(`${this.now - beginning} ${text}`);
  }

  isLeftOut(name: string): boolean {
    return this.#options.without?.has(name) ?? false;
  }

  /** Whether this goes wrong now. */
  fault(kind: Fault): boolean {
    const rate = this.plan.rates[kind];
    if (this.#healing || rate === 0 || !this.source.chance(kind, rate)) return false;
    const name = `${kind}#${(this.#counts[kind] = (this.#counts[kind] ?? 0) + 1)}`;
    if (this.isLeftOut(kind) || this.isLeftOut(name)) return false;
    this.fired[kind] = (this.fired[kind] ?? 0) + 1;
    this.trace(`fault ${name}`);
    return true;
  }

  /** Runs this after a while, unless its process is dead by then; one that stands still does it when it goes on. */
  later(owner: SimProcess | undefined, ms: number, run: () => void): Happening {
    const happening: Happening = { due: this.now + ms, owner, run };
    this.#happenings.push(happening);
    return happening;
  }

  get isStoreGone(): boolean {
    return this.now < this.#goneUntil;
  }
  get isStoreFull(): boolean {
    return this.now < this.#fullUntil;
  }
  loseStore(): void {
    this.#goneUntil = this.now + this.source.whole("goneMs", 10, 8_000);
  }

  /** The process that a client reaches. */
  get target(): SimProcess | undefined {
    const open = this.#processes.filter((process) => process.isOpen);
    return this.source.chance("olderTarget", 0.2) ? open[0] : open.at(-1);
  }

  isAlive(pid: number): boolean {
    return this.#processes.some((process) => process.pid === pid);
  }

  claimed(process: SimProcess, opened: Opened): void {
    process.epoch = opened.epoch;
    process.wentAt = opened.latestAt;
    this.checker.claimed(opened.epoch);
    const owed = this.store.owed();
    process.leftMail = new Set(owed.mail);
    process.leftEffects = new Set(owed.effects);
    if (this.#processes.some((other) => other !== process && other.isOpen)) this.mark("journal taken over from a silent owner");
    this.trace(`${process.name} claimed the store, epoch ${opened.epoch}`);
  }

  /** A turn of this process is stored: everything is looked at. */
  stored(process: SimProcess, turn: Turn): void {
    this.current = process;
    this.trace(`${process.name} stored`);
    this.checker.afterCommit(process.epoch);
    if (turn.mailTaken.some((id) => process.leftMail.has(id))) this.mark("mail taken up after a crash");
  }

  begins(task: string, attempt: number): void {
    const row = this.store.actor(`task/${task}`);
    const stored = row === undefined ? 0 : (JSON.parse(row.state) as { context: { assignments: number } }).context.assignments;
    if (stored < attempt) this.checker.violate("I1", `task/${task}: attempt ${attempt} was begun, and ${stored} are stored`);
  }

  crash(process: SimProcess, why: string): void {
    if (process.dead) return;
    this.trace(`${process.name} is gone: ${why}`);
    process.dead = true;
    this.#processes = this.#processes.filter((other) => other !== process);
    this.#turnstile.forget(process);
    process.workers?.killAll();
    for (const endpoint of this.#endpoints) endpoint.brokerGone(process);
  }

  /** The outside was told what became of a command. */
  acknowledged(answer: Acknowledgement): void {
    this.checker.inboxBook.heard(answer);
    this.#clients.acknowledged(answer);
  }

  // --- a run ---------------------------------------------------------------------------------------------------------

  async run(): Promise<void> {
    if (this.store.kind === "sqlite") await Stores.warmUp();
    this.#turnstile.install();
    outside.carry = (input, signal) => this.#outdoors.carry(String(input), signal);
    outside.pulse = (tick) => this.#outdoors.pulse(tick);
    stage.atFailpoint = (name) => this.#atFailpoint(name);
    try {
      while (this.steps < this.plan.steps && this.checker.violations.length === 0) await this.#step();
      if (this.checker.violations.length === 0) await this.#heal();
      if (this.checker.violations.length === 0) this.checker.finish();
    } finally {
      stage.atFailpoint = () => {};
      await this.#end();
      this.#turnstile.uninstall();
      if (this.checker.violations.length === 0) await this.#replay();
      await this.store.dispose();
    }
  }

  get digest(): string {
    return createHash("sha256").update(this.history.join("\n")).digest("hex").slice(0, 16);
  }

  async #step(): Promise<void> {
    this.steps++;
    this.#operate();
    const runnable = this.#turnstile.waiting.filter(({ owner }) => owner?.paused !== true);
    const due = this.#happenings.filter((happening) => happening.due <= this.now && happening.owner?.paused !== true);
    const awake = this.#processes.filter((process) => !process.paused && (process.clock.untilNext ?? 1) <= 0);
    const mayWish = !this.#healing && this.#ops < this.plan.ops && this.#clients.mayBegin;
    const busy = runnable.length + due.length + awake.length > 0;
    const choice = this.source.weighted("step", {
      turn: runnable.length > 0 ? 8 : 0,
      happening: due.length > 0 ? 6 : 0,
      wake: awake.length > 0 ? 4 : 0,
      wish: mayWish ? 5 : 0,
      strike: this.#healing ? 0 : 1,
      time: busy ? 1 : 4,
    });
    switch (choice) {
      case "turn": {
        const chosen = this.source.pick("turn", runnable);
        this.#turnstile.waiting.splice(this.#turnstile.waiting.indexOf(chosen), 1);
        this.current = chosen.owner;
        chosen.run();
        break;
      }
      case "happening": {
        const chosen = this.source.pick("happening", due);
        this.#happenings.splice(this.#happenings.indexOf(chosen), 1);
        this.current = chosen.owner;
        if (chosen.owner?.dead !== true) chosen.run();
        break;
      }
      case "wake":
        this.current = this.source.pick("wake", awake);
        this.current.clock.fire();
        break;
      case "wish":
        this.#ops++;
        this.#clients.begin();
        break;
      case "strike":
        if (!this.#strikeOnce()) return;
        break;
      case "time":
        // Nobody has gone on by that alone.
        this.now += busy ? this.source.whole("tick", 1, 5) : this.#untilNext();
        return;
    }
    do await this.#turnstile.settled();
    while (this.#underWay > 0);
    for (const process of this.#processes) this.#lookAt(process);
  }

  /** Until anything is due at all. */
  #untilNext(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { due, owner } of this.#happenings) if (owner?.paused !== true) least = Math.min(least, due - this.now);
    for (const { clock, paused } of this.#processes) if (!paused) least = Math.min(least, clock.untilNext ?? least);
    return Number.isFinite(least) ? Math.max(1, least) : 1_000;
  }

  #lookAt(process: SimProcess): void {
    const { engine } = process;
    if (engine === undefined || process.dead) return;
    const { state, residents } = engine.status();
    if (state === "degraded") process.wasDegraded = true;
    if (state === "running" && process.wasDegraded) {
      process.wasDegraded = false;
      this.mark("engine degraded and came back");
    }
    if (residents > this.plan.limits.residentActorsMax && (engine.effect as unknown as { isQuiet: () => boolean }).isQuiet())
      this.checker.violate("I11", `${residents} actors are in memory, at most ${this.plan.limits.residentActorsMax} may be`);
    if (state === "stopped" && !process.closing) this.crash(process, "its engine stopped");
  }

  /** Somebody sees to it that an engine runs. */
  #operate(): void {
    if (this.#opening !== undefined || this.#processes.some((process) => !process.paused)) return;
    // Where a process stands still nobody notices for a while.
    const ms = this.#healing ? 100 : this.#processes.length > 0 ? this.source.pick("noticeMs", [500, 2_000, 9_000]) : this.source.pick("downMs", [0, 20, 20, 300, 3_000, 30_000, 3_600_000]);
    this.#openLater(ms);
  }

  #openLater(ms: number): void {
    this.#opening = this.later(undefined, ms, () => {
      this.#opening = undefined;
      this.#open(this.source.pick("host", this.#hosts));
    });
  }

  #open(host: Host): void {
    const process = new SimProcess(this.#all.length + 1, host, () => this.now);
    const workers = new SimWorkers(this, process);
    process.workers = workers;
    this.#processes.push(process);
    this.#all.push(process);
    this.current = process;
    this.trace(`${process.name} begins on ${host.name}`);
    const begin = async () => {
      this.#underWay++;
      const base = this.#tracked(await this.store.connect());
      this.#underWay--;
      const { planted } = this.#options;
      const journal = diskOf(this, process, planted?.journal?.(base, this, process) ?? base);
      const dispatch = dispatchMachines({ transports: { command: workers } });
      const brokered = this.plan.broker === undefined ? undefined : brokerOf(this, process, this.plan.broker);
      const inboxes = this.plan.part === "inboxes" ? inboxesOf(this, process) : undefined;
      const schedules = this.plan.part === "schedules" ? schedulesOf() : undefined;
      const engine = await openEngine({
        machines: this.#machines(
          process,
          [dispatch, brokered, inboxes, schedules].flatMap((part) => part?.machines ?? []),
        ),
        plugins: [
          { ...dispatch, machines: [] },
          postOf(this, process),
          ...(brokered === undefined ? [] : [{ ...brokered.broker, machines: [] }]),
          ...(inboxes === undefined ? [] : [{ ...inboxes, machines: [] }]),
          ...(schedules === undefined ? [] : [{ ...schedules, machines: [] }]),
        ],
        limits: this.plan.limits,
        time: process.clock,
        log: () => {},
        journal: Layer.succeed(Journal, journal),
      });
      process.engine = engine;
      process.broker = brokered?.broker;
      process.inboxes = inboxes;
      process.schedules = schedules;
      process.openedAt = process.clock.now();
      this.trace(`${process.name} is open`);
      process.dispatcher = await openDispatcher(engine, dispatch, { slots: this.plan.slots, defaults: { acceptanceTimeoutMs: 2_000 } });
      schedules?.attach(process.dispatcher);
    };
    begin().catch((error: unknown) => {
      if (process.dead) return;
      const tag = String((error as { _tag?: unknown } | null)?._tag);
      if (tag === "JournalOwned") this.mark("journal refused to a second engine");
      else if (!openingErrors.has(tag)) this.checker.violate("I10", `${process.name} could not open: ${error instanceof Error ? error.stack : String(error)}`);
      this.crash(process, `it could not open (${tag})`);
      if (this.#opening === undefined && !this.#processes.some((other) => !other.paused)) this.#openLater(this.source.whole("reopenMs", 1_000, 6_000));
    });
  }

  #machines(process: SimProcess, taskMachines: ReadonlyArray<DurableMachine>): ReadonlyArray<DurableMachine> {
    return castOf(taskMachines, this.#options.planted).map((entry) =>
      entry.actions === undefined
        ? entry
        : { ...entry, actions: Object.fromEntries(Object.entries(entry.actions).map(([name, action]) => [name, (info: ActionInfo) => this.#outdoors.act(process, name, action, info)])) },
    );
  }

  /** A real store may take real time (a driver is loaded): the world stands still until it has answered. */
  #tracked(journal: Journal): Journal {
    if (this.store.kind === "memory") return journal;
    const track = (effect: Effect.Effect<unknown, unknown>) =>
      Effect.suspend(() => {
        this.#underWay++;
        return Effect.ensuring(
          effect,
          Effect.sync(() => void this.#underWay--),
        );
      });
    return Object.fromEntries(
      Object.entries(journal).map(([name, member]) => [
        name,
        typeof member === "function"
          ? (...args: ReadonlyArray<never>) => track((member as (...args: ReadonlyArray<never>) => Effect.Effect<unknown, unknown>)(...args))
          : track(member as Effect.Effect<unknown, unknown>),
      ]),
    ) as unknown as Journal;
  }

  // --- faults --------------------------------------------------------------------------------------------------------

  /** One at a time: what it sets off belongs to one process. Says whether there was one. */
  #strikeOnce(): boolean {
    const kind = strikes.find((strike) => this.fault(strike));
    if (kind === undefined) return false;
    this.#strike(kind);
    return true;
  }

  #strike(kind: Fault): void {
    const { source } = this;
    const process = this.#processes.length === 0 ? undefined : source.pick("victim", this.#processes);
    switch (kind) {
      case "crash":
        if (process !== undefined) this.crash(process, "it was killed");
        return;
      case "pause":
        if (process === undefined || process.paused) return;
        process.paused = true;
        process.wasPaused = true;
        this.later(undefined, source.pick("pauseMs", [300, 15_000, 25_000, 60_000]), () => {
          process.paused = false;
          this.trace(`${process.name} goes on`);
        });
        return;
      case "close":
        if (process !== undefined) this.#close(process);
        return;
      case "clockForward":
      case "clockBack": {
        const host = source.pick("clockHost", this.#hosts);
        const ms = source.pick("jumpMs", [1, 900, 30_000, 3_600_000]);
        const before = process?.clock.now() ?? 0;
        host.offset += kind === "clockForward" ? ms : -ms;
        this.#latestOffset = Math.max(this.#latestOffset, host.offset);
        if (process?.host !== host || !process.isOpen) return;
        if (kind === "clockBack") this.mark("clock set back under a running engine");
        else process.jumped = { from: before, to: process.clock.now() };
        return;
      }
      case "rival":
        if (this.#opening === undefined) this.#open(source.pick("host", this.#hosts));
        return;
      case "forget": {
        const core = process?.engine?.effect as unknown as { readonly isQuiet: () => boolean; readonly forget: () => void } | undefined;
        if (core?.isQuiet() === true) core.forget();
        return;
      }
      case "storeGone":
        this.loseStore();
        return;
      case "storeFull":
        this.#fullUntil = this.now + source.whole("fullMs", 10, 8_000);
    }
  }

  #close(process: SimProcess): void {
    if (!process.isOpen || process.closing || process.paused) return;
    process.closing = true;
    this.current = process;
    const politely = this.source.chance("politely", 0.6);
    const end = async () => {
      if (politely) await process.dispatcher?.stop();
      await process.engine?.close({ grace: this.source.pick("graceMs", [0, 500, 5_000]) });
    };
    end().then(
      () => this.crash(process, "it was closed"),
      (error: unknown) => this.checker.violate("I10", `${process.name} could not close: ${String(error)}`),
    );
  }

  #atFailpoint(name: string): void {
    const process = this.current;
    if (process === undefined || process.dead || !this.fault(name === "recovery.page" ? "crashInRecovery" : "crashAtPlace")) return;
    if (name === "recovery.page") this.mark("crash during recovery");
    if (name === "turn.committed" && process.unanswered > 0) this.mark("crash between commit and receipt");
    this.crash(process, `at ${name}`);
  }

  // --- what is heard ---------------------------------------------------------------------------------------------

  #heard(moment: Moment): void {
    const { life, entry } = moment;
    const process = this.current;
    if (life.machine === "slip" && moment.before === undefined) this.later(process, 700, () => this.#outdoors.recall(process, life.address));
    this.trace(`  ${life.address} ${entry.seq} ${entry.type} ${entry.outcome} ${hashedAlike(moment)}`);
    markMoment(moment, process, (mark) => this.mark(mark));
  }

  // --- the end -------------------------------------------------------------------------------------------------------

  /** From here on nothing goes wrong. Within a bound everything must be at rest. */
  async #heal(): Promise<void> {
    this.#healing = true;
    this.#goneUntil = 0;
    this.#fullUntil = 0;
    for (const host of this.#hosts) host.offset = this.#latestOffset;
    for (const process of this.#processes) process.paused = false;
    if (this.#opening !== undefined) this.#opening.due = this.now + 100;
    this.trace("the faults are over");
    for (const endpoint of this.#endpoints) endpoint.calm();
    const until = this.now + restMsMax;
    const stepsMax = this.steps + restStepsMax;
    while (this.checker.violations.length === 0) {
      const unrest = this.#unrest();
      if (unrest.length === 0) return;
      if (this.now > until || this.steps > stepsMax) {
        this.checker.violate("I8", `not at rest after ${Math.round((this.now - until + restMsMax) / 1000)} s without faults: ${unrest.slice(0, 5).join("; ")}`);
        return;
      }
      // Looking at everything takes its time: a few steps go by between two looks.
      for (let i = 0; i < 20 && this.checker.violations.length === 0; i++) await this.#step();
    }
  }

  /** What the checker's own model found right is replayed by the product as well. */
  async #replay(): Promise<void> {
    this.replayed = await foldJournal(await this.store.reader(), sound(this.#options.planted).forms);
    for (const what of this.replayed.problems) this.checker.violate("I4", what);
  }

  #unrest(): ReadonlyArray<string> {
    const open = this.#processes.filter((process) => process.isOpen && process.engine?.status().state === "running");
    if (open.length !== 1 || this.#processes.length !== 1) return [`${open.length} of ${this.#processes.length} engines run`];
    const [process] = open as [SimProcess];
    if (!this.#clients.isIdle) return this.#clients.waiting;
    const there = this.#endpoints.filter(({ hasLeft }) => !hasLeft);
    if (there.length > 0) return there.map(({ owner }) => `${owner} has work`);
    const { waiting, activities, state } = (process.engine as NonNullable<SimProcess["engine"]>).status();
    if (waiting > 0 || activities > 0) return [`${process.name} is ${state}, ${waiting} envelopes wait, ${activities} activities run`];
    return this.checker.unrest(process.clock.now());
  }

  /** Whatever still waits for an answer gets one, so that nothing of this world is left. */
  async #end(): Promise<void> {
    this.#healing = true;
    for (const process of this.#all) {
      process.release();
      if (process.engine !== undefined) void process.engine.close({ grace: 0 }).catch(() => {});
    }
    this.#happenings = [];
    for (let round = 0; round < 20; round++) {
      for (const { run } of this.#turnstile.waiting.splice(0)) run();
      await this.#turnstile.settled();
    }
  }
}

const openingErrors: ReadonlySet<string> = new Set(["JournalOwned", "JournalError", "JournalFenced", "EngineDegraded", "EngineClosed"]);

/** The hash of the state, the same in each run: who waits for an answer is named by an engine, and engines name themselves at random. */
const hashedAlike = ({ life, entry }: Moment): string => (life.address.startsWith("message/") ? hashOf(life.encoded.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "")) : entry.stateHash);
