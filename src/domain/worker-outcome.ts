import { type RunOutcome, runOutcomes } from "./task.ts";

const sameAsOk = new Set(["ok", "success", "completed"]);

/** What a runtime's word for the end of a worker means; a word that nobody knows is no success. */
export const workerOutcomeOf = (word: unknown): RunOutcome => {
  const lower = typeof word === "string" ? word.trim().toLowerCase() : "";
  if (sameAsOk.has(lower)) return "ok";
  return runOutcomes.find((outcome) => outcome.toLowerCase() === lower.replace(/[-_ ]/g, "")) ?? "unknown";
};
