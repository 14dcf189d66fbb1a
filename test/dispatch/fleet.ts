import type { Dispatcher, Offer, Report, WorkerTransport } from "../../src/dispatch/index.ts";

interface Attempt {
  readonly offer: Offer;
  state: "offered" | "executing" | "over";
  /** When it ends, once it is executed. */
  until: number;
}
interface Process {
  readonly incarnation: number;
  readonly attempts: Array<Attempt>;
  isAttached: boolean;
}
/** That a process dies within a moment, and that a run ends badly. */
export interface Chances {
  readonly dies: number;
  readonly fails: number;
}
/** One that connects by itself. */
interface Remote {
  readonly id: string;
  readonly slots: number;
  address: string | undefined;
  lives: number;
  backAt: number;
}

/** Numbers in [0, 1) that depend on the seed alone. (mulberry32) */
export const randomFrom = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0;
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
};

/**
 * Workers that nobody can rely on: they accept, decline, say nothing, end well and badly, die with all that they have,
 * go away and come back with it or without it, and answer once more when nobody wants to hear it.
 */
export class Fleet implements WorkerTransport {
  /** What must never be, in words. */
  readonly violations: Array<string> = [];
  readonly counts = { begun: 0, died: 0, detached: 0, late: 0 };
  readonly #random: () => number;
  readonly #now: () => number;
  readonly #processes = new Map<string, Process>();
  readonly #executing = new Map<string, Attempt>();
  readonly #past: Array<Attempt> = [];
  readonly #remotes: ReadonlyArray<Remote>;
  #report: Report = () => {};

  readonly #chances: Chances;

  constructor(random: () => number, now: () => number, remotes: number, chances: Chances = { dies: 0.004, fails: 0.15 }) {
    this.#chances = chances;
    this.#random = random;
    this.#now = now;
    this.#remotes = Array.from({ length: remotes }, (_, index) => ({ id: `remote-${index}`, slots: 1 + (index % 4), address: undefined, lives: 0, backAt: 0 }));
  }

