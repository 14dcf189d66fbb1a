import type { AnyStateMachine } from "xstate";
import type { Journal } from "../../src/journal/index.ts";
import type { StoreKind } from "../../src/testing/index.ts";
import { Difference, Plain } from "../actor/plain.ts";
import { alphabet, type Built, build, performed } from "./build.ts";
import type { Family } from "./chart.ts";
import { countTaken } from "./coverage.ts";
import { Durable, type Restarts } from "./durable.ts";
import { Oracle } from "./oracle.ts";

export interface Case {
  readonly family: Family;
  readonly choices: ReadonlyArray<number>;
  readonly journal: StoreKind;
  readonly restarts: Restarts;
}

export interface Counts {
  readonly generated: Map<string, number>;
  readonly taken: Map<string, number>;
  machines: number;
  events: number;
  /** Steps of actors that the events led to. */
  steps: number;
  /** Sequences that ended early because a machine threw, on both sides. */
  threw: number;
}
export const noCounts = (): Counts => ({ generated: new Map(), taken: new Map(), machines: 0, events: 0, steps: 0, threw: 0 });

const count = (counts: Map<string, number>, what: string) => void counts.set(what, (counts.get(what) ?? 0) + 1);

/** What happens next, to both sides. */
interface Step {
  readonly label: string;
  readonly kind: string;
  readonly live: () => void;
  readonly durable: () => Promise<void>;
}

const outputs: ReadonlyArray<unknown> = [7, { n: 1, list: [true, null] }, undefined, "text", null];

/** One machine and one sequence, on both sides. Throws a `Difference` at the first one. */
export class Duel {
  readonly steps: Array<string> = [];
  readonly #built: Built;
  readonly #live: Oracle;
  readonly #durable: Durable;
  readonly #counts: Counts;
  readonly #epoch: number;
  readonly #ours = new Plain();
  readonly #theirs = new Plain();
  #performedLive: Map<string, Array<unknown>>;

  static async run(tried: Case, counts: Counts, wrap?: (journal: Journal) => Journal): Promise<void> {
    const built = build(tried.family);
    for (const feature of built.features) count(counts.generated, feature);
    counts.machines++;
    const live = new Oracle(built.machines, undefined);
    live.clock.jump(0);
    const performedLive = takeAll(performed);
    let durable: Durable;
    try {
      durable = await Durable.begin(built.machines, undefined, { ...tried, ...(wrap === undefined ? {} : { wrap }) });
    } catch (error) {
      if (live.threw !== undefined) return void counts.threw++;
      throw error;
    }
    const duel = new Duel(built, live, durable, performedLive, counts);
    try {
      await duel.#play(tried);
      await durable.end();
    } catch (error) {
      const after = `\n  after ${duel.steps.join("\n        ")}`;
      throw error instanceof Difference ? Object.assign(error, { message: error.message + after }) : new Error(`${error instanceof Error ? error.stack : String(error)}${after}`);
    } finally {
      await durable.dispose();
    }
  }

  private constructor(built: Built, live: Oracle, durable: Durable, performedLive: Map<string, Array<unknown>>, counts: Counts) {
    this.#built = built;
    this.#live = live;
    this.#durable = durable;
    this.#performedLive = performedLive;
    this.#counts = counts;
    this.#epoch = durable.time.now();
  }

