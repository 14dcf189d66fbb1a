import * as Effect from "effect/Effect";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { assignment } from "../../machines/assignment.ts";
import { queue } from "../../machines/queue.ts";
import { redelivery } from "../../machines/redelivery.ts";
import { task, type TaskContext } from "../../machines/task.ts";
import { worker } from "../../machines/worker.ts";
import type { FailureArtifact, Work } from "../domain/task.ts";
import { type ActionInfo, type ActorView, type Doors, type DurableMachine, type Engine, EngineClosed, type Plugin, viewOfStored } from "../engine/index.ts";
import { demandMachinesOptions } from "./given.ts";
import { makeFunctionWorkers } from "./function-workers.ts";
import { inputChecks, type Kinds, withCommands } from "./kinds.ts";
import type { Resolution } from "./resolve-task.ts";
import { makeSubprocesses } from "./subprocess.ts";
import { taskAddress } from "./task-view.ts";
import type { WorkerTransport } from "./worker-transport.ts";

export interface DispatchMachinesOptions {
  /** What can be submitted, by name; commands can be in any case. */
  readonly kinds?: Kinds;
  /** How workers are reached, by name. `command` (child processes) and `function` (the kinds' own functions) are there in any case. */
  readonly transports?: Readonly<Record<string, WorkerTransport>>;
  /** Where tasks that want a folder get it. */
  readonly folders?: string;
  /** Where the artifacts of failures are filed, one JSON file each. */
  readonly artifacts?: string;
}

/** Everything that a dispatcher needs of the engine: a plugin for `openEngine({ plugins: [dispatch] })`. */
export interface DispatchMachines extends Plugin {
  readonly kinds: Kinds;
  readonly transports: Readonly<Record<string, WorkerTransport>>;
  readonly resolution: Omit<Resolution, "defaults">;
  /** The engine that it is part of. Throws `EngineClosed` where there is none. */
  readonly doors: () => Doors;
}

/** The machines of tasks, assignments, workers and queues, bound to those who carry out what they ask for. Throws `InvalidOptions`. */
export const dispatchMachines = (options: DispatchMachinesOptions = {}): DispatchMachines => {
  demandMachinesOptions(options);
  const kinds = withCommands(options.kinds ?? {});
  const transports: Record<string, WorkerTransport> = {
    function: makeFunctionWorkers(kinds),
    ...(options.transports?.command === undefined ? { command: makeSubprocesses() } : {}),
    ...options.transports,
  };
  let bound: { readonly engine: Engine; readonly doors: Doors } | undefined;
  const doors = () => {
    if (bound === undefined) throw new EngineClosed({ detail: "this dispatch is not part of an open engine: pass it in the engine's plugins" });
    return bound.doors;
  };
  const transportOf = ({ params }: ActionInfo) => transports[(params as { readonly transport?: string } | undefined)?.transport ?? "command"];

  /** The results of the tasks that it needed. */
  const resultsOf = async (needs: ReadonlyArray<string>): Promise<Readonly<Record<string, unknown>>> => {
    const rows = needs.length === 0 ? [] : await Effect.runPromise(doors().journal.actors(needs.map(taskAddress)));
    return Object.fromEntries(rows.map((row) => [row.address.slice("task/".length), (viewOfStored(row, "").context as TaskContext | undefined)?.result ?? null]));
  };
  const offer = (info: ActionInfo): unknown => {
    const { worker: to, attempt, work, incarnation = 0 } = info.params as { readonly worker: string; readonly attempt: number; readonly work: Work; readonly incarnation?: number };
    const folder = work.folder === null || options.folders === undefined ? undefined : join(options.folders, fileNameOf(work.folder));
    const send = (needs: Readonly<Record<string, unknown>>) => {
      if (folder !== undefined) mkdirSync(folder, { recursive: true });
      transportOf(info)?.offer({
        worker: to,
        incarnation,
        assignment: info.address,
        attempt,
        task: work.task,
        kind: work.kind,
        input: work.input,
        budget: work.budget,
        executionTimeoutMs: work.executionTimeoutMs,
        session: work.session ?? undefined,
        question: work.question ?? undefined,
        answer: work.answer ?? undefined,
        needs,
        folder,
        ...(work.traceparent === undefined ? {} : { traceparent: work.traceparent }),
      });
    };
    return work.needs.length === 0 ? send({}) : resultsOf(work.needs).then(send);
  };
  const revoke = (info: ActionInfo) => {
    const { worker: from, attempt, force, incarnation = 0 } = info.params as { readonly worker: string; readonly attempt: number; readonly force: boolean; readonly incarnation?: number };
    transportOf(info)?.revoke({ worker: from, incarnation, assignment: info.address, attempt, force });
  };
  /** What tasks told outboxes and these did not take is among the dead letters: taken out and told again in one transaction. */
  const sweep = async ({ address }: ActionInfo) => {
    if (bound === undefined) return;
    const { engine } = bound;
    const letters = await Effect.runPromise(engine.deadLetters({ prefix: "outbox/", type: "ENQUEUE", limit: lettersMax }));
    const ids = letters.filter(({ from }) => from.startsWith("task/")).map(({ id }) => id);
    if (ids.length > 0) await Effect.runPromise(engine.requeue(ids));
    await Effect.runPromise(engine.send(address, { type: "SWEPT" }));
  };
  const machines: ReadonlyArray<DurableMachine> = [
    { machine: task, keptBy, actions: { removeFolder: removeFolder(options.folders), fileArtifact: fileArtifact(options.artifacts) } },
    { machine: assignment, actions: { offer, revoke } },
    {
      machine: worker,
      actions: {
        startProcess: (info) => transportOf(info)?.start?.(info.address, (info.params as { readonly incarnation: number }).incarnation),
        stopProcess: (info) => transportOf(info)?.stop(info.address),
      },
    },
    { machine: queue },
    { machine: redelivery, actions: { sweep } },
  ];
  return {
    machines,
    followers: {},
    opened: (engine, given) => {
      bound = { engine, doors: given };
    },
    kinds,
    transports,
    resolution: { kinds, checks: inputChecks(kinds), filesArtifact: options.artifacts !== undefined },
    doors,
  };
};

/** Letters that one round looks at. */
const lettersMax = 1_000;

/** A task stays while others wait for what becomes of it. */
const keptBy = ({ context }: ActorView): ReadonlyArray<string> => (context as TaskContext).dependents.map(taskAddress);

/** The id of a task as the name of a file: what a file system may not take is written as its number. */
const fileNameOf = (id: string): string =>
  encodeURIComponent(id)
    .replaceAll("*", "%2A")
    .replace(/^\.+$/, (dots) => dots.replaceAll(".", "%2E"));

const removeFolder =
  (root: string | undefined) =>
  ({ params }: ActionInfo): void => {
    if (root !== undefined) rmSync(join(root, fileNameOf((params as { readonly folder: string }).folder)), { recursive: true, force: true });
  };

const fileArtifact =
  (root: string | undefined) =>
  ({ params }: ActionInfo): void => {
    if (root === undefined) return;
    const { artifact } = params as { readonly artifact: FailureArtifact };
    mkdirSync(root, { recursive: true });
    writeFileSync(join(root, `${fileNameOf(artifact.task)}.json`), `${JSON.stringify(artifact, null, 2)}\n`);
  };
