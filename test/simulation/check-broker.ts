import type { EndpointContext } from "../../machines/endpoint.ts";
import type { ExchangeContext } from "../../machines/exchange.ts";
import type { MessageContext } from "../../machines/message.ts";
import type { TrayContext } from "../../machines/tray.ts";
import type { Life, Moment } from "./life.ts";
import type { Mark } from "./marks.ts";
import type { Stored } from "./store.ts";

type Violate = (invariant: "I2" | "I3" | "I6" | "I9" | "I11", what: string) => void;

/** The outermost and the innermost word of a state. */
const firstWord = (value: unknown): string => (typeof value === "string" ? value : (Object.keys(value as object)[0] ?? ""));
const lastWord = (value: unknown): string => (typeof value === "string" ? value : lastWord(Object.values(value as object)[0]));

const machines: ReadonlySet<string> = new Set(["message", "exchange", "endpoint", "tray"]);
/** What became of a message. */
const endings: ReadonlySet<string> = new Set(["answered", "unanswered", "failed", "expired", "settled"]);

export interface BrokerBounds {
  readonly inboxMax: number;
  readonly slots: number;
  readonly bufferMax: number;
}

/** What the checker knows of messages: how they ended by the histories, and what endpoints and the outside saw. */
export class BrokerBook {
  readonly #lives: ReadonlyMap<number, Life>;
  readonly #violate: Violate;
  readonly #mark: (mark: Mark) => void;
  /** `owner assignment`: what was written to a process. */
  readonly #written = new Set<string>();
  /** The endpoint that began a message. */
  readonly #begun = new Map<string, string>();
  readonly #answers = new Map<string, number>();
  readonly #ended = new Map<string, string>();
  /** Messages whose acceptance outlived the loss of their endpoint. */
  readonly #survived = new Set<string>();
  #wasTouched = false;

  constructor(lives: ReadonlyMap<number, Life>, violate: Violate, mark: (mark: Mark) => void) {
    this.#lives = lives;
    this.#violate = violate;
    this.#mark = mark;
  }

  // --- what the world saw --------------------------------------------------------------------------------------------

