/** What XState takes as an action: a name, a name with parameters, a function, or what `assign`, `sendTo` and the like make. */
export type Action = string | { readonly type: string; readonly params?: unknown } | ActionFunction;

interface ActionFunction {
  (...args: ReadonlyArray<never>): unknown;
  /** Of what XState made: "xstate.assign", "xstate.sendTo" … */
  readonly type?: string;
  readonly resolve?: unknown;
  readonly to?: unknown;
  readonly event?: unknown;
  readonly eventOrExpr?: unknown;
  readonly src?: unknown;
  readonly id?: unknown;
  readonly delay?: unknown;
}

/** An action as text: its name; of an inline one of XState what it does ("assign", "raise GO", "spawnChild reader"); "inline" where it has no name. */
export const actionText = (action: Action): string => {
  if (typeof action === "string") return action;
  if (typeof action === "object") return action.type;
  if (action.resolve === undefined) return action.name === "" ? "inline" : action.name;
  const kind = (action.type ?? "inline").replace(/^xstate\./, "");
  const event = typeOf(action.event ?? action.eventOrExpr);
  const about = kind === "spawnChild" ? (typeof action.src === "string" ? action.src : undefined) : event;
  return about === undefined ? kind : `${kind} ${about}`;
};

const typeOf = (event: unknown): string | undefined => {
  if (typeof event === "string") return event;
  const type = (event as { readonly type?: unknown } | undefined)?.type;
  return typeof type === "string" ? type : undefined;
};
