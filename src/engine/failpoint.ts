/** Where a crash test may end the process: the semantic steps between "accepted" and "everybody knows". */
export type Failpoint = "turn.loaded" | "turn.stepped" | "turn.committed" | "turn.told" | "activity.started" | "activity.ended" | "effect.started" | "effect.ended" | "recovery.page" | "careful.noted";

const hook = (globalThis as { [key: symbol]: unknown })[Symbol.for("taskwright.failpoint")] as ((name: Failpoint) => void) | undefined;

/** Does nothing, unless a test loaded its hook before the engine was imported (`node --import`). */
export const failpoint: (name: Failpoint) => void = hook ?? (() => {});
