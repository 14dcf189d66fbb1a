import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import type { AnyStateMachine } from "xstate";
import type { Address } from "../domain/address.ts";
import {
  type ActorView,
  type DurableMachine,
  type EngineCore,
  type EngineOptions,
  type LogEntry,
  machineOf,
  type MachineOrEntry,
  openEngine,
  type Receipt,
  type SendOptions,
  type SentEvent,
  type Start,
  type StartOptions,
  type Taskwright,
} from "../engine/index.ts";
import { Journal, type Turn } from "../journal/index.ts";
import type { CrashPlan } from "./crash-everywhere.ts";
import { foldJournal } from "./fold.ts";
import { type StoreKind, type TestStore, testStore } from "./test-store.ts";
import { VirtualTime } from "./virtual-time.ts";

/**
 * How a scenario is run. `json`: every actor is dropped from memory after each turn, so that the next one decodes it.
 * `restart`: the engine is abandoned and opened again after every event and every due moment.
 */
export type Mode = "normal" | "json" | "restart";

export interface TestEngineOptions extends Omit<EngineOptions, "machines" | "time"> {
  readonly machines: ReadonlyArray<AnyStateMachine | DurableMachine>;
  /** Default: in memory. A store that is given is not disposed of. */
  readonly journal?: StoreKind | TestStore;
  readonly mode?: Mode;
  readonly time?: VirtualTime;
  /** The services that the machines' effects use; built anew at every open. */
  readonly services?: Layer.Layer<never, unknown>;
  /** Stands between the engine and its journal: for faults, and for planted bugs. */
  readonly wrap?: (journal: Journal) => Journal;
  /** Where it crashes by itself; it is opened again by the next call. See `crashEverywhere`. */
  readonly plan?: CrashPlan;
}

// Under virtual time nobody takes a journal over by surprise: renewals would only lengthen long advances.
const calmLimits = { heartbeatMs: 30 * 24 * 60 * 60 * 1000, leaseMs: 365 * 24 * 60 * 60 * 1000 };

/** Turns in which any scenario settles. */
const turnsMax = 10_000;

/** An engine on virtual time, over a store that it may crash and open again on. */
export const testEngine = async (options: TestEngineOptions): Promise<TestEngine> => {
  const given = options.journal ?? "memory";
  const store = typeof given === "string" ? testStore(given) : given;
  const engine = new TestEngine(options, store, typeof given === "string");
  try {
    await engine.open();
  } catch (error) {
    if (typeof given === "string") await store.dispose();
    throw error;
  }
  return engine;
};

export class TestEngine {
  readonly time: VirtualTime;
  readonly store: TestStore;
  readonly mode: Mode;
  /** What the engine had to say, over all restarts. */
  readonly logged: Array<LogEntry> = [];
  #options: TestEngineOptions;
  readonly #ownsStore: boolean;
  #taskwright: Taskwright | undefined;
  #gate: Gate = { dead: false };
  #unchecked = false;
  #death = deathOf();
  #calls = 0;

  constructor(options: TestEngineOptions, store: TestStore, ownsStore: boolean) {
    this.#options = options;
    this.time = options.time ?? new VirtualTime();
    this.store = store;
    this.mode = options.mode ?? "normal";
    this.#ownsStore = ownsStore;
  }

