import { type AllNames, checkNames } from "./names.ts";

/** What happens to an actor whose transition threw. The event is among the dead letters in every case. */
export type Strategy =
  /** It goes on from the state it had. */
  | "resume"
  /** It begins again from its initial state with its input. */
  | "restart"
  /** It ends; its parent is not told. */
  | "stop"
  /** It ends in error; its parent is told and handles it (`onError`), or fails in turn. */
  | "escalate";

/** Which of a parent's children share the fate of a restarted one. */
export type Scope = "one_for_one" | "one_for_all" | "rest_for_one";

export interface Supervision {
  readonly strategy: Strategy;
  /** Restarts that are allowed within `withinMs`; one more escalates. */
  readonly restartsMax: number;
  readonly withinMs: number;
  readonly scope: Scope;
}

const strategies: ReadonlyArray<Strategy> = ["resume", "restart", "stop", "escalate"];
const scopes: ReadonlyArray<Scope> = ["one_for_one", "one_for_all", "rest_for_one"];

const names: AllNames<Supervision> = { strategy: true, restartsMax: true, withinMs: true, scope: true };

/** Says in words what is wrong with the options of a machine's supervision; nothing if they can be carried out. */
export const checkSupervision = (given: Partial<Supervision>): ReadonlyArray<string> => {
  const wrong = [...checkNames(given, names)];
  const { strategy, restartsMax, withinMs, scope } = { ...defaultSupervision, ...given };
  if (!strategies.includes(strategy)) wrong.push(`strategy must be one of ${strategies.join(", ")}, got ${JSON.stringify(strategy)}`);
  if (!scopes.includes(scope)) wrong.push(`scope must be one of ${scopes.join(", ")}, got ${JSON.stringify(scope)}`);
  if (!Number.isSafeInteger(restartsMax) || restartsMax < 0) wrong.push(`restartsMax must be a whole number, 0 or more, got ${restartsMax}`);
  if (!Number.isFinite(withinMs) || withinMs <= 0) wrong.push(`withinMs must be a positive number of milliseconds, got ${withinMs}`);
  return wrong;
};

export const defaultSupervision: Supervision = { strategy: "resume", restartsMax: 3, withinMs: 60_000, scope: "one_for_one" };
