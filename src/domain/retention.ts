import { type AllNames, checkNames } from "./names.ts";

/**
 * How long an actor that has ended, and the history of each, are kept. It is declared for the actors that a host starts
 * and holds for everything below them. What is left out is kept for ever.
 */
export interface Retention {
  /** An actor goes this many milliseconds after its last event, once it has ended, with all that was below it. */
  readonly finishedForMs?: number;
  /** At most about so many ended actors of a machine are kept: those that were started first go first. */
  readonly finishedMax?: number;
  /** History is cut when what goes is at least this many milliseconds old. */
  readonly historyForMs?: number;
  /** History is cut when at least so many entries are left. */
  readonly historyMax?: number;
}

/** Says in words what is wrong with a retention. */
export const checkRetention = (retention: Retention): ReadonlyArray<string> => {
  const wrong = [...checkNames(retention, names)];
  if (typeof retention !== "object" || retention === null) return wrong;
  for (const [name, value] of Object.entries(retention)) {
    if (Object.hasOwn(names, name) && value !== undefined && (!Number.isSafeInteger(value) || value < 0)) wrong.push(`${name} must be a whole number, at least 0, got ${String(value)}`);
  }
  return wrong;
};

const names: AllNames<Retention> = { finishedForMs: true, finishedMax: true, historyForMs: true, historyMax: true };