  /** An offer is written to a process of an endpoint: it is stored, and nothing that was kept before it is still to come. */
  pushed(endpoint: string, owner: string, assignment: string, onThisWire: ReadonlySet<string>): void {
    if (this.#lifeAt(assignment) === undefined) this.#violate("I9", `${assignment} was offered to ${owner}, and is not stored`);
    const context = this.#lifeAt(`endpoint/${endpoint}`)?.state.snapshot.context as EndpointContext | undefined;
    const buffer = context?.declared?.owner === owner ? context.buffer : [];
    const place = buffer.findIndex((offer) => offer.assignment === assignment);
    for (const earlier of buffer.slice(0, Math.max(0, place)))
      if (!onThisWire.has(earlier.assignment)) this.#violate("I9", `${assignment} was pushed to ${owner} before ${earlier.assignment}, which was kept before it`);
    this.#written.add(`${owner} ${assignment}`);
  }

  /** An endpoint was told that it has accepted a message. */
  begun(message: string, endpoint: string): void {
    const other = this.#begun.get(message) ?? endpoint;
    if (other !== endpoint) this.#violate("I6", `message/${message} was begun by ${other} and by ${endpoint}`);
    this.#begun.set(message, endpoint);
  }

  /** The outside heard a reply. */
  answered(message: string, assignment: string): void {
    const times = (this.#answers.get(message) ?? 0) + 1;
    this.#answers.set(message, times);
    if (times > 1) this.#violate("I3", `message/${message} was answered ${times} times, by ${assignment} the last time`);
  }

  // --- what is stored ------------------------------------------------------------------------------------------------

  /** One entry, right after it was stepped. */
  follow({ life, event, entry, before }: Moment): void {
    if (!machines.has(life.machine)) return;
    this.#wasTouched = true;
    const { value, context } = life.state.snapshot;
    const isHandled = entry.outcome === "handled";
    if (life.machine === "endpoint") {
      this.#followBuffer(life, before?.snapshot.context as EndpointContext | undefined, context as EndpointContext);
      if (event.type === "PUSHED" && isHandled && ((before?.snapshot.context as EndpointContext | undefined)?.buffer.length ?? 0) > 0) this.#mark("kept offers pushed when it was back");
      if (lastWord(value) === "lost" && lastWord(before?.snapshot.value ?? "") !== "lost") {
        this.#mark("endpoint lost after its grace");
        for (const assignment of (context as EndpointContext).accepted) this.#survived.add(assignment);
      }
      if (event.type === "ATTACH" && isHandled && (context as EndpointContext).incarnation > 1) this.#mark("another process of an endpoint attached");
    }
    if (life.machine === "exchange" && isHandled) {
      const word = lastWord(value);
      if (event.type === "REPLY" && word === "replySent" && lastWord(before?.snapshot.value ?? "") === "replySent") this.#mark("repeated reply answered as the first");
      if (word === "replySent" && this.#survived.has(life.address)) this.#mark("accepted message answered after its endpoint was lost");
      if (word === "waiting") this.#mark("offer kept while the inbox was full");
    }
    if (life.machine === "message" && isHandled) {
      if (event.type === "RETURNED") this.#mark("offer given back to the inbox");
      if (value === "refused") this.#mark("message refused by a full inbox");
      const { id } = (context as MessageContext).message;
      const ending = lastWord(value);
      if (firstWord(value) === "over" && endings.has(ending) && !this.#ended.has(id)) this.#ended.set(id, ending);
    }
  }

  /** What is kept no more was pushed to this process, or is not for it any more. */
  #followBuffer({ address }: Life, before: EndpointContext | undefined, after: EndpointContext): void {
    for (const { assignment } of before?.buffer ?? []) {
      if (after.buffer.some((offer) => offer.assignment === assignment) || !after.taken.includes(assignment) || after.accepted.includes(assignment)) continue;
      if (!this.#written.has(`${before?.declared?.owner} ${assignment}`)) this.#violate("I9", `${address}: ${assignment} is kept no more, and was never pushed`);
    }
  }

  /** Messages, assignments, endpoints and the inbox say the same of each other. */
  check(stored: Stored, bounds: BrokerBounds): void {
    if (!this.#wasTouched) return;
    this.#wasTouched = false;
    const holders = new Map<string, string>();
    const open = new Map<string, ExchangeContext>();
    const returning = new Set<string>();
    const accepted = new Map<string, string>();
    const inInbox = new Set<string>();
    const placed = new Map<string, string>();
    let held: ReadonlyArray<string> = [];
    for (const { id, address, machine, status } of stored.actors) {
      const life = status === "active" && machines.has(machine) ? this.#lives.get(id) : undefined;
      if (life === undefined) continue;
      const { value, context } = life.state.snapshot;
      const word = firstWord(value);
      if (machine === "tray") {
        held = (context as TrayContext).held;
        if (held.length > bounds.inboxMax) this.#violate("I11", `the inbox holds ${held.length} messages, at most ${bounds.inboxMax} may be`);
      }
      if (machine === "message") {
        if (word === "undispatched" || word === "dispatching") inInbox.add(address);
        if (word === "assigned") placed.set(address, (context as MessageContext).assignment ?? "");
      }
      if (machine === "exchange") {
        if (word === "offered" || word === "held" || word === "replyRequested") open.set(address, context as ExchangeContext);
        if (word === "givingBack") returning.add(address);
        if (word === "held" || word === "replyRequested") {
          const { holder } = context as ExchangeContext;
          if (accepted.has(holder)) this.#violate("I6", `${holder} is accepted twice, by ${accepted.get(holder)} and ${address}`);
          accepted.set(holder, address);
        }
      }
      if (machine === "endpoint") {
        const { taken, accepted: own, buffer } = context as EndpointContext;
        const offered = taken.length - own.length;
        if (buffer.length > bounds.bufferMax) this.#violate("I11", `${address} keeps ${buffer.length} offers, at most ${bounds.bufferMax} may be`);
        // What it accepts late may come on top.
        if (offered > bounds.slots) this.#violate("I11", `${address} has ${offered} offers, it has ${bounds.slots} slots`);
        for (const assignment of taken) {
          if (holders.has(assignment)) this.#violate("I6", `${assignment} holds two slots, of ${address} and ${holders.get(assignment)}`);
          holders.set(assignment, address);
        }
      }
    }
    // What a message under way says may not be heard yet.
    if (stored.mail.length > 0) return;
    for (const [assignment, { endpoint, holder }] of open) {
      if (holders.get(assignment) !== endpoint) this.#violate("I6", `${assignment} is with ${endpoint}, but holds no slot there`);
      if (placed.get(holder) !== assignment) this.#violate("I6", `${assignment} is with ${endpoint}, and ${holder} does not know it`);
    }
    for (const [assignment, endpoint] of holders) if (!open.has(assignment) && !returning.has(assignment)) this.#violate("I6", `${endpoint} keeps a slot for ${assignment}, which has ended`);
    for (const [message, assignment] of placed) if (!open.has(assignment) && !returning.has(assignment)) this.#violate("I6", `${message} is with ${assignment}, which has ended`);
    for (const message of inInbox) if (!held.includes(message)) this.#violate("I6", `${message} lies in the inbox, and has no seat`);
    for (const message of held) if (!inInbox.has(message)) this.#violate("I6", `${message} has a seat in the inbox, and is not there`);
  }

  /** At the end: what was acknowledged came to an end, and what was answered is known to be. */
  finish(acknowledged: ReadonlySet<string>): void {
    for (const message of acknowledged) if (!this.#ended.has(message)) this.#violate("I2", `message/${message} was acknowledged, and nothing came of it`);
    for (const [message, ending] of this.#ended) {
      const times = this.#answers.get(message) ?? 0;
      if (ending === "answered" && times !== 1) this.#violate("I3", `message/${message} counts as answered, and the outside heard ${times} replies`);
      if (times > 0 && ending !== "answered" && ending !== "unanswered") this.#violate("I6", `message/${message} was answered, and is ${ending}`);
    }
  }

  #lifeAt(address: string): Life | undefined {
    for (const life of this.#lives.values()) if (life.address === address) return life;
    return undefined;
  }
}
