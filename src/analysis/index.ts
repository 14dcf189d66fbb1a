export { activeStates, edgesOfStep, edgesTaken, type Taken, type TakenEntry, type TakenOptions, type TakenStep } from "./edges-taken.ts";
export { type EdgeKind, edgeCause, type Graph, type GraphActor, type GraphDelay, type GraphEdge, type GraphInvoke, type GraphNode, graphFormat, lineOf, nodesById, type NodeType } from "./graph.ts";
export { graphOf } from "./graph-of.ts";
export { mermaidOf } from "./mermaid.ts";
export { type PictureFormat, pictureFormats, pictureOf } from "./picture.ts";
export { scxmlOf } from "./scxml.ts";
export { statelyOf } from "./stately.ts";