  /** The engine itself, with everything that a host can do. It is another one after a restart. */
  get taskwright(): Taskwright {
    if (this.#taskwright === undefined) throw new Error("the engine is not open");
    return this.#taskwright;
  }

  /** Every form of a machine with which it was ever opened; the last ones first. */
  #known: TestEngineOptions["machines"] = [];

  /** With which it was opened last. */
  get machines(): TestEngineOptions["machines"] {
    return [...this.#options.machines, ...(this.#options.plugins ?? []).flatMap((plugin) => plugin.machines)];
  }

  get #core(): EngineCore {
    return this.taskwright.effect as EngineCore;
  }

  async open(options: { readonly ownerIsDead?: boolean } = {}): Promise<void> {
    const { plan } = this.#options;
    const gate: Gate = { dead: false };
    if (plan !== undefined)
      gate.reach = (when, turn) => {
        if (plan.reach(when, turn)) this.crash();
      };
    const connected = await this.store.connect();
    const journal = mortal(options.ownerIsDead === true ? unclaimed(connected) : connected, gate);
    const wrapped = this.#options.wrap === undefined ? journal : this.#options.wrap(journal);
    const { machines, limits, log, services, build = "", retention = {}, plugins } = this.#options;
    this.#taskwright = await openEngine({
      machines,
      build,
      retention,
      limits: { ...calmLimits, ...limits },
      time: this.time,
      log: (entry) => {
        this.logged.push(entry);
        log?.(entry);
      },
      journal: Layer.succeed(Journal, wrapped),
      ...(services === undefined ? {} : { services }),
      ...(plugins === undefined ? {} : { plugins }),
    });
    this.#gate = gate;
    this.#death = deathOf();
    const now = this.machines;
    this.#known = [...now, ...this.#known.filter((machine) => !now.includes(machine))];
    if (this.mode === "json") {
      const core = this.#core;
      core.forget();
      core.observe(core.forget);
    }
  }

  readonly start: Start<"promise"> = async (machine: string | MachineOrEntry<AnyStateMachine>, id: string, input?: unknown, options?: StartOptions): Promise<Receipt> =>
    this.#followed(() => this.taskwright.start(typeof machine === "string" ? machine : machineOf(machine).id, id, input, options));

  async send(address: Address, event: SentEvent, options?: SendOptions): Promise<Receipt> {
    const key = this.#options.plan === undefined ? undefined : `call-${++this.#calls}`;
    return this.#followed(() => this.taskwright.send(address, event, key === undefined ? options : { key, ...options }));
  }

  async snapshot(address: Address): Promise<ActorView> {
    if (this.#options.plan !== undefined) await this.settled();
    return this.taskwright.snapshot(address);
  }

  async #followed<A>(call: () => Promise<A>): Promise<A> {
    try {
      return this.#options.plan === undefined ? await call() : await this.#repeated(call);
    } finally {
      await this.#afterEvent();
    }
  }

  /** As a client whose server goes away: it asks again until it is answered. */
  async #repeated<A>(call: () => Promise<A>): Promise<A> {
    for (;;) {
      await this.#revive();
      const ended = await Promise.race([call().then((value) => ({ value })), this.#death.promise]);
      if (ended === undefined) continue;
      await this.settled();
      return ended.value;
    }
  }

  /** Opens the engine again after a crash of the plan. */
  async #revive(): Promise<void> {
    if (this.#taskwright === undefined && this.#options.plan !== undefined) await this.open({ ownerIsDead: true });
  }

  async #afterEvent(): Promise<void> {
    if (this.mode !== "restart") return;
    await this.settled();
    await this.restart();
  }

  /**
   * Waits until the engine has nothing to do: no turn is due, and no promise that is ready waits to be heard. An
   * activity that a test holds back does not count.
   */
  async settled(): Promise<void> {
    let before: number | undefined;
    for (let quiet = 0; quiet < 3; ) {
      await new Promise(setImmediate);
      if (this.#taskwright === undefined && this.#options.plan !== undefined) {
        await this.#revive();
        before = undefined;
      }
      const { turns } = this.#core.status();
      before ??= turns;
      if (turns - before > turnsMax) throw new Error(`the engine does not come to rest: ${turnsMax} turns, and there is still something to do`);
      quiet = this.#core.isQuiet() ? quiet + 1 : 0;
    }
  }

  /** Moves the clock on: to each due moment in order, and settles there, before it goes to the next. */
  async advance(duration: Duration.DurationInput): Promise<void> {
    await this.settled();
    const to = this.time.now() + Duration.toMillis(duration);
    for (let next = this.time.next; next !== undefined && next <= to; next = this.time.next) {
      this.time.advance(Math.max(0, next - this.time.now()));
      await this.settled();
      await this.#afterEvent();
    }
    this.time.advanceTo(to);
    await this.settled();
  }

  /** The engine is gone, as if its process was killed: it stores nothing and hears of nothing any more. */
  crash(): void {
    this.#gate.dead = true;
    this.time.forget();
    this.#taskwright = undefined;
    this.#death.tell();
  }

  /** Crashes the engine when its `count`th commit from now is stored, before anybody hears of it. Resolves then. */
  crashAfterCommits(count: number): Promise<void> {
    return new Promise((resolve) => {
      let left = count;
      this.#gate.committed = () => {
        if (--left > 0) return;
        this.crash();
        resolve();
      };
    });
  }

  /** A crash, and a new engine on the same store. */
  async restart(): Promise<void> {
    if (this.#taskwright !== undefined) this.crash();
    await this.open({ ownerIsDead: true });
    await this.settled();
  }

  /** A crash, and another program on the same store: with other machines, or another build. */
  async redeploy(options: Partial<Pick<TestEngineOptions, "machines" | "build">>): Promise<void> {
    this.#options = { ...this.#options, ...options };
    await this.restart();
  }

  /** A handle of its own on the store, for reading. */
  reader(): Promise<Journal> {
    return this.store.connect({ reader: true });
  }

  /** Says in words where the stored rows contradict each other; nothing if they don't. */
  async problems(): Promise<ReadonlyArray<string>> {
    const { problems } = await foldJournal(await this.reader(), this.#known);
    return problems;
  }

  /** This scenario damages rows on purpose: they are not checked at its end. */
  skipFold(): void {
    this.#unchecked = true;
  }

  /** Ends the scenario: settles, closes, and throws if the stored histories don't lead to the stored states. */
  async end(): Promise<void> {
    try {
      if (this.#taskwright !== undefined) {
        await this.settled();
        await this.taskwright.close({ grace: 0 });
      }
      const problems = this.#unchecked ? [] : await this.problems();
      if (problems.length > 0) throw new Error(`the stored rows contradict each other:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`);
    } finally {
      await this.dispose();
    }
  }

  /** Lets go of everything, without a word. */
  async dispose(): Promise<void> {
    this.crash();
    if (this.#ownsStore) await this.store.dispose();
  }
}

/** Tells whoever waits for an answer that none will come. */
const deathOf = () => {
  let tell = () => {};
  const promise = new Promise<undefined>((resolve) => {
    tell = () => resolve(undefined);
  });
  return { promise, tell: () => tell() };
};

interface Gate {
  dead: boolean;
  committed?: () => void;
  reach?: (when: "before" | "after", turn: Turn) => void;
}

/** A journal whose process can die: after that no call ever comes back. */
const mortal = (original: Journal, gate: Gate): Journal => {
  const guard = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.suspend(() => (gate.dead ? Effect.never : Effect.flatMap(effect, (answer) => (gate.dead ? Effect.never : Effect.succeed(answer)))));
  const commit = (turn: Turn) =>
    Effect.suspend(() => {
      gate.reach?.("before", turn);
      return gate.dead ? Effect.never : original.commit(turn);
    }).pipe(
      Effect.tap(() => {
        gate.committed?.();
        if (!gate.dead) gate.reach?.("after", turn);
      }),
    );
  const journal: Journal = { ...original, commit };
  return Object.fromEntries(
    Object.entries(journal).map(([name, member]) => [
      name,
      typeof member === "function"
        ? (...args: ReadonlyArray<never>) => guard((member as (...args: ReadonlyArray<never>) => Effect.Effect<unknown, unknown>)(...args))
        : guard(member as Effect.Effect<unknown, unknown>),
    ]),
  ) as unknown as Journal;
};

/** Opens as if the owner's process was found dead. */
const unclaimed = (journal: Journal): Journal => ({ ...journal, open: (info) => journal.open({ ...info, isAlive: () => false }) });
