import type { Command } from "../actor/index.ts";
import { type Address, childAddress } from "../domain/address.ts";
import type { EngineEvent, Event } from "../domain/event.ts";
import { NotJson } from "../domain/json.ts";
import { BeyondLimit, type Limits } from "../domain/limits.ts";
import { EngineBusy, InvalidEvent, PayloadTooLarge } from "./errors.ts";
import type { Resident } from "./resident.ts";
import type { World } from "./world.ts";

/** What a turn has piled up so far. */
export interface Load {
  /** Payloads as JSON, made once: to be measured, and to be stored. */
  readonly texts: Map<Command, string | undefined>;
  readonly mail: ReadonlyArray<unknown>;
  readonly effectRows: ReadonlyArray<unknown>;
  /** So many more messages would wait in the stored mailbox. */
  readonly waits: (messages: number) => boolean;
}

/** Beyond a limit because of what others left to be done: the host may try again. */
export class Overload extends BeyondLimit {
  readonly busy: EngineBusy;
  constructor(limit: "mailboxMax" | "effectsMax", waiting: number, waitingMax: number) {
    const busy = new EngineBusy({ limit, waiting, waitingMax });
    super(limit, busy.message);
    this.busy = busy;
  }
}

/** What a transition asks for is bound as what comes from outside. Throws, so that the actor does not move. */
export const checkCommands = (actor: Resident, commands: ReadonlyArray<Command>, world: World, load: Load): void => {
  const { limits } = world;
  let messages = 0;
  let actions = 0;
  for (const command of commands) {
    if (command.type === "act") actions++;
    if (command.type !== "send" && command.type !== "child.start") continue;
    messages++;
    if (command.type === "child.start") checkAddress(actor.address, command.id, limits);
    const text = JSON.stringify(command.type === "send" ? command.event : command.input);
    if (text !== undefined && text.length > limits.payloadBytesMax / 3 && Buffer.byteLength(text) > limits.payloadBytesMax) {
      const what = command.type === "send" ? `message "${command.event.type}"` : `input of the child "${command.id}"`;
      throw new BeyondLimit("payloadBytesMax", `the ${what} has more than ${limits.payloadBytesMax} bytes as JSON`);
    }
    load.texts.set(command, text);
  }
  if (actions > 0 && !actor.registered.internal) {
    const owing = world.owing() + load.effectRows.length;
    if (owing + actions > limits.effectsMax) throw new Overload("effectsMax", owing, limits.effectsMax);
  }
  if (messages > 0 && load.waits(messages)) {
    const waiting = world.mailbox() + load.mail.length;
    if (waiting + messages > limits.mailboxMax) throw new Overload("mailboxMax", waiting, limits.mailboxMax);
  }
};

const checkAddress = (parent: Address, id: string, { addressDepthMax, addressLengthMax }: Limits): void => {
  const address = childAddress(parent, id);
  if (address.length > addressLengthMax)
    throw new BeyondLimit("addressLengthMax", `the address of a child of "${parent}" would have ${address.length} characters, at most ${addressLengthMax} are taken`);
  const depth = address.split("/").length - 1;
  if (depth > addressDepthMax) throw new BeyondLimit("addressDepthMax", `the child "${id}" of "${parent}" would be on level ${depth}, at most ${addressDepthMax} are taken`);
};

/** The limit because of which something was refused, if it was one. User code may have thrown anything. */
export const limitOf = (error: unknown): keyof Limits | undefined => {
  try {
    if (error instanceof BeyondLimit) return error.limit;
    if (error instanceof PayloadTooLarge) return "payloadBytesMax";
    const detail = error instanceof NotJson ? error.what : error instanceof InvalidEvent ? error.detail : undefined;
    return detail?.startsWith(NotJson.tooDeep) === true ? "payloadDepthMax" : undefined;
  } catch {
    return undefined; // even to look at it throws
  }
};

/** What an actor is told although its history is full: the last things that it can be told. */
export const isLast = ({ type }: Event | EngineEvent): boolean => type === "taskwright.stop" || type === "taskwright.fail" || type === "taskwright.hold" || type === "taskwright.cancel";

/** What a machine threw itself. */
export const causeOf = (error: unknown): unknown => (error instanceof Error && error.name === "TransitionFailed" ? error.cause : error);
