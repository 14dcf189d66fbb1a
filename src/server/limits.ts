/** Every bound of the server, once, with its unit, its default and its reason. A host overrides single values. */
export interface ServerLimits {
  /** Bytes of one request body. A bulk of 1,000 actors of some kilobytes fits; more is told apart into several. */
  readonly bodyBytesMax: number;
  /** Bytes of the head of one request. Node refuses a longer one with 431 before anything of ours sees it. */
  readonly headerBytesMax: number;
  /** Characters of the path and query of one request. */
  readonly urlLengthMax: number;
  /** Connections that are open at the same time; further ones are closed at once. */
  readonly connectionsMax: number;
  /** Event streams that are open at the same time; further ones are refused, so that the rest of the API stays reachable. */
  readonly subscribersMax: number;
  /** Events that wait for one subscriber; one that reads slower than this is dropped, and told why. */
  readonly subscriberEventsMax: number;
  /** Milliseconds between two comments on a silent event stream, so that a dead connection is noticed. */
  readonly streamHeartbeatMs: number;
  /** Milliseconds in which a dropped subscriber may still read the reason before its connection is cut. */
  readonly dropGraceMs: number;
  /** Milliseconds in which the head of a request must be there. Ends a client that sends a byte now and then. */
  readonly headersTimeoutMs: number;
  /** Milliseconds in which a whole request must be there. */
  readonly requestTimeoutMs: number;
  /** Milliseconds that an idle connection is kept for the next request. */
  readonly keepAliveMs: number;
  /** Requests per second and token that go on for ever. */
  readonly requestsPerSecond: number;
  /** Requests of one token that may come at once. */
  readonly requestsBurst: number;
  /** Wrong tokens from one address that may come at once; one more is forgiven every six seconds. */
  readonly wrongTokensBurst: number;
  /** Addresses and tokens whose rate is remembered; beyond it those that were silent for longest are forgotten. */
  readonly ratesMax: number;
  /** Items of one page of a list. */
  readonly pageMax: number;
  /** Actors or tasks that one bulk request starts. */
  readonly bulkMax: number;
  /** Milliseconds that a call may wait for an answer or a state. */
  readonly waitMsMax: number;
  /** Milliseconds between two signs of life of a remote worker. After three without one it counts as away. */
  readonly workerHeartbeatMs: number;
  /** Milliseconds after which a long poll is answered with nothing. Below what proxies allow. */
  readonly pollMsMax: number;
}

export const defaultServerLimits: ServerLimits = {
  bodyBytesMax: 8 * 1024 * 1024,
  headerBytesMax: 16 * 1024,
  urlLengthMax: 8 * 1024,
  connectionsMax: 2_000,
  subscribersMax: 1_000,
  subscriberEventsMax: 1_000,
  streamHeartbeatMs: 15_000,
  dropGraceMs: 5_000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  keepAliveMs: 5_000,
  requestsPerSecond: 2_000,
  requestsBurst: 4_000,
  wrongTokensBurst: 10,
  ratesMax: 10_000,
  pageMax: 1_000,
  bulkMax: 1_000,
  waitMsMax: 60_000,
  workerHeartbeatMs: 10_000,
  pollMsMax: 25_000,
};

/** Returns what is wrong with the limits, in words. */
export const checkServerLimits = (limits: ServerLimits): ReadonlyArray<string> => {
  const wrong = Object.entries(limits).flatMap(([name, value]) => (Number.isSafeInteger(value) && value > 0 ? [] : [`${name} must be a positive whole number, got ${String(value)}`]));
  if (limits.connectionsMax < limits.subscribersMax) wrong.push("connectionsMax must be at least subscribersMax, because each subscriber has a connection");
  if (limits.requestTimeoutMs < limits.headersTimeoutMs) wrong.push("requestTimeoutMs must be at least headersTimeoutMs, because the head is a part of the request");
  return wrong;
};
