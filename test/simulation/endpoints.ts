import type { Connection, Frame, SessionInPromises } from "../../src/broker/index.ts";
import type { SimProcess } from "./process.ts";
import type { World } from "./world.ts";

/** The way from a simulated broker to an endpoint: what is in it is gone when it breaks. */
class Wire implements Connection {
  isOpen = true;
  readonly #world: World;
  readonly broker: SimProcess;
  readonly #endpoint: SimEndpoint;
  readonly #listeners: Array<() => void> = [];
  readonly #frames: Array<Frame> = [];
  readonly #written = new Set<string>();

  constructor(world: World, broker: SimProcess, endpoint: SimEndpoint) {
    this.#world = world;
    this.broker = broker;
    this.#endpoint = endpoint;
  }

  readonly push = (frame: Frame): void => {
    if (!this.isOpen || this.broker.dead) throw new Error("the connection is closed");
    if (this.#world.fault("frameUnwritable")) throw new Error("the other end does not read");
    this.#world.trace(`${this.broker.name} tells ${this.#endpoint.owner} ${frame.type} ${frame.assignment}`);
    // What an owner that was taken over still writes is not what is stored any more.
    const { checker } = this.#world;
    if (frame.type === "offer" && this.broker.epoch === checker.epoch) checker.brokerBook.pushed(this.#endpoint.id, this.#endpoint.owner, frame.assignment, this.#written);
    this.#written.add(frame.assignment);
    this.#frames.push(frame);
    this.#world.later(undefined, this.#world.source.whole("wireMs", 0, 20), () => {
      const next = this.#frames.shift();
      if (next !== undefined && this.isOpen) this.#endpoint.hear(next);
    });
  };

  /** By the broker. */
  readonly close = (): void => this.cut();

  readonly onClosed = (listener: () => void): void => {
    if (this.isOpen) this.#listeners.push(listener);
    else this.#world.later(this.broker, 0, listener);
  };

  /** Both ends hear of it, one after the other. */
  cut(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#frames.length = 0;
    for (const listener of this.#listeners) this.#world.later(this.broker, this.#world.source.whole("wireMs", 0, 20), listener);
    this.#world.later(undefined, this.#world.source.whole("wireMs", 0, 20), () => this.#endpoint.lost(this));
  }
}

/** A message that it accepted, or is about to: written down before it says so, so that it outlives its process. */
interface Work {
  readonly message: string;
  isAccepted: boolean;
  /** Counts replies that the outside refused: each is another request. */
  tries: number;
  /** Counts its calls: the answer of an earlier one is not waited for any more. */
  calls: number;
  isCalling: boolean;
}

/** What ends an assignment for its endpoint. */
const final: ReadonlySet<string> = new Set(["AssignmentOver", "NotAssigned", "NotAccepted", "UnknownAssignment", "OutcomeUnknown", "ReplyConflict", "EndpointRetired"]);
/** It is to attach again. */
const detached: ReadonlySet<string> = new Set(["NotAttached", "NotOwner"]);

/** Milliseconds after the faults at which endpoints leave that have nothing left to do. */
const leaveAfterMs = 15_000;

/** An endpoint, over all its processes: it comes and goes, accepts, refuses, is silent, dies, answers, and answers again. */
export class SimEndpoint {
  readonly id: string;
  /** Nothing is left to do, and it does not come back. */
  hasLeft = false;
  readonly #world: World;
  #process = 1;
  #wire: Wire | undefined;
  #session: SessionInPromises | undefined;
  #mayLeave = false;
  readonly #works = new Map<string, Work>();

  constructor(world: World, id: string) {
    this.#world = world;
    this.id = id;
    this.#comeBack();
  }

  get owner(): string {
    return `${this.id}.${this.#process}`;
  }

