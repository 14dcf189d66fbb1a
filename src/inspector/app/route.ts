import { useSyncExternalStore } from "react";

/** Where one is: the words behind `#/`, and what stands behind the question mark. */
export interface Route {
  readonly words: ReadonlyArray<string>;
  readonly query: URLSearchParams;
}

const subscribe = (changed: () => void) => {
  addEventListener("hashchange", changed);
  return () => removeEventListener("hashchange", changed);
};

export const useRoute = (): Route => {
  const hash = useSyncExternalStore(subscribe, () => location.hash);
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  return { words: path.split("/").map(decodeURIComponent), query: new URLSearchParams(query) };
};

type Params = Readonly<Record<string, string | number | undefined>>;

export const hrefOf = (words: ReadonlyArray<string>, params: Params = {}): string => {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) if (value !== undefined && value !== "") query.set(name, String(value));
  const text = query.toString();
  return `#/${words.map(encodeURIComponent).join("/")}${text === "" ? "" : `?${text}`}`;
};

export const go = (words: ReadonlyArray<string>, params: Params = {}): void => {
  location.hash = hrefOf(words, params);
};

/** Changes the place without a step in the browser's history. */
export const replaceRoute = (words: ReadonlyArray<string>, params: Params = {}): void => {
  history.replaceState(null, "", hrefOf(words, params));
  dispatchEvent(new HashChangeEvent("hashchange"));
};

export const actorHref = (address: string, tab = "now", params: Params = {}): string => hrefOf(["actor", address, tab], params);
