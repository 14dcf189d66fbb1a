/** How a worker's run ended, in the words of the runtimes that carry workers out. */
export const workerOutcomes = ["ok", "error", "timeout", "killed", "reset", "deleted", "unknown"] as const;
export type WorkerOutcome = (typeof workerOutcomes)[number];

const sameAsOk = new Set(["ok", "success", "completed"]);

/** What a runtime's word means; a word that nobody knows is no success. */
export const workerOutcomeOf = (word: unknown): WorkerOutcome => {
  const lower = typeof word === "string" ? word.trim().toLowerCase() : "";
  if (sameAsOk.has(lower)) return "ok";
  return (workerOutcomes as ReadonlyArray<string>).includes(lower) ? (lower as WorkerOutcome) : "unknown";
};

/** The outcomes after which a task is tried again, where nobody says otherwise. */
export const retriedOutcomes: ReadonlyArray<WorkerOutcome> = ["error", "timeout"];
