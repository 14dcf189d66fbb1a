import * as Cron from "effect/Cron";
import * as DateTime from "effect/DateTime";
import * as Either from "effect/Either";
import { derivedRandom } from "../domain/random.ts";
import { momentsMax, type Plan, type PlanRequest, punctualMs, type When } from "../domain/schedule.ts";

/** The moments of a schedule, in milliseconds since 1970. */
export interface Moments {
  /** The first one after `after`; nothing where none follows. */
  readonly next: (after: number) => number | undefined;
}

/** Says what is wrong with when a schedule is due, or makes its moments. `madeAt`: what intervals are counted from by default. */
export const momentsOf = (when: When, madeAt: number): Either.Either<Moments, string> => {
  if ("everyMs" in when) {
    const { everyMs, anchorMs = madeAt } = when;
    return Either.right({ next: (after) => anchorMs + (Math.floor((after - anchorMs) / everyMs) + 1) * everyMs });
  }
  const { cron: expression, timeZone = "UTC" } = when;
  const zone = DateTime.zoneFromString(timeZone);
  if (zone._tag === "None") return Either.left(`there is no time zone "${timeZone}"; use an IANA name such as "Europe/Berlin", or an offset such as "+02:00"`);
  return Either.mapBoth(Cron.parse(expression, zone.value), {
    onLeft: ({ message }) => `"${expression}" is no cron expression (${message}); use five fields, such as "30 2 * * 1-5"`,
    onRight: (cron) => ({ next: cron.hours.size === 0 ? inRealTime(expression, zone.value) : (after: number) => nextOf(cron, after) }),
  });
};

const nextOf = (cron: Cron.Cron, after: number): number | undefined => {
  try {
    return Cron.next(cron, new Date(after)).getTime();
  } catch {
    // It gives up where no date fits, such as 30 February.
    return undefined;
  }
};

/**
 * An expression for every hour goes by real time: when clocks are set back, the hour that comes twice has its moments
 * twice, as every cron does it. `Cron.next` alone would leave out the second one. So the moments are taken from a zone
 * with the offset that holds, up to where another one begins.
 */
const inRealTime = (expression: string, zone: DateTime.TimeZone) => {
  const fixed = new Map<number, Cron.Cron>();
  const cronAt = (offset: number): Cron.Cron => {
    const known = fixed.get(offset);
    if (known !== undefined) return known;
    const cron = Cron.unsafeParse(expression, DateTime.zoneMakeOffset(offset));
    fixed.set(offset, cron);
    return cron;
  };
  const offsetAt = (at: number): number => DateTime.zonedOffset(DateTime.unsafeMakeZoned(at, { timeZone: zone }));
  return (after: number): number | undefined => {
    for (let from = after, turn = 0; turn < changesMax; turn++) {
      const offset = offsetAt(from + 1);
      const found = nextOf(cronAt(offset), from);
      if (found === undefined || offsetAt(found) === offset) return found;
      from = changeBetween(offsetAt, from + 1, found) - 1;
    }
    return undefined;
  };
};

/** Changes of the clock that are gone over in search of one moment: a century has two each year. */
const changesMax = 200;
/** No zone changes its offset and changes it back within this time. Milliseconds. */
const strideMs = 5 * 24 * 60 * 60 * 1_000;

/** The first moment after `from` at which another offset holds; `to` has another one. */
const changeBetween = (offsetAt: (at: number) => number, from: number, to: number): number => {
  const offset = offsetAt(from);
  let low = from;
  while (low + strideMs < to && offsetAt(low + strideMs) === offset) low += strideMs;
  let high = Math.min(low + strideMs, to);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(middle) === offset) low = middle;
    else high = middle;
  }
  return high;
};

/** What is due, what follows, and what was missed. `now`: milliseconds since 1970. */
export const planOf = ({ schedule, missed, jitterMs, until, after, backfill }: PlanRequest, { next }: Moments, now: number): Plan => {
  const last = until ?? Number.MAX_SAFE_INTEGER;
  const dueAt = (moment: number) => (jitterMs === 0 ? moment : moment + Math.floor(derivedRandom(schedule, moment) * (jitterMs + 1)));
  // Those before the longest jitter are due, whatever theirs is.
  const surely = Math.max(after, Math.min(last, now - jitterMs));
  const found = [...latest(next, after, surely)];
  const isCut = found.length === momentsMax && (next(after) ?? surely) < (found[0] as number);
  let follows = next(surely);
  for (; follows !== undefined && follows <= last && dueAt(follows) <= now; follows = next(follows)) found.push(follows);
  const due = missed === "all" ? found.slice(-momentsMax) : missed === "last" ? found.slice(-1) : found.filter((moment) => now - dueAt(moment) <= punctualMs);
  return {
    at: now,
    due,
    next: follows === undefined || follows > last ? null : { moment: follows, dueAt: Math.max(now, dueAt(follows)) },
    backfill: backfill === null ? [] : firstMoments(next, backfill.from, backfill.to),
    missed: found.length - due.length + (isCut ? 1 : 0),
  };
};

/** The first moments from `from` up to `to`, both included, at most `max`. */
export const firstMoments = (next: Moments["next"], from: number, to: number, max: number = momentsMax): ReadonlyArray<number> => {
  const moments: Array<number> = [];
  for (let moment = next(from - 1); moment !== undefined && moment <= to && moments.length < max; moment = next(moment)) moments.push(moment);
  return moments;
};

/** The latest moments after `after` and up to `to`, at most `momentsMax`, the oldest first. */
const latest = (next: Moments["next"], after: number, to: number): ReadonlyArray<number> => {
  const moments: Array<number> = [];
  let gap = 60_000;
  for (let before = lastBefore(next, to + 1, after, gap); before !== undefined && moments.length < momentsMax; before = lastBefore(next, before, after, gap)) {
    const later = moments.at(-1);
    if (later !== undefined) gap = later - before;
    moments.push(before);
  }
  return moments.reverse();
};

/**
 * The last moment before `before` and after `after`. Looked for from `before` backwards, in strides that grow from `gap`,
 * then by halves: years of seconds take no longer than an hour of them.
 */
const lastBefore = (next: Moments["next"], before: number, after: number, gap: number): number | undefined => {
  const isBefore = (moment: number | undefined): moment is number => moment !== undefined && moment < before;
  let high = before - 1;
  let low = high;
  let found: number | undefined;
  for (let stride = gap; ; stride *= 2) {
    low = Math.max(after, before - 1 - stride);
    found = next(low);
    if (isBefore(found)) break;
    if (low <= after) return undefined;
    high = low;
  }
  for (;;) {
    const follows = next(found);
    if (!isBefore(follows)) return found;
    found = follows;
    const middle = Math.floor((Math.max(low, found) + high) / 2);
    const further = next(middle);
    if (isBefore(further)) {
      low = middle;
      found = further;
    } else high = middle;
  }
};
