import type { TaskSpec } from "./dispatcher.ts";

/** Ids of the tasks among `specs` that need a task, by its id. */
export const dependentsOf = (specs: ReadonlyArray<Pick<TaskSpec, "id" | "needs">>): Map<string, Array<string>> => {
  const dependents = new Map<string, Array<string>>();
  for (const { id, needs = [] } of specs) {
    for (const need of new Set(needs)) {
      const known = dependents.get(need);
      if (known === undefined) dependents.set(need, [id]);
      else known.push(id);
    }
  }
  return dependents;
};

/** Orders tasks so that each comes after those that need it, otherwise as they were given. The graph has no cycles. */
export const dependentsFirst = (specs: ReadonlyArray<TaskSpec>): ReadonlyArray<TaskSpec> => {
  const byId = new Map(specs.map((spec) => [spec.id, spec]));
  const dependents = dependentsOf(specs);
  const seen = new Set<string>();
  const ordered: Array<TaskSpec> = [];
  for (const root of specs) {
    if (seen.has(root.id)) continue;
    seen.add(root.id);
    // A stack instead of a recursion: a chain may have 100,000 links.
    const path = [{ spec: root, next: 0 }];
    for (let at = path.at(-1); at !== undefined; at = path.at(-1)) {
      const id = dependents.get(at.spec.id)?.[at.next++];
      const spec = id === undefined ? undefined : byId.get(id);
      if (id === undefined) {
        ordered.push(at.spec);
        path.pop();
      } else if (spec !== undefined && !seen.has(id)) {
        seen.add(id);
        path.push({ spec, next: 0 });
      }
    }
  }
  return ordered;
};
