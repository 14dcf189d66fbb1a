import { useCallback, useEffect, useRef, useState } from "react";

/** Something that the feed refused, in its words. */
export class Refused extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

type Params = Readonly<Record<string, string | number | boolean | undefined>>;

const addressOf = (path: string, params: Params = {}): string => {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) if (value !== undefined && value !== "") query.set(name, String(value));
  const text = query.toString();
  // Beside the page, wherever it is mounted.
  return `./api/${path}${text === "" ? "" : `?${text}`}`;
};

export const linkTo = addressOf;

const answerOf = async <A>(response: Response): Promise<A> => {
  if (response.ok) return (await response.json()) as A;
  const told = (await response.json().catch(() => ({}))) as { readonly code?: string; readonly message?: string };
  throw new Refused(told.code ?? "failed", told.message ?? `the server answered ${response.status}`);
};

export const get = async <A>(path: string, params?: Params, signal?: AbortSignal): Promise<A> => answerOf(await fetch(addressOf(path, params), signal === undefined ? {} : { signal }));

export const post = async <A>(path: string, body: unknown): Promise<A> =>
  answerOf(await fetch(addressOf(path), { method: "POST", headers: { "content-type": "application/json", "x-taskwright-inspector": "1" }, body: JSON.stringify(body) }));

export interface Loaded<A> {
  readonly value: A | undefined;
  readonly error: string | undefined;
  readonly again: () => void;
}

/**
 * What the feed answers, asked again when the question changes or somebody calls `again`. The last answer stays until the
 * next one is there. `known`: what a question says besides, as it is when it is asked; no reason to ask.
 */
export const useFeed = <A>(path: string, params: Params, enabled = true, known: Params = {}): Loaded<A> => {
  const question = addressOf(path, params);
  const [answer, setAnswer] = useState<{ readonly question: string; readonly value: A | undefined; readonly error: string | undefined }>();
  const [turn, setTurn] = useState(0);
  const latest = useRef({ path, params });
  latest.current = { path, params: { ...params, ...known } };
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked anew for another question and each further turn
  useEffect(() => {
    if (!enabled) return;
    const controller = new AbortController();
    get<A>(latest.current.path, latest.current.params, controller.signal).then(
      (value) => setAnswer({ question, value, error: undefined }),
      (error: unknown) => {
        if (!controller.signal.aborted)
          setAnswer((before) => ({ question, value: before?.question === question ? before.value : undefined, error: error instanceof Error ? error.message : String(error) }));
      },
    );
    return () => controller.abort();
  }, [question, turn, enabled]);
  const again = useCallback(() => setTurn((before) => before + 1), []);
  return { value: answer?.question === question ? answer.value : undefined, error: answer?.question === question ? answer.error : undefined, again };
};
