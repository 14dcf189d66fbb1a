import type { IncomingHttpHeaders } from "node:http";

/**
 * How long a receiver wants to be left alone, in milliseconds, from its `Retry-After`: seconds, or a date. A date is
 * measured from the answer's own `Date` where it has one, so that the two clocks need not agree. Undefined where it
 * says nothing that can be read.
 */
export const retryAfterMs = (headers: IncomingHttpHeaders, now: number): number | undefined => {
  const text = headers["retry-after"]?.trim();
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  const until = dateOf(text);
  return until === undefined ? undefined : Math.max(0, until - (dateOf(headers.date) ?? now));
};

/** Only what has a weekday is taken for a date: `Date.parse` reads much that is none. */
const dateOf = (text: string | undefined): number | undefined => {
  if (text === undefined || !/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
};
