import { useCallback, useEffect, useRef, useState } from "react";
import { get } from "./api.ts";
import { useLive } from "./live.ts";
import { useNow } from "./moment.ts";

const page = 50;

/** Says that actors of these forms moved: twice a second at most, so that nothing jumps under the reader's eyes, and always after the last move. */
export const useMoved = (hashes: ReadonlyArray<string>, again: () => void): void => {
  const told = useRef(0);
  const isOwed = useRef(false);
  const second = Math.floor(useNow() / 1_000);
  useLive(hashes, undefined, ({ at }) => {
    isOwed.current = at - told.current < 500;
    if (isOwed.current) return;
    told.current = at;
    again();
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is owed is told with the next second
  useEffect(() => {
    if (!isOwed.current) return;
    isOwed.current = false;
    again();
  }, [second, again]);
};

interface Listed<Line> {
  readonly total: number;
  readonly of: number;
  readonly lines: ReadonlyArray<Line>;
}

export interface Pages<Line, List extends Listed<Line>> {
  readonly total: number;
  /** The last answer, without its lines: what it says of all of them. */
  readonly about: List | undefined;
  readonly lineAt: (index: number) => Line | undefined;
  readonly loaded: ReadonlyArray<Line>;
  readonly error: string | undefined;
  readonly onWindow: (from: number, to: number) => void;
  readonly again: () => void;
}

/** A list that is filtered and sorted where it is, read as far as one looks, and again when actors of these forms move. */
export const usePages = <Line, List extends Listed<Line>>(path: string, filter: Readonly<Record<string, string | undefined>>, hashes: ReadonlyArray<string>): Pages<Line, List> => {
  const key = JSON.stringify(filter);
  const [pages, setPages] = useState<{ readonly key: string; readonly lines: ReadonlyMap<number, ReadonlyArray<Line>>; readonly about: List | undefined }>({ key, lines: new Map(), about: undefined });
  const [error, setError] = useState<string>();
  const seen = useRef({ from: 0, to: 40 });
  const asked = useRef(new Set<string>());
  const wanted = useRef(key);
  wanted.current = key;
  const load = useCallback(
    (number: number, isAgain: boolean) => {
      const mark = `${key} ${number}`;
      if (asked.current.has(mark) && !isAgain) return;
      asked.current.add(mark);
      get<List>(path, { ...(JSON.parse(key) as Readonly<Record<string, string>>), from: number * page, limit: page }).then(
        (list) => {
          // An answer to an earlier question may come after that to a later one.
          if (wanted.current !== key) return;
          setError(undefined);
          setPages((before) => ({ key, about: list, lines: new Map([...(before.key === key ? before.lines : []), [number, list.lines]]) }));
        },
        (refused: Error) => {
          asked.current.delete(mark);
          if (wanted.current === key) setError(refused.message);
        },
      );
    },
    [key, path],
  );
  useEffect(() => {
    asked.current.clear();
    load(0, true);
  }, [load]);
  const onWindow = useCallback(
    (from: number, to: number) => {
      seen.current = { from, to };
      for (let number = Math.floor(from / page); number <= Math.floor(Math.max(from, to - 1) / page); number++) load(number, false);
    },
    [load],
  );
  const again = useCallback(() => {
    for (let number = Math.floor(seen.current.from / page); number <= Math.floor(seen.current.to / page); number++) load(number, true);
  }, [load]);
  useMoved(hashes, again);
  const isPresent = pages.key === key;
  return {
    total: isPresent ? (pages.about?.total ?? 0) : 0,
    about: pages.about,
    lineAt: (index) => (isPresent ? pages.lines.get(Math.floor(index / page))?.[index % page] : undefined),
    loaded: isPresent ? [...pages.lines.values()].flat() : [],
    error,
    onWindow,
    again,
  };
};
