import { currentActivity, type DurableMachine } from "../../src/engine/index.ts";
import { makeInboxesInPromises } from "../../src/delivery/index.ts";
import type { Acknowledgement, Command } from "../../src/domain/inbox.ts";
import type { SimProcess } from "./process.ts";
import type { World } from "./world.ts";

/** The inboxes of simulated worlds, by their senders: the next one takes over from the one before. */
export const lines = { east: ["east-1", "east-2", "east-3"], west: ["west-1", "west-2"] } as const;
const names = Object.values(lines).flat();

const activity = { retry: { attemptsMax: 2, backoff: { kind: "fixed", baseMs: 200 } }, timeoutMs: 4_000 } as const;

/** The machines of any inboxes, as histories are stepped by them. */
export const inboxMachines = (): ReadonlyArray<DurableMachine> => makeInboxesInPromises({}, activity).machines;

/** The inboxes of one simulated process. What their handler carries out it may refuse, and it may not come to an end. */
export const inboxesOf = (world: World, process: SimProcess) => {
  const handler = (command: Command, signal: AbortSignal): Promise<void> => {
    const { requestId } = command.cursor;
    if (process.dead) return new Promise(() => {});
    world.trace(`${process.name} handles ${requestId}`);
    const inbox = (currentActivity()?.address ?? "").replace(/\/handle$/, "");
    // What an owner that was taken over begins is not what is stored any more.
    if (process.epoch === world.checker.epoch) world.checker.inboxBook.begun(inbox, requestId);
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(plain("aborted")));
      if (world.fault("activityHung")) return;
      const end = world.fault("commandRefused") ? () => reject(plain("it is not allowed")) : resolve;
      world.later(process, world.source.whole("handlerMs", 0, 3_000), end);
    });
  };
  return makeInboxesInPromises(Object.fromEntries(names.map((name) => [name, { handler, outbox: "post" }])), activity);
};

/** Without its stack, which tells of what ran beside it. */
const plain = (message: string): Error => Object.assign(new Error(message), { stack: message });

/** Sends commands, one after the other, each again until it is acknowledged; a refused one is given up, or sent again. */
export class Sender {
  readonly #world: World;
  readonly #line: ReadonlyArray<string>;
  readonly name: string;
  #place = 0;
  #count = 0;
  #isBusy = false;
  #refused: Command | undefined;
  readonly #waiting = new Map<string, (answer: Acknowledgement) => void>();

  constructor(world: World, name: keyof typeof lines) {
    this.#world = world;
    this.#line = lines[name];
    this.name = name;
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }
  get nextInbox(): string {
    return this.#line[this.#place + 1] as string;
  }
  get mayMove(): boolean {
    return this.#place + 1 < this.#line.length;
  }
  get inbox(): string {
    return this.#line[this.#place] as string;
  }

  /** The next command, or the one that was refused. `account`: an actor that it may be for. */
  next(op: string, account: string | undefined): Command {
    const { source, checker } = this.#world;
    this.#isBusy = true;
    const again = this.#refused;
    this.#refused = undefined;
    if (again !== undefined && source.chance("commandAgain", 0.5)) return again;
    if (again !== undefined) checker.inboxBook.givenUp.add(again.cursor.requestId);
    const number = ++this.#count;
    const requestId = `${this.name}-${String(number).padStart(4, "0")}`;
    // Two have the same moment.
    const cursor = { createdAt: 1_000 + Math.floor(number / 2), requestId };
    const to = source.chance("commandToNobody", 0.05) ? "account/nobody" : account;
    if (to === undefined || source.chance("commandHandled", 0.4)) return { cursor, type: "DO", payload: { op } };
    return { cursor, type: "NEWS", payload: null, to, event: { type: "NEWS", op, command: requestId } };
  }

  /** What the sender hears of a command. */
  acknowledged({ cursor: { requestId } }: Command): Promise<Acknowledgement> {
    return new Promise((resolve) => this.#waiting.set(requestId, resolve));
  }

  heard(answer: Acknowledgement): void {
    this.#waiting.get(answer.requestId)?.(answer);
    this.#waiting.delete(answer.requestId);
  }

  done(command: Command | undefined, answer: Acknowledgement | undefined): void {
    this.#isBusy = false;
    if (answer?.accepted === false) this.#refused = command;
  }

  begin(): void {
    this.#isBusy = true;
  }

  moved(): void {
    this.#isBusy = false;
    this.#place++;
  }
}
