import type { Source } from "./source.ts";

/** Everything that the world does to the engine. The rate of each is drawn per seed; often it is zero. */
export const faults = {
  commitRefused: { most: 0.15, says: "a commit failed and stored nothing" },
  commitLied: { most: 0.15, says: "a commit was stored and reported as failed" },
  storeFull: { most: 0.06, says: "the disk was full for a while" },
  storeGone: { most: 0.05, says: "the store could not be reached for a while" },
  commitSlow: { most: 0.2, says: "a commit waited before it was stored" },
  answerSlow: { most: 0.2, says: "a commit was stored and its answer came late" },
  readFailed: { most: 0.03, says: "a read failed" },
  renewFailed: { most: 0.3, says: "the renewal of the lease failed" },
  crashBeforeCommit: { most: 0.04, says: "the process died before a commit" },
  crashAfterCommit: { most: 0.04, says: "the process died after a commit" },
  crashAtPlace: { most: 0.03, says: "the process died at a failpoint" },
  crashInRecovery: { most: 0.4, says: "the process died while it read what was left" },
  crash: { most: 0.08, says: "the process died between two steps" },
  pause: { most: 0.35, says: "the process stood still" },
  close: { most: 0.16, says: "the host closed the engine" },
  clockForward: { most: 0.12, says: "the wall clock was set forward" },
  clockBack: { most: 0.1, says: "the wall clock was set back" },
  rival: { most: 0.12, says: "another engine was started beside the one that works" },
  forget: { most: 0.4, says: "all actors were dropped from memory" },
  answerLost: { most: 0.5, says: "a receipt did not reach its client, which asked again" },
  sentTwice: { most: 0.3, says: "a client sent the same twice at once" },
  activityFailed: { most: 1, says: "an activity failed" },
  activityHung: { most: 0.3, says: "an activity never ended" },
  activityDeaf: { most: 1, says: "an activity went on after it was aborted, and answered" },
  commandRefused: { most: 4, says: "the handler of an inbox refused a command" },
  callbackBroke: { most: 2, says: "the code of a callback threw" },
  actionThrew: { most: 0.2, says: "a custom action threw" },
  actionSlow: { most: 1, says: "a custom action took its time" },
  workerSilent: { most: 0.3, says: "a worker did not answer an offer" },
  workerDeclined: { most: 0.5, says: "a worker declined" },
  workerLost: { most: 0.6, says: "a worker process died over its work" },
  workerFailed: { most: 1, says: "a command failed" },
  workerHung: { most: 0.4, says: "a command never ended" },
  workerTwice: { most: 0.5, says: "a worker answered twice" },
  workerLate: { most: 0.5, says: "a worker answered when it was over" },
  workerReordered: { most: 0.5, says: "the answers of a worker changed their order" },
  receiverFailed: { most: 1, says: "the receiver of an outbox failed" },
  receiverHung: { most: 0.4, says: "the receiver of an outbox never answered" },
  receiverUnknown: { most: 0.6, says: "the receiver of an outbox got an entry, and its answer was lost" },
  receiverSlow: { most: 1, says: "the receiver of an outbox took its time" },
  receiverTwice: { most: 0.6, says: "the receiver of an outbox got an entry twice" },
  endpointCut: { most: 2, says: "the connection of an endpoint broke" },
  endpointDied: { most: 1, says: "the process of an endpoint died" },
  endpointSilent: { most: 0.6, says: "an endpoint did not answer an offer" },
  endpointRefused: { most: 1, says: "an endpoint refused an offer" },
  frameUnwritable: { most: 1, says: "an endpoint could not be written to" },
  outsideFailed: { most: 4, says: "the outside was away, refused a reply, was silent, broke off or took its time" },
} as const;

export type Fault = keyof typeof faults;
export const faultNames = Object.keys(faults) as ReadonlyArray<Fault>;

/** How often each fault happens in this run: half of them never, so that no run drowns in all at once. */
export const drawRates = (source: Source): Readonly<Record<Fault, number>> =>
  Object.fromEntries(faultNames.map((name) => [name, source.chance("swarm", 0.5) ? faults[name].most * source.number("swarm") ** 2 : 0])) as Record<Fault, number>;
