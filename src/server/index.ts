export { api } from "./api/api.ts";
export { type Caller, type Role, roles } from "./caller.ts";
export {
  BodyTooLarge,
  ForeignAssignment,
  ForeignOrigin,
  InternalError,
  InvalidRequest,
  MethodNotAllowed,
  NotServed,
  RoleMissing,
  ServerClosing,
  SessionOver,
  SlowReader,
  TooManyRequests,
  TooManySubscribers,
  Unauthenticated,
  UnknownHost,
  UnknownPath,
  UnsafeServer,
  UnsupportedBody,
  UrlTooLong,
} from "./errors.ts";
export type { Head } from "./gate.ts";
export type { Engine } from "../engine/index.ts";
export { layerServer, ServerTag } from "./layer.ts";
export { defaultServerLimits, type ServerLimits } from "./limits.ts";
export { type InMemory, runInMemory } from "./in-memory.ts";
export { type Listening, listen, type ListenOptions } from "./listen.ts";
export { type Fetching, nodeHandler } from "./node.ts";
export { type Document, openApi } from "./open-api.ts";
export { type Gateway, type RemoteWorkers, remoteWorkers } from "./gateway.ts";
export { cursorOf } from "./page.ts";
export type { MeterLike } from "./metrics.ts";
export type { Problem, ProblemStatus } from "./problem.ts";
export { readServeConfig, type ServeConfig } from "./serve-config.ts";
export { type From, makeServer, type MountedInspector, type Server, type ServerOptions } from "./server.ts";
export { upgradeHandler } from "./web-socket.ts";
export { makeTracing, spanNames, type Tracing, type TracingOptions } from "./tracing.ts";
export { newToken, type StoredToken, TokenFile } from "./tokens.ts";
