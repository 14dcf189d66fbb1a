import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { bundled } from "../bundle.ts";
import { random } from "../random.ts";
import { judge, type Violation } from "./judgement.ts";
import { pauseMs } from "./policy.ts";

/** One broker's life with its endpoints: so many kills, and so many stops for longer than the grace. */
export interface Journey {
  readonly name: string;
  readonly seed: number;
  readonly kills: number;
  readonly pauses: number;
}

export interface Ride {
  readonly journey: Journey;
  readonly brokerKills: number;
  readonly endpointKills: number;
  readonly pauses: number;
  /** Messages whose senders were told that they are stored. */
  readonly acknowledged: number;
  readonly answered: number;
  readonly unanswered: number;
  readonly failed: number;
  /** From the last fault to the end of the last message. */
  readonly calmMs: number;
  readonly violations: ReadonlyArray<Violation>;
}

/** How a message may end here. */
const ends: ReadonlySet<string> = new Set(["answered", "unanswered", "failed"]);
const names = ["a", "b", "c", "d", "e"];
/** How long nothing may come of anything, after the last fault. A busy machine is slow, and goes on. Milliseconds. */
const patienceMs = 60_000;

/** A process of the campaign, and the next one when it was killed. */
class Program {
  readonly #start: () => ChildProcess;
  readonly #heard: (line: Record<string, unknown>) => void;
  #process: ChildProcess | undefined;
  #ready: Promise<void> = Promise.resolve();
  isPaused = false;

  constructor(file: string, args: ReadonlyArray<string>, heard: (line: Record<string, unknown>) => void) {
    this.#start = () => spawn(process.execPath, [file, ...args], { stdio: ["pipe", "pipe", "inherit"] });
    this.#heard = heard;
  }

  start(): Promise<void> {
    const started = this.#start();
    this.#process = started;
    // Whoever writes to one that was just killed is not interested.
    started.stdin?.on("error", () => {});
    this.#ready = new Promise((resolve) => {
      createInterface({ input: started.stdout as NodeJS.ReadableStream }).on("line", (line) => {
        const said = JSON.parse(line) as Record<string, unknown>;
        if ("opened" in said || "attached" in said) resolve();
        this.#heard(said);
      });
      started.once("exit", () => resolve());
    });
    return this.#ready;
  }

  tell(order: unknown): void {
    this.#process?.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  async kill(): Promise<void> {
    const dying = this.#process;
    if (dying === undefined || dying.exitCode !== null || dying.signalCode !== null) return;
    const gone = new Promise((resolve) => dying.once("exit", resolve));
    dying.kill("SIGKILL");
    await gone;
  }

  async pause(ms: number): Promise<void> {
    this.isPaused = true;
    this.#process?.kill("SIGSTOP");
    await pause(ms);
    this.#process?.kill("SIGCONT");
    this.isPaused = false;
  }
}

