import type { EndpointContext } from "../../machines/endpoint.ts";
import type { ExchangeContext } from "../../machines/exchange.ts";
import type { MessageContext } from "../../machines/message.ts";
import { previewOf } from "../domain/incoming.ts";
import type { ActorView } from "../engine/index.ts";
import type { AssignmentView, EndpointView, MessageView } from "./broker.ts";

export const messageAddress = (id: string): string => `message/${id}`;
export const endpointAddress = (id: string): string => `endpoint/${id}`;
export const presenceAddress = (id: string): string => `presence/${id}`;
export const spawnAddress = (request: string): string => `spawn/${request}`;
export const trayAddress = "tray/main";
/** The id of an actor that a host started, from its address. */
export const idOf = (address: string): string => address.slice(address.indexOf("/") + 1);

/** The innermost word of a state. */
const wordOf = (value: unknown): string => (typeof value === "string" ? value : wordOf(Object.values(value as object)[0]));

/** Steps on the way to a place: they last no longer than a turn, unless something waits in the stored mailbox. */
const onTheWay: Readonly<Record<string, MessageView["state"]>> = { choosing: "assigning", seeking: "assigning", puttingBack: "taken" };

export const messageView = ({ value, context, createdAt }: ActorView): MessageView => {
  const { message, endpoint, assignment, reason, holder } = context as MessageContext;
  const word = wordOf(value);
  return {
    id: message.id,
    state: onTheWay[word] ?? (word as MessageView["state"]),
    endpoint: endpoint === null ? undefined : idOf(endpoint),
    assignment: assignment ?? undefined,
    reason: reason ?? undefined,
    holder: holder ?? undefined,
    preview: previewOf(message.content),
    at: createdAt,
  };
};

export const assignmentView = ({ address, context }: ActorView): AssignmentView => {
  const { message, endpoint, state, sequence, reason } = context as ExchangeContext;
  return { assignment: address, message: message.id, endpoint: idOf(endpoint), state: state ?? undefined, sequence, reason: reason ?? undefined };
};

export const endpointView = ({ address, value, context }: ActorView): EndpointView => {
  const { declared, incarnation, taken, buffer, conversations } = context as EndpointContext;
  return {
    id: idOf(address),
    state: (typeof value === "string" ? value : "active") as EndpointView["state"],
    owner: declared?.owner,
    incarnation,
    capabilities: declared?.capabilities ?? [],
    mode: declared?.mode,
    session: declared?.session,
    assignments: taken,
    buffered: buffer.map(({ assignment }) => assignment),
    conversations,
  };
};
