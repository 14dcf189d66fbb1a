import { wrongId } from "../domain/address.ts";
import { type AllNames, checkNames, said } from "../domain/names.ts";
import type { RemoteWorkerOptions } from "./worker.ts";

/** Options with which no worker can run: what each of them lacks. Nothing was begun. */
export class InvalidWorkerOptions extends Error {
  readonly _tag = "InvalidWorkerOptions";
  readonly code = "invalid_worker_options";
  readonly retryable = false;
  readonly problems: ReadonlyArray<string>;
  constructor(problems: ReadonlyArray<string>) {
    super(problems.join("\n"));
    this.name = "InvalidWorkerOptions";
    this.problems = problems;
  }
}

const names: AllNames<RemoteWorkerOptions> = {
  url: true,
  token: true,
  id: true,
  kinds: true,
  slots: true,
  graceMs: true,
  over: true,
  WebSocket: true,
  fetch: true,
  pollMs: true,
  heartbeatMs: true,
  onState: true,
};

const isHttp = (url: unknown): boolean => {
  try {
    return typeof url === "string" && /^https?:$/.test(new URL(url).protocol);
  } catch {
    return false;
  }
};

const kindProblems = (kinds: unknown): ReadonlyArray<string> => {
  if (typeof kinds !== "object" || kinds === null || Object.keys(kinds).length === 0) return [`kinds must be an object with a function for each kind of task, got ${said(kinds)}`];
  return Object.entries(kinds).flatMap(([kind, run]) => (typeof run === "function" ? [] : [`kinds.${kind} must be a function, got ${said(run)}`]));
};

/** Throws `InvalidWorkerOptions`: a worker that can never attach would try for ever. */
export const demandOptions = (options: RemoteWorkerOptions): void => {
  const problems = [...checkNames(options, names)];
  if (typeof options !== "object" || options === null) throw new InvalidWorkerOptions(problems);
  const { url, token, id, kinds, over } = options;
  if (!isHttp(url)) problems.push(`url must be that of the server, such as "http://127.0.0.1:8080", got ${said(url)}`);
  if (token !== undefined && typeof token !== "string") problems.push(`token must be a text, got ${said(token)}`);
  const wrong = wrongId(id);
  if (wrong !== undefined) problems.push(`id: ${wrong}`);
  problems.push(...kindProblems(kinds));
  const whole = (name: "slots" | "graceMs" | "pollMs" | "heartbeatMs", least: number) => {
    const value = options[name];
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= least)) problems.push(`${name} must be a whole number from ${least}, got ${said(value)}`);
  };
  whole("slots", 1);
  whole("graceMs", 0);
  whole("pollMs", 0);
  whole("heartbeatMs", 1);
  if (over !== undefined && over !== "webSocket" && over !== "polls") problems.push(`over must be "webSocket" or "polls", got ${said(over)}`);
  for (const name of ["WebSocket", "fetch", "onState"] as const)
    if (options[name] !== undefined && typeof options[name] !== "function") problems.push(`${name} must be a function, got ${said(options[name])}`);
  if (problems.length > 0) throw new InvalidWorkerOptions(problems);
};
