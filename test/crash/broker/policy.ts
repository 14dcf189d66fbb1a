import type { BrokerPolicy } from "../../../src/broker/index.ts";

/** As ever, but in a hurry: a pause of `pauseMs` is longer than all that an endpoint may be silent. */
export const policy: Partial<BrokerPolicy> = {
  acceptanceTimeoutMs: 2_000,
  processingTimeoutMs: 600_000,
  acknowledgementTimeoutMs: 2_000,
  returnRetryMs: 200,
  graceMs: 500,
  heartbeatTimeoutMs: 500,
  presenceGraceMs: 200,
  inboxMax: 40,
  slots: 20,
};
export const heartbeatMs = 100;
/** Longer than the heartbeat's time-out and the grace together. */
export const pauseMs = 1_300;
