import type { AnyMachineSnapshot, AnyStateNode, StateValue } from "xstate";

/** The parts of a snapshot that depend on the order in which states were entered. */
interface Configuration {
  _nodes: ReadonlyArray<AnyStateNode>;
  value: StateValue;
  tags: Set<string>;
}

/**
 * Makes the active states of a snapshot those that its value says, in document order, in place.
 * XState keeps them in the order of their last entry, takes transitions of several regions in that order, and loses it
 * when it restores a snapshot. What a machine does next must follow from what is stored, so between two events the
 * order is always the document's, as SCXML has it. Where transitions of several regions overlap, XState may also leave
 * active states out of its list; a restored snapshot has them.
 */
export const putInDocumentOrder = (snapshot: AnyMachineSnapshot): void => {
  const configuration = snapshot as unknown as Configuration;
  const { root } = snapshot.machine;
  const nodes = configuration._nodes;
  if (matched(root, configuration.value, nodes, 0) === nodes.length) return;
  configuration.value = orderedValue(root, configuration.value);
  configuration._nodes = nodesOf(root, configuration.value);
  configuration.tags = new Set(configuration._nodes.flatMap((node) => node.tags));
};

/** How far `nodes` are, from `at` on, the node and those inside it that the value says; -1 where they are others. */
const matched = (node: AnyStateNode, value: StateValue, nodes: ReadonlyArray<AnyStateNode>, at: number): number => {
  if (nodes[at] !== node) return -1;
  if (typeof value === "string") return nodes[at + 1] === node.states[value] ? at + 2 : -1;
  let next = at + 1;
  for (const key in value) {
    next = matched(node.states[key] as AnyStateNode, value[key] as StateValue, nodes, next);
    if (next < 0) return -1;
  }
  return next;
};

const nodesOf = (node: AnyStateNode, value: StateValue): ReadonlyArray<AnyStateNode> =>
  typeof value === "string" ? [node, node.states[value] as AnyStateNode] : [node, ...Object.entries(value).flatMap(([key, inside]) => nodesOf(node.states[key] as AnyStateNode, inside as StateValue))];

/** The same value with regions in document order; `value` itself if they are. */
export const orderedValue = (node: AnyStateNode, value: StateValue): StateValue => {
  if (typeof value === "string") return value;
  const keys = Object.keys(value);
  if (keys.length > 1) keys.sort((left, right) => (node.states[left]?.order ?? 0) - (node.states[right]?.order ?? 0));
  const ordered: Record<string, StateValue> = {};
  for (const key of keys) ordered[key] = orderedValue(node.states[key] as AnyStateNode, value[key] as StateValue);
  return ordered;
};