export const ride = async (dist: string, folder: string, journey: Journey): Promise<Ride> => {
  const place = join(folder, journey.name);
  mkdirSync(place, { recursive: true });
  const { between } = random(journey.seed);
  const acknowledged = new Set<string>();
  const waiting = new Map<string, string | undefined>();
  let states: ReadonlyArray<string> = [];
  /** The inbox is being handed out: asking again would only make it slower. */
  let isHanding = false;
  const file = (name: string) => bundled(dist, `test/crash/broker/${name}-process.js`);
  const broker = new Program(file("broker"), [place], (line) => {
    if (typeof line.stored === "string") {
      acknowledged.add(line.stored);
      waiting.delete(line.stored);
    }
    if (Array.isArray(line.states)) states = line.states;
    if ("handed" in line || "opened" in line) isHanding = false;
  });
  const endpoints = names.map((name) => new Program(file("endpoint"), [place, name], () => {}));
  try {
    await broker.start();
    await Promise.all(endpoints.map((endpoint) => endpoint.start()));
    let given = 0;
    let hasEnough = false;
    /** The sender: gives messages, and gives again what it was not told is stored; and whoever looks after the inbox. */
    const sender = (async () => {
      for (let round = 0; !hasEnough; round++) {
        if (waiting.size < 10) {
          const id = `m${++given}`;
          waiting.set(id, given % 4 === 0 ? undefined : names[given % names.length]);
        }
        if (round % 10 === 0) for (const [id, target] of waiting) broker.tell({ receive: { id, ...(target === undefined ? {} : { target }) } });
        else {
          const [id, target] = [...waiting].at(-1) ?? [];
          if (id !== undefined) broker.tell({ receive: { id, ...(target === undefined ? {} : { target }) } });
        }
        if (round % 5 === 0 && !isHanding) {
          isHanding = true;
          broker.tell({ handOut: true });
        }
        await pause(20);
      }
    })();
    let brokerKills = 0;
    let endpointKills = 0;
    let pauses = 0;
    const pausing: Array<Promise<void>> = [];
    /** A fault while nothing is done yet finds nothing: the last one is got over first. */
    const progressed = async () => {
      const before = acknowledged.size;
      for (let waits = 0; waits < 100 && acknowledged.size < before + 2; waits++) await pause(30);
    };
    while (brokerKills + endpointKills < journey.kills || pauses < journey.pauses) {
      await progressed();
      await pause(between(0, 150));
      const killsLeft = journey.kills - brokerKills - endpointKills;
      const pausesLeft = journey.pauses - pauses;
      if (between(1, killsLeft + pausesLeft) <= pausesLeft) {
        // Either side; an endpoint is stopped beside whatever else happens.
        if (between(0, 4) === 0) await broker.pause(pauseMs);
        else {
          const free = endpoints.filter(({ isPaused }) => !isPaused);
          const chosen = free[between(0, free.length - 1)];
          if (chosen === undefined) continue;
          pausing.push(chosen.pause(pauseMs));
        }
        pauses++;
      } else if (between(0, 2) === 0) {
        await broker.kill();
        brokerKills++;
        await broker.start();
      } else {
        const free = endpoints.filter(({ isPaused }) => !isPaused);
        const chosen = free[between(0, free.length - 1)];
        if (chosen === undefined) continue;
        await chosen.kill();
        endpointKills++;
        void chosen.start();
      }
    }
    await Promise.all(pausing);
    hasEnough = true;
    await sender;
    const calmAt = Date.now();
    let progressAt = calmAt;
    let progress = 0;
    const isInTime = () => Date.now() < progressAt + patienceMs;
    const isOver = () => waiting.size === 0 && states.length === acknowledged.size && states.every((state) => ends.has(state));
    do {
      for (const [id, target] of waiting) broker.tell({ receive: { id, ...(target === undefined ? {} : { target }) } });
      isHanding = true;
      broker.tell({ handOut: true });
      while (isHanding && isInTime()) await pause(20);
      states = [];
      broker.tell({ ask: [...acknowledged] });
      while (states.length === 0 && isInTime()) await pause(20);
      const come = acknowledged.size + states.filter((state) => ends.has(state)).length;
      if (come > progress) progressAt = Date.now();
      progress = Math.max(come, progress);
    } while (!isOver() && isInTime());
    const calmMs = Date.now() - calmAt;
    // What the upstream has not heard yet.
    await pause(500);
    const count = (state: string) => states.filter((each) => each === state).length;
    await broker.kill();
    const violations = await judge(place, [...acknowledged]);
    return {
      journey,
      brokerKills,
      endpointKills,
      pauses,
      acknowledged: acknowledged.size,
      answered: count("answered"),
      unanswered: count("unanswered"),
      failed: count("failed"),
      calmMs,
      violations: [...violations, ...(waiting.size === 0 ? [] : [{ rule: "every sender is answered in the end", what: [...waiting.keys()].join(", ") }])],
    };
  } finally {
    for (const program of [...endpoints, broker]) await program.kill();
  }
};

export const rideText = ({ journey, brokerKills, endpointKills, pauses, acknowledged, answered, unanswered, failed, calmMs, violations }: Ride): string =>
  `${journey.name}: ${brokerKills} kills of the broker, ${endpointKills} of endpoints, ${pauses} stops; ${acknowledged} messages acknowledged: ${answered} answered, ${unanswered} unknown, ${failed} failed; all over ${(calmMs / 1_000).toFixed(1)} s after the last fault; ${violations.length} violations`;

/** The long form; returns what failed. */
export const killBrokers = async (dist: string, folder: string, kills: number, pauses: number, seed: number): Promise<ReadonlyArray<string>> => {
  console.log("\nbrokers");
  const failures: Array<string> = [];
  const journeys = 4;
  for (let index = 0; index < journeys; index++) {
    const share = (all: number) => Math.floor((all * (index + 1)) / journeys) - Math.floor((all * index) / journeys);
    const done = await ride(dist, folder, { name: `broker-${index + 1}`, seed: seed + index, kills: share(kills), pauses: share(pauses) });
    console.log(`  ${rideText(done)}`);
    failures.push(...done.violations.map(({ rule, what }) => `${done.journey.name}: ${rule}: ${what}`));
  }
  return failures;
};