  /** The faults are over: it stays for a while, and then leaves. */
  calm(): void {
    this.#world.later(undefined, leaveAfterMs, () => {
      this.#mayLeave = true;
      this.#leaveWhenDone();
    });
  }

  hear(frame: Frame): void {
    const { assignment } = frame;
    const known = this.#works.get(assignment);
    if (frame.type === "withdrawn") {
      if (known?.isAccepted === false) this.#works.delete(assignment);
      return;
    }
    if (known !== undefined || this.#world.fault("endpointSilent")) return;
    if (this.#world.fault("endpointRefused")) return this.#refuse(assignment);
    this.#works.set(assignment, { message: frame.message.id, isAccepted: false, tries: 0, calls: 0, isCalling: false });
    this.#world.later(undefined, this.#world.source.whole("thinkMs", 0, 60), () => this.#goOn(assignment));
  }

  /** Its connection is gone, whoever broke it. */
  lost(wire: Wire): void {
    if (this.#wire !== wire) return;
    this.#wire = undefined;
    this.#session = undefined;
    for (const work of this.#works.values()) work.isCalling = false;
    this.#comeBack();
  }

  /** A process of the broker is gone, and its connections with it. */
  brokerGone(process: SimProcess): void {
    if (this.#wire?.broker === process) this.#wire.cut();
  }

  #comeBack(): void {
    if (this.#leaveWhenDone()) return;
    this.#world.later(undefined, this.#world.source.whole("comeBackMs", 10, 200), () => this.#attach());
  }

  #attach(): void {
    const world = this.#world;
    if (this.#wire !== undefined || this.hasLeft) return;
    const process = world.target;
    if (process?.broker === undefined) return this.#comeBack();
    const wire = new Wire(world, process, this);
    this.#wire = wire;
    const { owner, id } = this;
    // Whoever hears nothing for long enough tries another connection.
    world.later(undefined, world.source.whole("attachMs", 3_000, 20_000), () => {
      if (this.#wire === wire && this.#session === undefined) wire.cut();
    });
    world.later(process, world.source.whole("wireMs", 0, 20), () => {
      process.broker?.attach({ endpoint: id, owner }, wire).then(
        (session) => {
          if (process.dead || this.#wire !== wire || this.owner !== owner) return;
          this.#session = session;
          world.trace(`${owner} is attached`);
          this.#isBack(wire);
        },
        (error: unknown) => {
          if (process.dead) return;
          this.#held(error, "attach");
          wire.cut();
        },
      );
    });
  }

  #isBack(wire: Wire): void {
    const world = this.#world;
    for (const assignment of this.#works.keys()) this.#goOn(assignment);
    this.#beat(wire);
    const goes = world.fault("endpointDied") ? () => this.#die() : world.fault("endpointCut") ? () => wire.cut() : undefined;
    if (goes !== undefined)
      world.later(undefined, world.source.whole("flapMs", 10, 500), () => {
        if (this.#wire === wire) goes();
      });
  }

  #beat(wire: Wire): void {
    this.#world.later(wire.broker, 5_000, () => {
      if (this.#wire !== wire || this.#session === undefined) return;
      this.#session.heartbeat().catch(() => {});
      this.#beat(wire);
    });
  }

  /** Another process begins, with what this one had written down. */
  #die(): void {
    this.#world.trace(`${this.owner} dies`);
    this.#world.ledger.deadOwners.add(this.owner);
    this.#process++;
    this.#wire?.cut();
  }

  #refuse(assignment: string): void {
    const wire = this.#wire;
    if (wire === undefined) return;
    const mayReturn = this.#world.source.chance("mayReturn", 0.7);
    this.#world.later(wire.broker, 5, () => {
      this.#session?.fail(assignment, { reason: "it is busy", retryable: mayReturn }).catch((error: unknown) => this.#held(error, "fail"));
    });
  }

  /** The next call for this assignment: its acceptance, or its reply. */
  #goOn(assignment: string): void {
    const world = this.#world;
    const work = this.#works.get(assignment);
    const wire = this.#wire;
    if (work === undefined || work.isCalling || wire === undefined || this.#session === undefined) return;
    work.isCalling = true;
    const mine = ++work.calls;
    const isHeard = () => !wire.broker.dead && wire.isOpen && this.#works.get(assignment) === work && work.calls === mine && work.isCalling;
    // A broker that does not answer is reached over another connection.
    world.later(undefined, 20_000, () => {
      if (isHeard()) wire.cut();
    });
    world.later(wire.broker, world.source.whole("wireMs", 0, 20), () => {
      const session = this.#session;
      if (!isHeard() || session === undefined) return;
      const request = `r${work.tries}`;
      const call = work.isAccepted ? session.reply(assignment, request, `answer ${work.tries}`) : session.accept(assignment);
      call.then(
        () => {
          if (isHeard()) this.#done(assignment, work);
        },
        (error: unknown) => {
          if (!wire.broker.dead) this.#held(error, work.isAccepted ? "reply" : "accept");
          if (isHeard()) this.#failed(assignment, work, wire, tagOf(error));
        },
      );
    });
  }

  #done(assignment: string, work: Work): void {
    const world = this.#world;
    work.isCalling = false;
    if (work.isAccepted) {
      // Some make the same request again, as if its answer had been lost on its way.
      if (world.source.chance("repeated", 0.3)) world.later(undefined, world.source.pick("repeatMs", [5, 2_000, 15_000]), () => this.#goOn(assignment));
      else this.#forget(assignment);
      return;
    }
    work.isAccepted = true;
    world.trace(`${this.owner} begins ${work.message}`);
    world.checker.brokerBook.begun(work.message, this.id);
    world.later(undefined, world.source.whole("handleMs", 0, 120), () => this.#goOn(assignment));
  }

  #failed(assignment: string, work: Work, wire: Wire, tag: string): void {
    const world = this.#world;
    work.isCalling = false;
    if (tag === "ReplyRefused") work.tries++;
    if (detached.has(tag)) return wire.cut();
    if (final.has(tag)) return this.#forget(assignment);
    world.later(undefined, world.source.whole("againMs", 100, 1_000), () => this.#goOn(assignment));
  }

  #forget(assignment: string): void {
    this.#works.delete(assignment);
    this.#leaveWhenDone();
  }

  #leaveWhenDone(): boolean {
    if (!this.#mayLeave || this.#works.size > 0) return this.hasLeft;
    if (!this.hasLeft) this.#world.trace(`${this.owner} leaves`);
    this.hasLeft = true;
    this.#wire?.cut();
    return true;
  }

  /** What it was told must be an error that the broker documents. */
  #held(error: unknown, what: string): void {
    const tag = tagOf(error);
    this.#world.trace(`${this.owner} ${what} is refused: ${tag}`);
    if (!known.has(tag)) this.#world.checker.violate("I10", `${this.owner}: ${what} was answered by something unexpected: ${error instanceof Error ? error.stack : String(error)}`);
    if (tag === "OutcomeUnknown") this.#world.mark("reply whose outcome nobody knows");
  }
}

const known: ReadonlySet<string> = new Set([
  ...final,
  ...detached,
  "ReplyRefused",
  "ReplyPending",
  "ConnectorUnavailable",
  "EngineDegraded",
  "EngineBusy",
  "EngineClosed",
  "JournalError",
  "JournalFenced",
  "TimedOut",
]);
const tagOf = (error: unknown): string => String((error as { _tag?: unknown } | null)?._tag ?? "none");
