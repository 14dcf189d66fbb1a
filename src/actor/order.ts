import type { AnyMachineSnapshot, AnyStateNode, StateValue } from "xstate";

/** The parts of a snapshot that depend on the order in which states were entered. */
interface Configuration {
  _nodes: ReadonlyArray<AnyStateNode>;
  value: StateValue;
  tags: Set<string>;
}

/**
 * Puts the active states of a snapshot into document order, in place, and adds what XState left out of them.
 * XState keeps them in the order of their last entry, takes transitions of several regions in that order, and loses it
 * when it restores a snapshot. What a machine does next must follow from what is stored, so between two events the
 * order is always the document's, as SCXML has it. Where transitions of several regions conflict, XState may also leave
 * a state out although one inside it is active; a restored snapshot has it.
 */
export const putInDocumentOrder = (snapshot: AnyMachineSnapshot): void => {
  const configuration = snapshot as unknown as Configuration;
  const nodes = configuration._nodes;
  if (isAsRestored(nodes)) return;
  const active = new Set<AnyStateNode>();
  for (const node of nodes) for (let at: AnyStateNode | undefined = node; at !== undefined && !active.has(at); at = at.parent) active.add(at);
  configuration._nodes = [...active].sort((left, right) => left.order - right.order);
  configuration.value = orderedValue(snapshot.machine.root, configuration.value);
  configuration.tags = new Set(configuration._nodes.flatMap((node) => node.tags));
};

/** In document order with all their ancestors: then each one's parent is the one before it, or around that. */
const isAsRestored = (nodes: ReadonlyArray<AnyStateNode>): boolean => {
  if (nodes[0]?.parent !== undefined) return false;
  for (let i = 1; i < nodes.length; i++) {
    const node = nodes[i] as AnyStateNode;
    let around = nodes[i - 1];
    if ((around as AnyStateNode).order >= node.order) return false;
    while (around !== undefined && around !== node.parent) around = around.parent;
    if (around === undefined) return false;
  }
  return true;
};

/** The same value with regions in document order; `value` itself if they are. */
export const orderedValue = (node: AnyStateNode, value: StateValue): StateValue => {
  if (typeof value === "string") return value;
  const keys = Object.keys(value);
  if (keys.length > 1) keys.sort((left, right) => (node.states[left]?.order ?? 0) - (node.states[right]?.order ?? 0));
  const ordered: Record<string, StateValue> = {};
  for (const key of keys) ordered[key] = orderedValue(node.states[key] as AnyStateNode, value[key] as StateValue);
  return ordered;
};
