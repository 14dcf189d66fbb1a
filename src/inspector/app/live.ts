import { useEffect, useRef, useState } from "react";
import type { Frame } from "../wire.ts";

export type Connection = "connecting" | "live" | "lost";

/** Hears of changes of these forms and actors; at most one call per frame of the screen. The browser connects again by itself. */
export const useLive = (hashes: ReadonlyArray<string>, actor: string | undefined, onFrame: (frame: Frame) => void): Connection => {
  const [connection, setConnection] = useState<Connection>("connecting");
  const listener = useRef(onFrame);
  listener.current = onFrame;
  const wanted = hashes.join();
  useEffect(() => {
    const query = new URLSearchParams({ hashes: wanted });
    if (actor !== undefined) query.set("actor", actor);
    const source = new EventSource(`./api/events?${query}`);
    let waiting: Frame | undefined;
    let painting = 0;
    source.onopen = () => setConnection("live");
    source.onerror = () => setConnection("lost");
    source.onmessage = ({ data }: MessageEvent<string>) => {
      const frame = JSON.parse(data) as Frame;
      waiting = waiting === undefined ? frame : merge(waiting, frame);
      // A page that nobody sees paints nothing, and is not told.
      if (painting === 0)
        painting = requestAnimationFrame(() => {
          painting = 0;
          const told = waiting;
          waiting = undefined;
          if (told !== undefined) listener.current(told);
        });
    };
    return () => {
      source.close();
      cancelAnimationFrame(painting);
    };
  }, [wanted, actor]);
  return connection;
};

const merge = (before: Frame, next: Frame): Frame => ({
  ...next,
  transitions: before.transitions + next.transitions,
  fleets: [...before.fleets.filter(({ hash }) => !next.fleets.some((fleet) => fleet.hash === hash)), ...next.fleets],
  actors: { ...before.actors, ...next.actors },
});
