import type { WorkerTransport } from "../../src/dispatch/index.ts";
import type { SimProcess } from "./process.ts";
import type { World } from "./world.ts";

interface Offer {
  readonly worker: string;
  readonly incarnation: number;
  readonly assignment: string;
  readonly task: string;
  readonly attempt: number;
  state: "offered" | "executing" | "over";
}

interface Place {
  readonly incarnation: number;
  readonly offers: Array<Offer>;
}

type Report = (address: string, event: { readonly type: string; readonly [key: string]: unknown }) => void;

/** The worker processes of one simulated process: they accept, decline, fail, vanish, answer late, twice, or never. */
export class SimWorkers implements WorkerTransport {
  readonly #world: World;
  readonly #process: SimProcess;
  readonly #places = new Map<string, Place>();
  #report: Report | undefined;

  constructor(world: World, process: SimProcess) {
    this.#world = world;
    this.#process = process;
  }

  readonly start = (worker: string, incarnation: number): void => {
    if (this.#report === undefined || this.#process.dead) return;
    this.#kill(worker);
    this.#places.set(worker, { incarnation, offers: [] });
    this.#soon("readyMs", 50, () => this.#tell(worker, { type: "READY", incarnation }));
  };
  readonly stop = (worker: string): void => this.#kill(worker);
  readonly offer: WorkerTransport["offer"] = ({ worker, incarnation, assignment, task, attempt }) => {
    const place = this.#places.get(worker);
    if (place?.incarnation !== incarnation || this.#process.dead) return;
    const offer: Offer = { worker, incarnation, assignment, task, attempt, state: "offered" };
    place.offers.push(offer);
    this.#soon("offerMs", 200, () => this.#answer(offer));
  };
  readonly revoke: WorkerTransport["revoke"] = ({ worker, assignment, attempt, force }) => {
    const offer = this.#places.get(worker)?.offers.find((known) => known.assignment === assignment && known.attempt === attempt);
    if (offer === undefined || offer.state === "over" || this.#process.dead) return;
    if (force || this.#world.source.chance("revoked", 0.7))
      this.#soon("revokeMs", force ? 1 : 500, () => this.#end(offer, { outcome: "error", failure: { name: "CommandFailed", message: "it was ended by a signal" } }));
  };

  readonly attach: WorkerTransport["attach"] = (report) => {
    this.#report = report as Report;
  };
  readonly endAll = async (): Promise<void> => this.killAll();

  killAll(): void {
    this.#report = undefined;
    for (const address of [...this.#places.keys()]) this.#kill(address);
  }

  #soon(kind: string, msMax: number, act: () => void): void {
    this.#world.later(this.#process, this.#world.source.whole(kind, 0, msMax), act);
  }

  #answer(offer: Offer): void {
    const { assignment, attempt } = offer;
    if (offer.state !== "offered" || this.#world.fault("workerSilent")) return;
    if (this.#world.fault("workerDeclined")) {
      offer.state = "over";
      this.#tell(assignment, { type: "DECLINED", attempt, reason: "it has no room" });
      return;
    }
    this.#begin(offer);
    const accepted = () => this.#tell(assignment, { type: "ACCEPTED", attempt });
    if (this.#world.fault("workerReordered")) this.#soon("reorderedMs", 400, accepted);
    else accepted();
    if (this.#world.fault("workerHung")) return;
    if (this.#world.fault("workerLost")) {
      this.#soon("workMs", 2_000, () => this.#lose(offer));
      return;
    }
    const isOk = !this.#world.fault("workerFailed");
    const result = { exitCode: isOk ? 0 : 1, signal: null, stdout: "", stderr: "", durationMs: 5 };
    const how = isOk ? { outcome: "ok", result } : { outcome: "error", result, failure: { name: "CommandFailed", message: "the command ended with exit code 1" } };
    this.#soon("workMs", 2_000, () => this.#end(offer, how));
  }

  #begin(offer: Offer): void {
    const { task, attempt } = offer;
    for (const { offers } of this.#places.values()) {
      const other = offers.find((known) => known.task === task && known.state === "executing");
      if (other !== undefined) this.#world.checker.violate("I6", `${task}: attempt ${attempt} was begun while attempt ${other.attempt} was executed by the same process`);
    }
    offer.state = "executing";
    this.#world.begins(task, attempt);
  }

  #end(offer: Offer, how: { readonly [key: string]: unknown }): void {
    if (offer.state === "over") return;
    offer.state = "over";
    const ended = () => this.#tell(offer.assignment, { type: "ENDED", attempt: offer.attempt, ...how });
    ended();
    if (this.#world.fault("workerTwice")) this.#soon("againMs", 300, ended);
    if (this.#world.fault("workerLate")) this.#soon("lateMs", 30_000, ended);
  }

  #lose(offer: Offer): void {
    const place = this.#places.get(offer.worker);
    if (offer.state === "over" || place?.incarnation !== offer.incarnation) return;
    this.#kill(offer.worker);
    this.#tell(offer.worker, { type: "LOST", incarnation: offer.incarnation, reason: "its process ended (SIGKILL)" });
  }

  #tell(address: string, event: { readonly type: string; readonly [key: string]: unknown }): void {
    if (this.#process.dead) return;
    this.#world.trace(`${this.#process.name} ${address} ${event.type} #${String(event.attempt ?? event.incarnation)}`);
    this.#report?.(address, event);
  }

  #kill(address: string): void {
    for (const offer of this.#places.get(address)?.offers ?? []) offer.state = "over";
    this.#places.delete(address);
  }
}
