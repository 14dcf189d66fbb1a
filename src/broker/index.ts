export type {
  AssignmentView,
  Broker,
  BrokerError,
  BrokerOptions,
  CallError,
  Connector,
  EndpointView,
  Hello,
  MessageView,
  OutgoingReply,
  ReplyError,
  Session,
  SpawnDriver,
  SpawnRequest,
  Standing,
} from "./broker.ts";
export { type Connection, type Frame, type InProcessConnection, inProcess } from "./connection.ts";
export * from "./errors.ts";
export { makeBroker } from "./make.ts";
export { BrokerPolicy, defaultBrokerPolicy } from "./policy.ts";
export { type BrokerInPromises, makeBroker as makeBrokerInPromises, type SessionInPromises } from "./promises.ts";
export { connectEndpoint, type EndpointClient, type EndpointOptions, type Handling } from "./client.ts";
export { listenForEndpoints, type LocalServer } from "./local-server.ts";
export { fileMemory, type Memory, type Remembered } from "./memory.ts";
