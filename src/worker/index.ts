/*
 * The door "taskwright/worker": a worker in another process or in a browser. It needs nothing of Node.
 */
export type { Fetch, WebSocketConstructor, WebSocketLike } from "./connection.ts";
export { InvalidWorkerOptions } from "./given.ts";
export { type RemoteWorker, type RemoteWorkerOptions, startWorker } from "./worker.ts";
export type { Work, WorkFunction } from "./work.ts";
