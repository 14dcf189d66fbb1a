import type { ActorState, Step, Target } from "../../src/actor/index.ts";
import type { Shown } from "./reference.ts";

/** The id of a timer as XState knows it; its number, for one without an id. */
export const inXState = (id: string, state: ActorState): string | number => {
  if (id.startsWith("after.")) return `xstate.${id}`;
  if (!id.startsWith("auto.")) return id.replace(/^'/, "");
  return Object.entries(state.timers)
    .filter(([name]) => name.startsWith("auto."))
    .sort(([, left], [, right]) => left.token - right.token)
    .findIndex(([name]) => name === id);
};

const shownId = (id: string, state: ActorState): string => (id.startsWith("auto.") ? "(unnamed) " : (inXState(id, state) as string));

export const shownOf = ({ state, commands }: Step, spawned: ReadonlySet<string>): Shown => {
  const { snapshot, self } = state;
  const target = (to: Target | undefined): unknown => {
    if (to === undefined) return { kind: "self" };
    if (to.kind === "address" && to.address.startsWith(`${self.address}/`)) return { kind: "child", id: to.address.slice(self.address.length + 1) };
    return to;
  };
  const rest: Array<unknown> = [];
  const started: Array<unknown> = [];
  // What was sent to a child before it started stands behind its start, as the reference has it.
  const early = commands.filter((command) => command.type === "send" && command.early !== undefined);
  const inOrder = commands.flatMap((command) =>
    early.includes(command) ? [] : command.type === "child.start" ? [command, ...early.filter((send) => send.type === "send" && send.early === command.token)] : [command],
  );
  for (const command of inOrder) {
    switch (command.type) {
      case "timer.set":
        rest.push({ arm: shownId(command.id, state), due: command.due });
        break;
      case "timer.cancel":
        rest.push({ cancel: shownId(command.id, state) });
        break;
      case "send":
        rest.push({ send: target(command.to), event: command.event });
        break;
      case "child.start":
        // Ids without a name are given to children that were spawned in an assign, and only to those.
        (spawned.has(command.id) || command.id.startsWith("x:") ? started : rest).push({ start: command.id, src: command.src, input: command.input, systemId: command.systemId });
        break;
      case "child.stop":
        rest.push({ stop: command.id });
        break;
      case "emit":
        rest.push({ emit: command.event });
        break;
      case "log":
        rest.push({ log: command.value, label: command.label });
        break;
      case "act":
        rest.push({ act: command.action, params: command.params });
    }
  }
  return {
    children: Object.keys(snapshot.children),
    status: snapshot.status,
    value: JSON.stringify(snapshot.value),
    context: snapshot.context,
    output: snapshot.output,
    error: snapshot.error === undefined ? undefined : { name: (snapshot.error as { name: string }).name, message: (snapshot.error as { message: string }).message },
    tags: [...snapshot.tags].sort(),
    history: Object.fromEntries(Object.entries(snapshot.historyValue as Record<string, ReadonlyArray<{ id: string }>>).map(([id, nodes]) => [id, nodes.map((node) => node.id)])),
    timers: Object.entries(state.timers)
      .sort(([, left], [, right]) => left.token - right.token)
      .map(([id, timer]) => ({ id: shownId(id, state), due: timer.due, to: target(timer.to), event: timer.event ?? { type: inXState(id, state) } })),
    commands: rest,
    spawned: started,
  };
};
