export { type Inspector, type InspectorOptions, type InspectorRequest, type InspectorView, inspect, makeInspector } from "./inspector.ts";
export { fileSource } from "./file-source.ts";
export { journalSource } from "./journal-source.ts";
export { type Listening, listenOnLoopback } from "./listen.ts";
export type { Source } from "./source.ts";
export { type StatelyEvent, type StatelySnapshot, statelyEvents } from "./stately.ts";
export type { Role } from "./wire.ts";
