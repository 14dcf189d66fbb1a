import type { Report, WorkerTransport } from "../../src/dispatch/index.ts";

/** An offer that a worker process was given, and what became of it there. */
export interface Offer {
  readonly worker: string;
  readonly incarnation: number;
  readonly assignment: string;
  readonly task: string;
  readonly attempt: number;
  state: "offered" | "executing" | "over";
  /** It was asked to end: politely (once or more), then by force. */
  revoked: "no" | "politely" | "byForce";
}

interface Process {
  readonly incarnation: number;
  readonly offers: Array<Offer>;
}

/**
 * Worker processes of which the test says what they do. Nothing happens in them by itself, except that they report for
 * work when they are started. What they execute is known, so that two executions of one task at a time are seen.
 */
export class FakeWorkers implements WorkerTransport {
  /** Off: a started process says nothing until `ready` is called. */
  reports = true;
  readonly processes = new Map<string, Process>();
  /** Every execution that was ever begun, as "task#attempt", in order. */
  readonly begun: Array<string> = [];
  /** What must never be, in words. */
  readonly violations: Array<string> = [];
  /** Starts of processes, as "worker/1#2". */
  readonly starts: Array<string> = [];
  #report: Report | undefined;

  readonly attach: WorkerTransport["attach"] = (report) => {
    this.#report = report;
  };
  readonly start = (worker: string, incarnation: number): void => {
    if (this.#report === undefined) return;
    this.processes.set(worker, { incarnation, offers: [] });
    this.starts.push(`${worker}#${incarnation}`);
    if (this.reports) this.ready(worker);
  };
  readonly stop = (worker: string): void => this.#kill(worker);
  readonly offer: WorkerTransport["offer"] = ({ worker, incarnation, assignment, task, attempt }) => {
    const process = this.processes.get(worker);
    if (process?.incarnation !== incarnation) return;
    process.offers.push({ worker, incarnation, assignment, task, attempt, state: "offered", revoked: "no" });
  };
  readonly revoke: WorkerTransport["revoke"] = ({ assignment, attempt, force }) => {
    const offer = this.offers.find((known) => known.assignment === assignment && known.attempt === attempt);
    if (offer === undefined || offer.state === "over") return;
    offer.revoked = force ? "byForce" : "politely";
    // What is ended by force before it began is not begun any more.
    if (force && offer.state === "offered") offer.state = "over";
    if (force && offer.state === "executing") this.#ended(offer, { outcome: "error", failure: { name: "CommandFailed", message: "the command was ended by SIGKILL" } });
  };
  readonly endAll: WorkerTransport["endAll"] = async () => {
    this.killAll();
  };

  /** The engine's process is gone, and its workers with it. */
  killAll(): void {
    this.#report = undefined;
    for (const address of [...this.processes.keys()]) this.#kill(address);
  }

  get offers(): ReadonlyArray<Offer> {
    return [...this.processes.values()].flatMap(({ offers }) => offers);
  }
  /** What was offered or is executed. */
  get open(): ReadonlyArray<Offer> {
    return this.offers.filter(({ state }) => state !== "over");
  }
  get executing(): ReadonlyArray<Offer> {
    return this.offers.filter(({ state }) => state === "executing");
  }
  /** The open offer of a task. */
  offerOf(task: string): Offer {
    const offers = this.open.filter((offer) => offer.task === task);
    if (offers.length !== 1) throw new Error(`the task "${task}" has ${offers.length} open offers; open are ${this.open.map((offer) => offer.task).join(", ") || "none"}`);
    return offers[0] as Offer;
  }
  isOffered(task: string): boolean {
    return this.open.some((offer) => offer.task === task);
  }

  ready(address: string, incarnation = this.processes.get(address)?.incarnation): void {
    this.report(address, { type: "READY", incarnation });
  }
  accept(task: string): Offer {
    const offer = this.offerOf(task);
    this.#begin(offer);
    this.report(offer.assignment, { type: "ACCEPTED", attempt: offer.attempt });
    return offer;
  }
  #begin(offer: Offer): void {
    const { task } = offer;
    if (this.executing.some((other) => other.task === task)) this.violations.push(`${task}#${offer.attempt} was begun while another attempt was executed`);
    if (this.begun.includes(`${task}#${offer.attempt}`)) this.violations.push(`${task}#${offer.attempt} was begun twice`);
    offer.state = "executing";
    this.begun.push(`${task}#${offer.attempt}`);
  }
  decline(task: string, reason = "it has no room"): void {
    const offer = this.offerOf(task);
    offer.state = "over";
    this.report(offer.assignment, { type: "DECLINED", attempt: offer.attempt, reason });
  }
  end(task: string, how: "ok" | "badly" = "ok"): void {
    const offer = this.offerOf(task);
    // It was so short that nobody heard of its acceptance.
    if (offer.state === "offered") this.#begin(offer);
    const result = { exitCode: how === "ok" ? 0 : 1, signal: null, stdout: "", stderr: "", durationMs: 5 };
    this.#ended(offer, how === "ok" ? { outcome: "ok", result } : { outcome: "error", result, failure: { name: "CommandFailed", message: "the command ended with exit code 1" } });
  }
  /** The process dies, and everything in it. */
  lose(address: string, reason = "its process ended (SIGKILL)"): void {
    const process = this.processes.get(address);
    if (process === undefined) return;
    this.#kill(address);
    this.report(address, { type: "LOST", incarnation: process.incarnation, reason });
  }
  /** Says something in a worker's name, late or out of turn. */
  report(address: string, event: { readonly type: string; readonly [key: string]: unknown }): void {
    this.#report?.(address, event as never);
  }

  #ended(offer: Offer, how: { readonly [key: string]: unknown }): void {
    offer.state = "over";
    this.report(offer.assignment, { type: "ENDED", attempt: offer.attempt, ...how });
  }
  #kill(address: string): void {
    for (const offer of this.processes.get(address)?.offers ?? []) offer.state = "over";
    this.processes.delete(address);
  }
}