  async #play(tried: Case): Promise<void> {
    this.steps.push("start");
    if (!(await this.#agree("start"))) return;
    for (const choice of tried.choices) {
      if (this.#isOver) return this.#tellTooLate();
      const step = this.#next(choice);
      this.steps.push(step.label);
      this.#counts.events++;
      count(this.#counts.taken, step.kind);
      step.live();
      this.#live.clock.jump(0); // what is due at once
      this.#performedLive = takeAll(performed);
      let refused: unknown;
      try {
        await step.durable();
      } catch (error) {
        if (error instanceof Difference || this.#live.threw === undefined) throw error;
        refused = error;
      }
      if (!(await this.#agree(step.label)) || refused !== undefined) return;
    }
  }

  get #isOver(): boolean {
    return (this.#live.root.getSnapshot().status as string) !== "active";
  }

  async #tellTooLate(): Promise<void> {
    const outcome = await this.#durable.tell("", { type: "A" });
    if (outcome !== "ended") throw new Difference("an event after the end", "ended", outcome);
    await this.#agree("an event after the end");
  }

  /** Works out what a number stands for here and now. */
  #next(choice: number): Step {
    const kind = choice % 16;
    const rest = choice >> 4;
    const due = this.#live.clock.nextDue;
    const now = this.#live.clock.now;
    if (kind < 4 && due !== undefined) return this.#wait(kind < 3 ? due : now + (rest % 30));
    if (kind === 4) return this.#sleep(now + (rest % 80));
    const running = this.#live.running;
    const promises = running.filter((place) => !("machine" in this.#live.at(place).getSnapshot()));
    if (kind < 9 && promises.length > 0) {
      const place = promises[rest % promises.length] as string;
      return kind < 7 ? this.#complete(place, outputs[rest % outputs.length], undefined) : this.#complete(place, undefined, new Error(`no ${rest % 5}`));
    }
    const children = running.filter((place) => place !== "" && !promises.includes(place));
    const event = { type: alphabet[rest % alphabet.length] as string, n: rest % 7 };
    return this.#tell(kind < 12 && children.length > 0 ? (children[rest % children.length] as string) : "", event);
  }

  #tell(place: string, event: { readonly type: string; readonly n: number }): Step {
    const takes = this.#live.takes(place, event);
    return {
      label: `${place} ${JSON.stringify(event)}`,
      kind: place === "" ? "told the root" : "told a child",
      live: () => this.#live.send(place, event),
      durable: async () => {
        const outcome = await this.#durable.tell(place, event);
        if (this.#live.threw === undefined && outcome !== (takes ? "handled" : "ignored"))
          throw new Difference(`what became of ${JSON.stringify(event)} at "${place}"`, takes ? "handled" : "ignored", outcome);
      },
    };
  }

  #complete(place: string, output: unknown, error: Error | undefined): Step {
    return {
      label: `${place} ${error === undefined ? `resolves with ${JSON.stringify(output)}` : `rejects with ${error.message}`}`,
      kind: error === undefined ? "a promise resolved" : "a promise rejected",
      live: () => this.#live.complete(place, output, error),
      durable: () => this.#durable.complete(place, output, error),
    };
  }

  #wait(to: number): Step {
    const stops: Array<number> = [];
    return {
      label: `waits until ${to}`,
      kind: "waited",
      live: () => {
        for (let due = this.#live.clock.nextDue; due !== undefined && due <= to; due = this.#live.clock.nextDue) {
          stops.push(due);
          this.#live.clock.jump(due);
        }
        this.#live.clock.jump(to);
      },
      durable: async () => {
        for (const stop of stops) await this.#durable.wait(this.#epoch + stop);
        await this.#durable.wait(this.#epoch + to);
      },
    };
  }

  #sleep(to: number): Step {
    return { label: `is away until ${to}`, kind: "was away", live: () => this.#live.clock.jump(to), durable: () => this.#durable.sleep(this.#epoch + to) };
  }

  /** Compares everything that both sides show. False where both threw: what follows differs as documented. */
  async #agree(label: string): Promise<boolean> {
    const live = this.#live;
    const durable = this.#durable;
    for (const difference of live.reached) count(this.#counts.taken, difference);
    live.reached.clear();
    const transitions = durable.transitions.splice(0);
    this.#counts.steps += transitions.length;
    countTaken(this.#built, transitions, (what) => count(this.#counts.taken, what));
    const failed = transitions.find(({ outcome }) => outcome === "failed");
    if (live.threw !== undefined || failed !== undefined) {
      if (live.threw === undefined) throw new Difference(`${label}: a transition failed`, "none", `${failed?.address} on ${failed?.event.type}`);
      this.#counts.threw++;
      return false;
    }
    const same = (what: string, theirs: unknown, ours: unknown) => {
      const expected = this.#theirs.of(theirs);
      const found = this.#ours.of(ours);
      if (expected !== found) throw new Difference(`${label}: ${what}`, expected, found);
    };
    same("who heard what", live.heard, durable.heard);
    same("what the actors look like", live.look, await durable.look());
    same("who runs", live.running, await durable.running());
    same("what was emitted", Object.fromEntries(live.emitted), Object.fromEntries(durable.emitted));
    same("what was logged", Object.fromEntries(live.logged), Object.fromEntries(durable.said));
    same("what was performed", Object.fromEntries(this.#performedLive), Object.fromEntries(takeAll(performed)));
    same("what the engine complained of", [], durable.troubles);
    for (const said of [live.emitted, live.logged, durable.emitted, durable.said]) said.clear();
    live.heard.length = 0;
    durable.heard.length = 0;
    this.#performedLive.clear();
    return true;
  }
}

const takeAll = (lists: Map<string, Array<unknown>>): Map<string, Array<unknown>> => {
  const taken = new Map(lists);
  lists.clear();
  return taken;
};

/** The machines as text, for whoever has to look into a difference. */
export const shownMachines = (machines: ReadonlyArray<AnyStateMachine>): string => machines.map(({ config }) => textOf(config)).join("\n");

/** Without what is empty and what every machine has. */
const textOf = (config: object): string =>
  JSON.stringify(
    config,
    (key, value) =>
      key === "meta" || key === "i.hello" || isNothing(value)
        ? undefined
        : key === "src" && typeof value === "object"
          ? `(inline ${value.id ?? "promise"})`
          : typeof value === "function"
            ? nameOf(value)
            : value,
    1,
  )
    .replace(/\n\s*(?=[\]}])/g, "")
    .replace(/([[{])\n\s*/g, "$1")
    .replace(/,\n\s*(?!"(?:entry|exit|on|always|after|invoke|states|s\d+)":)/g, ", ");

const isNothing = (value: unknown): boolean => typeof value === "object" && value !== null && Object.keys(value).length === 0;
const nameOf = (made: { readonly type?: string; readonly name: string; readonly [key: string]: unknown }): unknown => {
  if (!("type" in made)) return `(${made.name || "function"})`;
  const { resolve: _, retryResolve: __, execute: ___, ...shown } = made;
  return shown;
};
