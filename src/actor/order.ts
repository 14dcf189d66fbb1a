import type { AnyMachineSnapshot, AnyStateNode, StateValue } from "xstate";

/** The parts of a snapshot that depend on the order in which states were entered. */
interface Configuration {
  _nodes: ReadonlyArray<AnyStateNode>;
  value: StateValue;
  tags: Set<string>;
}

/**
 * Puts the active states of a snapshot into document order, in place.
 * XState keeps them in the order of their last entry, takes transitions of several regions in that order, and loses it
 * when it restores a snapshot. What a machine does next must follow from what is stored, so between two events the
 * order is always the document's, as SCXML has it.
 */
export const putInDocumentOrder = (snapshot: AnyMachineSnapshot): void => {
  const configuration = snapshot as unknown as Configuration;
  const nodes = configuration._nodes;
  for (let i = 1; i < nodes.length; i++) {
    if ((nodes[i - 1] as AnyStateNode).order < (nodes[i] as AnyStateNode).order) continue;
    configuration._nodes = [...nodes].sort((left, right) => left.order - right.order);
    configuration.value = orderedValue(snapshot.machine.root, configuration.value);
    if (configuration.tags.size > 1) configuration.tags = new Set(configuration._nodes.flatMap((node) => node.tags));
    return;
  }
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
