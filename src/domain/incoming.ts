/** What a resident endpoint and one that is driven turn by turn differ in: the second is bound to one session. */
export type ExchangeMode = "resident_endpoint" | "adapter_managed_turn";

/** Who may get a message, where that is narrower than an endpoint's id. */
export interface Requirements {
  /** Capabilities that the endpoint must have declared. */
  readonly needs?: ReadonlyArray<string>;
  readonly mode?: ExchangeMode;
  /** The session that an endpoint of the mode `adapter_managed_turn` must be in. */
  readonly session?: string;
}

/** A message from outside. Its id is its sender's: the same one again is the same message. */
export interface IncomingMessage extends Requirements {
  readonly id: string;
  readonly content: unknown;
  /** The conversation that it belongs to: it goes to the endpoint that takes part in it. */
  readonly conversation?: string;
  /** The id of the endpoint that it is for. */
  readonly target?: string;
}

/** Why nobody got a message: it stays in the inbox with this reason. */
export type HoldReason =
  | "no_target"
  | "target_unknown"
  | "target_lost"
  | "target_retired"
  | "target_refused"
  | "lacks_capability"
  | "other_session"
  | "new_conversation"
  | "no_slot"
  | "buffer_full"
  | "not_accepted_in_time"
  | "connection_broken"
  | "broker_closing"
  | "no_answer";

const previewCharactersMax = 200;

/** The beginning of a message, for a list. Never cuts a character in two. */
export const previewOf = (content: unknown): string => {
  const text = typeof content === "string" ? content : (JSON.stringify(content) ?? "");
  const characters = [...text.slice(0, 2 * previewCharactersMax)];
  return characters.length <= previewCharactersMax && text.length <= 2 * previewCharactersMax ? text : `${characters.slice(0, previewCharactersMax).join("")}…`;
};

/** The latest conversations, the newest last, each once, at most so many. */
export const joined = (conversations: ReadonlyArray<string>, conversation: string, max: number): ReadonlyArray<string> =>
  [...conversations.filter((known) => known !== conversation), conversation].slice(-max);
