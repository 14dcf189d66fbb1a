import { useSyncExternalStore } from "react";
import { createActor, fromCallback, setup } from "xstate";

const timeNow = (): number => performance.timeOrigin + performance.now();

/**
 * The page's clock, for what counts down: one for all who look, and none where nobody does.
 *
 *   seen ──at the next full second──▶ seen ──HIDDEN──▶ unseen ──SEEN──▶ seen
 */
const clock = setup({
  types: { events: {} as { readonly type: "SEEN" | "HIDDEN" } },
  actors: {
    visibility: fromCallback(({ sendBack }) => {
      const tell = () => sendBack({ type: document.hidden ? "HIDDEN" : "SEEN" });
      document.addEventListener("visibilitychange", tell);
      tell();
      return () => document.removeEventListener("visibilitychange", tell);
    }),
  },
  delays: { untilNextSecond: () => 1_000 - (timeNow() % 1_000) },
}).createMachine({
  id: "clock",
  version: "1",
  description: "The page's clock.",
  initial: "seen",
  invoke: { src: "visibility" },
  states: {
    seen: { description: "Ticks once a second.", after: { untilNextSecond: { target: "seen", reenter: true } }, on: { HIDDEN: "unseen" } },
    unseen: { description: "Nobody would see it tick.", on: { SEEN: "seen" } },
  },
});

let stop = () => {};
let present = timeNow();
const listeners = new Set<() => void>();
const subscribe = (listener: () => void) => {
  listeners.add(listener);
  if (listeners.size === 1) {
    const actor = createActor(clock);
    actor.subscribe(() => {
      present = timeNow();
      for (const heard of listeners) heard();
    });
    actor.start();
    stop = () => actor.stop();
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) stop();
  };
};

/** Milliseconds since 1970, anew each second while somebody looks. */
export const useNow = (): number => useSyncExternalStore(subscribe, () => present);

export const durationText = (ms: number): string => {
  const size = Math.abs(ms);
  if (size < 1_000) return `${Math.round(size)} ms`;
  if (size < 60_000) return `${(size / 1_000).toFixed(size < 10_000 ? 1 : 0)} s`;
  if (size < 3_600_000) return `${Math.floor(size / 60_000)} min ${Math.floor((size % 60_000) / 1_000)} s`;
  if (size < 86_400_000) return `${Math.floor(size / 3_600_000)} h ${Math.floor((size % 3_600_000) / 60_000)} min`;
  return `${Math.floor(size / 86_400_000)} d ${Math.floor((size % 86_400_000) / 3_600_000)} h`;
};

export const untilText = (due: number, now: number): string => (due >= now ? `in ${durationText(due - now)}` : `${durationText(now - due)} ago`);

const hours = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hour12: false });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const today = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

export const clockText = (at: number): string => hours.format(at);
export const dateText = (at: number): string => `${day.format(at)}, ${today.format(at)}`;

const whole = new Intl.NumberFormat("en");
export const countText = (count: number): string => whole.format(count).replaceAll(",", "\u2009");
