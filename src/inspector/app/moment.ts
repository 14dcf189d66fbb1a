import { useEffect, useState } from "react";

/** The page's clock, for what counts down: ticks once a second while somebody looks. */
export const useNow = (): number => {
  const [now, setNow] = useState(() => performance.timeOrigin + performance.now());
  useEffect(() => {
    let frame = 0;
    let last = 0;
    const tick = () => {
      const present = performance.timeOrigin + performance.now();
      if (Math.floor(present / 1_000) !== last) {
        last = Math.floor(present / 1_000);
        setNow(present);
      }
    };
    // Frames stop where nobody looks. Every tenth is enough.
    let count = 0;
    const loop = () => {
      if (count++ % 10 === 0) tick();
      frame = requestAnimationFrame(loop);
    };
    frame = requestAnimationFrame(loop);
    return () => cancelAnimationFrame(frame);
  }, []);
  return now;
};

export const durationText = (ms: number): string => {
  const size = Math.abs(ms);
  if (size < 1_000) return `${Math.round(size)} ms`;
  if (size < 60_000) return `${(size / 1_000).toFixed(size < 10_000 ? 1 : 0)} s`;
  if (size < 3_600_000) return `${Math.floor(size / 60_000)} min ${Math.floor((size % 60_000) / 1_000)} s`;
  if (size < 86_400_000) return `${Math.floor(size / 3_600_000)} h ${Math.floor((size % 3_600_000) / 60_000)} min`;
  return `${Math.floor(size / 86_400_000)} d ${Math.floor((size % 86_400_000) / 3_600_000)} h`;
};

export const untilText = (due: number, now: number): string => (due >= now ? `in ${durationText(due - now)}` : `${durationText(now - due)} ago`);

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hour12: false });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const today = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

export const clockText = (at: number): string => clock.format(at);
export const dateText = (at: number): string => `${day.format(at)}, ${today.format(at)}`;

const whole = new Intl.NumberFormat("en");
export const countText = (count: number): string => whole.format(count).replaceAll(",", "\u2009");