  readonly attach: WorkerTransport["attach"] = (report) => {
    this.#report = report;
  };
  readonly start = (worker: string, incarnation: number): void => {
    this.#processes.set(worker, { incarnation, attempts: [], isAttached: true });
    this.#report(worker, { type: "READY", incarnation });
  };
  readonly stop = (worker: string): void => this.#kill(worker);
  readonly offer: WorkerTransport["offer"] = (offer) => {
    const process = this.#processes.get(offer.worker);
    if (process?.incarnation === offer.incarnation && process.isAttached) process.attempts.push({ offer, state: "offered", until: 0 });
  };
  readonly revoke: WorkerTransport["revoke"] = ({ worker, assignment, attempt }) => {
    const found = this.#processes.get(worker)?.attempts.find(({ offer }) => offer.assignment === assignment && offer.attempt === attempt);
    if (found === undefined || found.state === "over") return;
    const wasExecuting = found.state === "executing";
    this.#end(found);
    if (wasExecuting) this.#say(found, { type: "ENDED", outcome: "killed" });
  };
  readonly endAll: WorkerTransport["endAll"] = async () => {
    for (const worker of [...this.#processes.keys()]) this.#kill(worker);
  };

  /** How those are reached that connect by themselves. */
  get remote(): WorkerTransport {
    const { start: _, ...rest } = this as WorkerTransport;
    return rest;
  }
  get executing(): number {
    return this.#executing.size;
  }

  /** What happens in a moment. */
  async live(dispatcher: Dispatcher): Promise<void> {
    for (const [worker, process] of [...this.#processes]) {
      if (!process.isAttached) continue;
      if (this.#random() < this.#chances.dies) this.#die(worker, process);
      else for (const attempt of process.attempts) this.#goOn(attempt);
      process.attempts.splice(0, process.attempts.length, ...process.attempts.filter(({ state }) => state !== "over"));
    }
    for (const remote of this.#remotes) await this.#flap(remote, dispatcher);
    for (let n = 0; n < 3 && this.#past.length > 0; n++) this.#answerLate(this.#past[Math.floor(this.#random() * this.#past.length)] as Attempt);
  }

  #goOn(attempt: Attempt): void {
    const chance = this.#random();
    if (attempt.state === "offered") {
      // One in twenty is declined, and a few are not answered at all.
      if (chance < 0.05) {
        this.#end(attempt);
        this.#say(attempt, { type: "DECLINED", reason: "not now" });
      } else if (attempt.until === 0 && chance > 0.99) attempt.until = Number.POSITIVE_INFINITY;
      else if (attempt.until === 0) this.#begin(attempt);
    } else if (attempt.state === "executing" && attempt.until <= this.#now()) {
      this.#end(attempt);
      const { task, attempt: number } = attempt.offer;
      this.#say(attempt, chance >= this.#chances.fails ? { type: "ENDED", outcome: "ok", result: `${task}#${number}` } : { type: "ENDED", outcome: "error" });
    }
  }
  #begin(attempt: Attempt): void {
    const { task } = attempt.offer;
    if (this.#executing.has(task)) this.violations.push(`${task} is executed twice at the same time`);
    this.#executing.set(task, attempt);
    attempt.state = "executing";
    // Some take longer than they may.
    attempt.until = this.#now() + (this.#random() < 0.01 ? 60_000 : this.#random() * 2_000);
    this.counts.begun++;
    this.#say(attempt, { type: "ACCEPTED" });
  }
  #end(attempt: Attempt): void {
    if (this.#executing.get(attempt.offer.task) === attempt) this.#executing.delete(attempt.offer.task);
    attempt.state = "over";
    if (this.#past.length < 1_000) this.#past.push(attempt);
    else this.#past[Math.floor(this.#random() * 1_000)] = attempt;
  }
  #say({ offer: { assignment, attempt, incarnation } }: Attempt, what: { readonly type: string; readonly [key: string]: unknown }): void {
    this.#report(assignment, { ...what, attempt, incarnation } as never);
  }
  /** It was over before: whatever it says now must change nothing. */
  #answerLate(attempt: Attempt): void {
    this.counts.late++;
    this.#say(attempt, { type: "ACCEPTED" });
    this.#say(attempt, { type: "ENDED", outcome: "ok", result: "late" });
  }

  #die(worker: string, { incarnation }: Process): void {
    this.counts.died++;
    this.#report(worker, { type: "LOST", incarnation, reason: "it died" });
    this.#kill(worker);
  }
  #kill(worker: string): void {
    for (const attempt of this.#processes.get(worker)?.attempts ?? []) if (attempt.state !== "over") this.#end(attempt);
    this.#processes.delete(worker);
  }

  async #flap(remote: Remote, dispatcher: Dispatcher): Promise<void> {
    const process = remote.address === undefined ? undefined : this.#processes.get(remote.address);
    if (process?.isAttached === true) {
      if (this.#random() > 0.02) return;
      this.counts.detached++;
      process.isAttached = false;
      this.#report(remote.address as string, { type: "DETACHED", incarnation: process.incarnation, reason: "its connection is gone" });
      remote.backAt = this.#now() + this.#random() * 8_000;
    } else if (remote.backAt <= this.#now()) await this.#connect(remote, process, dispatcher);
  }
  async #connect(remote: Remote, before: Process | undefined, dispatcher: Dispatcher): Promise<void> {
    // One in four comes back as a new process, without what it had.
    const isSame = before !== undefined && this.#random() < 0.75;
    if (!isSame) {
      remote.lives++;
      if (remote.address !== undefined) this.#kill(remote.address);
    }
    const attempts = isSame ? before.attempts : [];
    const card = { id: remote.id, owner: `${remote.id}.${remote.lives}`, transport: "fleet", kinds: ["agent", "command"], slots: remote.slots, graceMs: 5_000 };
    const running = attempts.filter(({ state }) => state !== "over").map(({ offer }) => `${offer.assignment}#${offer.attempt}`);
    const { address, incarnation, dropped } = await dispatcher.workers.connect({ ...card, ...(isSame ? { incarnation: before.incarnation, running } : {}) });
    for (const attempt of attempts) if (attempt.state !== "over" && dropped.includes(`${attempt.offer.assignment}#${attempt.offer.attempt}`)) this.#end(attempt);
    remote.address = address;
    this.#processes.set(address, { incarnation, attempts, isAttached: true });
  }
}
