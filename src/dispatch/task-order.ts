/** What a graph of needs is made of. */
export interface Node {
  readonly id: string;
  readonly needs: ReadonlyArray<string>;
}

/** Ids of the tasks among `nodes` that need a task, by its id. */
export const dependentsOf = (nodes: ReadonlyArray<Node>): Map<string, Array<string>> => {
  const dependents = new Map<string, Array<string>>();
  for (const { id, needs } of nodes) {
    for (const need of new Set(needs)) {
      const known = dependents.get(need);
      if (known === undefined) dependents.set(need, [id]);
      else known.push(id);
    }
  }
  return dependents;
};

/** Orders tasks so that each comes after those that need it, otherwise as they were given; or tells of a circle. */
export const dependentsFirst = <Task extends Node>(tasks: ReadonlyArray<Task>): { readonly ordered: ReadonlyArray<Task> } | { readonly circle: ReadonlyArray<string> } => {
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const dependents = dependentsOf(tasks);
  const seen = new Set<string>();
  const onPath = new Set<string>();
  const ordered: Array<Task> = [];
  for (const root of tasks) {
    if (seen.has(root.id)) continue;
    seen.add(root.id);
    onPath.add(root.id);
    // A stack instead of a recursion: a chain may have 100,000 links.
    const path = [{ task: root, next: 0 }];
    for (let at = path.at(-1); at !== undefined; at = path.at(-1)) {
      const id = dependents.get(at.task.id)?.[at.next++];
      if (id === undefined) {
        ordered.push(at.task);
        onPath.delete(at.task.id);
        path.pop();
        continue;
      }
      const task = byId.get(id);
      if (onPath.has(id)) return { circle: [...path.slice(path.findIndex((link) => link.task.id === id)).map((link) => link.task.id), id].reverse() };
      if (task === undefined || seen.has(id)) continue;
      seen.add(id);
      onPath.add(id);
      path.push({ task, next: 0 });
    }
  }
  return { ordered };
};
