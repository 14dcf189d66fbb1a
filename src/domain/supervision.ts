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

export const defaultSupervision: Supervision = { strategy: "resume", restartsMax: 3, withinMs: 60_000, scope: "one_for_one" };
