import { didYouMean } from "../domain/near.ts";

/** What is wrong with an input, and on which line (counted from 1). */
export interface Problem {
  readonly line: number;
  readonly message: string;
}

export interface GraphNode {
  readonly line: number;
  readonly id: string;
  readonly needs: ReadonlyArray<string>;
}

/** Ids that stand twice, `needs` that nobody meets, and circles. Of circles with a task in common one is reported. */
export const graphProblems = (nodes: ReadonlyArray<GraphNode>): ReadonlyArray<Problem> => {
  const problems: Array<Problem> = [];
  const byId = new Map<string, GraphNode>();
  for (const node of nodes) {
    const first = byId.get(node.id);
    if (first === undefined) byId.set(node.id, node);
    else problems.push({ line: node.line, message: `the id "${node.id}" is already used on line ${first.line}` });
  }
  let suggested = 0;
  for (const { line, needs } of nodes) {
    for (const need of needs) {
      if (byId.has(need)) continue;
      const suggestion = suggested++ < suggestionsMax ? didYouMean(need, byId.keys()) : "";
      problems.push({ line, message: `needs "${need}", which is the id of no line${suggestion}` });
    }
  }
  for (const cycle of cycles(byId)) {
    const [first] = cycle as readonly [GraphNode];
    const message = cycle.length === 1 ? `"${first.id}" needs itself` : `the tasks need each other in a circle: ${pathText([...cycle, first].map(({ id }) => id))}`;
    problems.push({ line: first.line, message });
  }
  return problems;
};

/** A suggestion compares with all ids of the file; where everything is wrong, a few suggestions tell enough. */
const suggestionsMax = 20;

/** Steps of a circle that are shown; of a longer one the middle is left out. */
const stepsShownMax = 20;

const pathText = (ids: ReadonlyArray<string>): string => {
  const shown = ids.length <= stepsShownMax ? ids : [...ids.slice(0, stepsShownMax - 2), `… ${ids.length - stepsShownMax} more …`, ...ids.slice(-2)];
  return shown.join(" → ");
};

/** Circles that have no node in common, each from its earliest line. No recursion: a chain may be as long as the file. */
const cycles = (byId: ReadonlyMap<string, GraphNode>): ReadonlyArray<ReadonlyArray<GraphNode>> => {
  const open = new Map<string, number>();
  const neededBy = new Map<string, Array<string>>();
  for (const { id, needs } of byId.values()) {
    const known = [...new Set(needs)].filter((need) => byId.has(need));
    open.set(id, known.length);
    for (const need of known) {
      const users = neededBy.get(need);
      if (users === undefined) neededBy.set(need, [id]);
      else users.push(id);
    }
  }
  // What needs nothing that is left can run: it is in no circle.
  const remove = (free: Array<string>) => {
    for (let id = free.pop(); id !== undefined; id = free.pop()) {
      open.delete(id);
      for (const user of neededBy.get(id) ?? []) {
        const left = open.get(user);
        if (left === undefined) continue;
        open.set(user, left - 1);
        if (left === 1) free.push(user);
      }
    }
  };
  remove([...open].filter(([, count]) => count === 0).map(([id]) => id));
  const found: Array<ReadonlyArray<GraphNode>> = [];
  while (open.size > 0) {
    const path: Array<string> = [];
    const position = new Map<string, number>();
    let at = open.keys().next().value as string;
    while (!position.has(at)) {
      position.set(at, path.length);
      path.push(at);
      at = (byId.get(at) as GraphNode).needs.find((need) => open.has(need)) as string;
    }
    const circle = path.slice(position.get(at)).map((id) => byId.get(id) as GraphNode);
    const first = circle.reduce((best, node, index) => (node.line < (circle[best] as GraphNode).line ? index : best), 0);
    found.push([...circle.slice(first), ...circle.slice(0, first)]);
    remove(circle.map(({ id }) => id));
  }
  return found;
};
