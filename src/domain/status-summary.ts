/** Where a task stands for whoever ordered it. */
export const summaryStates = ["queued", "leased", "running", "needsInput", "needsVerification", "done", "failed", "dead", "cancelled"] as const;
export type SummaryState = (typeof summaryStates)[number];

/** How many tasks stand where. */
export type StatusSummary = Readonly<Record<SummaryState, number>>;

const standings: Readonly<Record<string, SummaryState>> = {
  waiting: "queued",
  queued: "queued",
  backingOff: "queued",
  paused: "queued",
  assigned: "leased",
  running: "running",
  parked: "needsInput",
  verifying: "needsVerification",
  done: "done",
  failed: "failed",
  expired: "failed",
  dead: "dead",
  cancelled: "cancelled",
};

/** The word of a summary for a state of the task machine; one that is not known yet is about to be queued. */
export const summaryStateOf = (taskState: string): SummaryState => standings[taskState] ?? "queued";

const over: ReadonlySet<SummaryState> = new Set(["done", "failed", "dead", "cancelled"]);
export const isOver = (state: SummaryState): boolean => over.has(state);

export const emptySummary: StatusSummary = { queued: 0, leased: 0, running: 0, needsInput: 0, needsVerification: 0, done: 0, failed: 0, dead: 0, cancelled: 0 };

/** A summary after one task has moved. */
export const moved = (summary: StatusSummary, from: SummaryState | undefined, to: SummaryState): StatusSummary =>
  from === to ? summary : { ...summary, ...(from === undefined ? {} : { [from]: summary[from] - 1 }), [to]: summary[to] + 1 };

/** The counts as one word: the same counts are the same news. */
export const summaryKey = (summary: StatusSummary): string => summaryStates.map((state) => summary[state]).join(":");

/** How often tasks failed in which way, by `state code`, such as `dead timeout`. */
export type FailurePicture = Readonly<Record<string, number>>;

/** The picture after one more task has failed. */
export const withFailure = (picture: FailurePicture, state: SummaryState, code: string): FailurePicture => ({ ...picture, [`${state} ${code}`]: (picture[`${state} ${code}`] ?? 0) + 1 });

/** The picture as one word, the same for the same failures in any order. */
export const pictureKey = (picture: FailurePicture): string =>
  Object.entries(picture)
    .map(([kind, count]) => `${kind} ${count}`)
    .sort()
    .join(", ");
