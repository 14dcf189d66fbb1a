/** How long a message with the same target and key is held back, in milliseconds. */
export const suppressionWindowMs = 120_000;

/** Messages that are remembered; beyond it the oldest are forgotten, and would be sent again. */
const sentMax = 500;

/** What was sent lately: target and key together, and when (milliseconds since 1970); the oldest first. */
export type SentLately = ReadonlyArray<readonly [message: string, at: number]>;

export interface Outbound {
  readonly target: string;
  readonly key: string;
  readonly at: number;
}

/** Whether a message is a repetition within the window, and what is remembered of it. The window begins with the first one. */
export const suppress = (before: SentLately, { target, key, at }: Outbound, windowMs = suppressionWindowMs): { readonly isSuppressed: boolean; readonly sent: SentLately } => {
  const message = JSON.stringify([target, key]);
  const recent = before.filter(([, sentAt]) => at - sentAt < windowMs);
  if (recent.some(([known]) => known === message)) return { isSuppressed: true, sent: recent };
  return { isSuppressed: false, sent: [...recent, [message, at] as const].slice(-sentMax) };
};
