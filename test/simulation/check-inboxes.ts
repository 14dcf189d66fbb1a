import type { InboxContext } from "../../machines/inbox.ts";
import type { Acknowledgement, Command } from "../../src/domain/inbox.ts";
import type { Moment } from "./life.ts";
import type { Mark } from "./marks.ts";

type Violate = (invariant: "I1" | "I2" | "I3" | "I9", what: string) => void;

/** What one inbox came to, by its history. */
interface Line {
  /** The latest command that was applied. */
  cursor: string;
  handling: Command | undefined;
}

/** What the checker knows of commands: what inboxes did with them by the histories, what actors were told, and what senders heard. */
export class InboxBook {
  readonly #violate: Violate;
  readonly #mark: (mark: Mark) => void;
  readonly #inboxes = new Map<string, Line>();
  /** Commands that were applied, each by one inbox. */
  readonly #applied = new Map<string, Command>();
  readonly #refused = new Set<string>();
  /** `inbox request`: what a handler was given. */
  readonly #handed = new Set<string>();
  /** How often an actor took what a command tells it. */
  readonly #told = new Map<string, number>();
  /** Commands that their sender wants no more. */
  readonly givenUp = new Set<string>();
  /** What senders were told that was applied. */
  readonly #acknowledged = new Set<string>();

  constructor(violate: Violate, mark: (mark: Mark) => void) {
    this.#violate = violate;
    this.#mark = mark;
  }

  // --- what the world saw --------------------------------------------------------------------------------------------

  /** A handler begins with a command. */
  begun(inbox: string, request: string): void {
    // Its end may be stored already, and its process has not heard of that yet.
    if (!this.#handed.has(`${inbox} ${request}`)) this.#violate("I1", `${inbox}: ${request} is handled, and that is not stored`);
  }

  /** A sender hears what became of a command. */
  heard({ requestId, accepted, duplicate }: Acknowledgement): void {
    if (duplicate === true) this.#mark("repeated command acknowledged again");
    if (accepted) this.#acknowledged.add(requestId);
    if (accepted && !this.#applied.has(requestId) && !this.givenUp.has(requestId)) this.#violate("I2", `the command ${requestId} was acknowledged, and nobody applied it`);
    if (!accepted && !this.#refused.has(requestId)) this.#violate("I9", `the command ${requestId} is said to be refused, and nobody refused it`);
  }

  // --- what is stored ------------------------------------------------------------------------------------------------

  follow(moment: Moment): void {
    const { life, entry, event, before } = moment;
    if (typeof event.command === "string" && entry.outcome === "handled") this.#tell(event.command, life.address);
    if (life.machine !== "inbox") return;
    const inbox = this.#of(life.address);
    const context = life.state.snapshot.context as InboxContext;
    const told = event.type === "taskwright.offer" ? before?.kept.find(({ token }) => token === event.token)?.event : event;
    if (told?.type === "COMMAND" && entry.outcome === "handled") this.#command(life.address, inbox, told.command as Command);
    if (told?.type === "COMMAND" && entry.outcome === "kept") this.#mark("command kept while another one was handled");
    const isOver = entry.outcome === "handled" && (event.type === "taskwright.done" || event.type === "taskwright.error");
    if (isOver && inbox.handling !== undefined) {
      if (event.type === "taskwright.done") this.#apply(life.address, inbox, inbox.handling);
      else {
        this.#refused.add(inbox.handling.cursor.requestId);
        this.#mark("command refused by its handler");
      }
      inbox.handling = undefined;
    }
    if (told?.type === "SURRENDERED" && entry.outcome === "handled") {
      const requestId = (told.applied as Command["cursor"] | null)?.requestId ?? "";
      if (requestId > inbox.cursor) inbox.cursor = requestId;
      this.#mark("cursor of another inbox taken over");
    }
    const stored = context.applied?.requestId ?? "";
    if (stored !== inbox.cursor) this.#violate("I3", `${life.address}, entry ${entry.seq}: its cursor is "${stored}", its history leads to "${inbox.cursor}"`);
    if (context.handling?.cursor.requestId !== inbox.handling?.cursor.requestId) this.#violate("I3", `${life.address}, entry ${entry.seq}: it handles another command than its history leads to`);
  }

  #of(address: string): Line {
    let inbox = this.#inboxes.get(address);
    if (inbox === undefined) this.#inboxes.set(address, (inbox = { cursor: "", handling: undefined }));
    return inbox;
  }

  #command(address: string, inbox: Line, command: Command): void {
    if (command.cursor.requestId <= inbox.cursor) return;
    if (command.to !== undefined) return this.#apply(address, inbox, command);
    inbox.handling = command;
    this.#handed.add(`${address} ${command.cursor.requestId}`);
  }

  #apply(address: string, inbox: Line, command: Command): void {
    const { requestId } = command.cursor;
    if (this.#applied.has(requestId)) this.#violate("I3", `${address}: the command ${requestId} is applied a second time`);
    this.#applied.set(requestId, command);
    inbox.cursor = requestId;
    const [sender, number] = requestId.split("-") as [string, string];
    const former = `${sender}-${String(Number(number) - 1).padStart(4, "0")}`;
    if (Number(number) > 1 && !this.#applied.has(former) && !this.givenUp.has(former)) this.#violate("I2", `${address}: ${requestId} is applied, and ${former} was passed over`);
  }

  #tell(request: string, address: string): void {
    const times = (this.#told.get(request) ?? 0) + 1;
    this.#told.set(request, times);
    if (times > 1) this.#violate("I3", `${address}: the command ${request} was told ${times} times`);
    if (!this.#applied.has(request)) this.#violate("I1", `${address}: the command ${request} was told, and no inbox applied it`);
  }

  /** At the end: what was applied was done. */
  finish(): void {
    for (const [request, { to }] of this.#applied) {
      if (to !== undefined && to !== "account/nobody" && !this.#told.has(request)) this.#violate("I2", `the command ${request} was applied, and ${to} was not told`);
      if (!this.#acknowledged.has(request) && !this.givenUp.has(request)) this.#violate("I9", `the command ${request} was applied, and its sender does not know`);
    }
  }
}
