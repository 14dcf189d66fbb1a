import type { EndpointContext } from "../../machines/endpoint.ts";
import type { HoldReason, IncomingMessage } from "../domain/incoming.ts";

/** What routing knows of an endpoint. */
interface Known {
  readonly state: string;
  readonly owner: string | undefined;
  readonly connection: string | null;
  readonly conversations: ReadonlyArray<string>;
}

/** Where a message goes: to an endpoint, or to the inbox with a reason. */
export type Route = { readonly endpoint: string } | { readonly reason: HoldReason };

/**
 * Finds the endpoint of a message: by its conversation, else by its target. Holds no truth: it is read from the stored
 * endpoints, and the endpoint that is found decides by itself whether it takes the message.
 */
export class Routes {
  readonly #endpoints = new Map<string, Known>();
  /** The endpoints of each conversation, the one that joined last at the end. */
  readonly #conversations = new Map<string, Set<string>>();

  /** Takes note of an endpoint as it is stored now. */
  learn(address: string, status: string, value: unknown, context: EndpointContext): void {
    const before = this.#endpoints.get(address);
    const state = status === "active" ? (typeof value === "string" ? value : "active") : "retired";
    const conversations = state === "retired" ? [] : context.conversations;
    const known = before?.conversations ?? [];
    const now = new Set(conversations);
    for (const old of known) if (!now.has(old)) this.#leave(old, address);
    for (const conversation of conversations) {
      // Of several that take part, the one that joined last is meant.
      const joinedNow = !known.includes(conversation) || (conversation === conversations.at(-1) && known.at(-1) !== conversation);
      if (!joinedNow) continue;
      this.#leave(conversation, address);
      const members = this.#conversations.get(conversation) ?? new Set();
      this.#conversations.set(conversation, members.add(address));
    }
    this.#endpoints.set(address, { state, owner: context.declared?.owner, connection: context.connection, conversations });
  }

  get(address: string): Known | undefined {
    return this.#endpoints.get(address);
  }

  forget(): void {
    this.#endpoints.clear();
    this.#conversations.clear();
  }

  find({ conversation, target }: IncomingMessage): Route {
    const member = conversation === undefined ? undefined : [...(this.#conversations.get(conversation) ?? [])].at(-1);
    const endpoint = member ?? (target === undefined ? undefined : `endpoint/${target}`);
    if (endpoint === undefined) return { reason: "no_target" };
    const known = this.#endpoints.get(endpoint);
    if (known === undefined) return { reason: "target_unknown" };
    if (known.state === "retired") return { reason: "target_retired" };
    if (known.state === "lost") return { reason: "target_lost" };
    return { endpoint };
  }

  #leave(conversation: string, address: string): void {
    const members = this.#conversations.get(conversation);
    members?.delete(address);
    if (members?.size === 0) this.#conversations.delete(conversation);
  }
}
