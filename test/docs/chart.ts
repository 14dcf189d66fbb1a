import type { AnyStateMachine, AnyStateNode } from "xstate";

/**
 * A machine as a Mermaid diagram, from its definition. Transitions within a state are left out; those of the root are
 * drawn from each state that has not ended.
 */
export const mermaidOf = (machine: AnyStateMachine): string => ["stateDiagram-v2", ...inside(machine.root, machine.root, "  "), ""].join("\n");

const inside = (node: AnyStateNode, root: AnyStateNode, indent: string): ReadonlyArray<string> => {
  const children = Object.values(node.states) as ReadonlyArray<AnyStateNode>;
  const first = node.initial?.target[0];
  return [
    ...(first === undefined ? [] : [`${indent}[*] --> ${first.key}`]),
    ...children.flatMap((child) => {
      const nested = Object.keys(child.states).length === 0 ? [] : [`${indent}state ${child.key} {`, ...inside(child, root, `${indent}  `), `${indent}}`];
      return [...nested, ...edges(child, node === root && child.type !== "final" ? [child, root] : [child]).map((edge) => `${indent}${edge}`)];
    }),
  ];
};

const edges = (node: AnyStateNode, sources: ReadonlyArray<AnyStateNode>): ReadonlyArray<string> => {
  if (node.type === "final") return [`${node.key} --> [*]`];
  /** By target, then by event: the conditions. */
  const found = new Map<string, Map<string, Array<string>>>();
  for (const source of sources) {
    for (const transitions of [...source.transitions.values(), source.always ?? []]) {
      for (const { eventType, guard, target } of transitions) {
        for (const { key } of target ?? []) {
          const byEvent = found.get(key) ?? new Map<string, Array<string>>();
          const conditions = byEvent.get(eventText(eventType)) ?? [];
          if (typeof guard === "string" || transitions.length > 1) conditions.push(typeof guard === "string" ? guard : "else");
          found.set(key, byEvent.set(eventText(eventType), conditions));
        }
      }
    }
  }
  return [...found].map(([target, byEvent]) => {
    const label = [...byEvent].map(([event, conditions]) => `${event}${conditions.length === 0 ? "" : ` [${conditions.join(", ")}]`}`.trim()).join(", ");
    return `${node.key} --> ${target}${label === "" ? "" : `: ${label}`}`;
  });
};

const eventText = (eventType: string): string => {
  const [, kind, name] = /^xstate\.(after|done\.actor|error\.actor)\.([^.]+)/.exec(eventType) ?? [];
  if (kind === undefined) return eventType;
  return kind === "after" ? `after ${name}` : `${name} ${kind === "done.actor" ? "ended" : "failed"}`;
};
