import type { AssignmentContext } from "../../../machines/assignment.ts";
import type { TaskContext } from "../../../machines/task.ts";
import { usedSlots, type WorkerContext } from "../../../machines/worker.ts";
import { endedStates } from "../../../src/domain/task.ts";
import type { Life } from "./fold.ts";
import { latest, nameOf, type Rule, type Scene } from "./scene.ts";

const endings: ReadonlySet<string> = endedStates;
const accepted: ReadonlySet<string> = new Set(["running", "stopping"]);

export const livesOf = (scene: Scene, machine: string): ReadonlyArray<Life> => scene.lives.filter((life) => life.row.machine === machine);
/** The assignments that a task ever had, the oldest first. */
export const assignmentsOf = (scene: Scene, task: Life): ReadonlyArray<Life> => scene.byAddress.get(`${task.address}/assignment`) ?? [];
export const idOf = (task: Life): string => task.address.slice("task/".length);

/** The entry by which a life came to a state, if it did. */
export const entryInto = (life: Life | undefined, isState: (name: string) => boolean) => life?.moments.find(({ state }) => isState(nameOf(state.snapshot.value)))?.entry;

/** What holds for tasks, their assignments and their workers. */
export const tasks: ReadonlyArray<Rule> = [
  {
    name: "tasks are neither lost nor doubled, and end as their file says",
    check: (scene, violate) => {
      if (scene.endings === undefined) return;
      for (const life of livesOf(scene, "task")) if (!scene.endings.has(idOf(life))) violate(`${life.row.address} was never asked for`);
      for (const [id, ending] of scene.endings) {
        const lives = scene.byAddress.get(`task/${id}`) ?? [];
        if (lives.length > 1) violate(`task/${id} stands there ${lives.length} times`);
        const state = latest(lives.at(-1));
        if (scene.final && state?.value !== ending) violate(`task/${id} must be ${ending}, it is ${JSON.stringify(state?.value) ?? "missing"}`);
      }
    },
  },
  {
    name: "a done task has exactly one successful result",
    check: (scene, violate) => {
      for (const task of livesOf(scene, "task")) {
        const state = latest<TaskContext>(task);
        if (state === undefined) continue;
        const isDone = state.value === "done";
        const succeeded = assignmentsOf(scene, task).filter((assignment) => latest<AssignmentContext>(assignment)?.context.outcome === "succeeded").length;
        if (succeeded !== (isDone ? 1 : 0)) violate(`${task.row.address} is ${nameOf(state.value)} with ${succeeded} assignments that succeeded`);
        if (isDone && (state.context.result as { exitCode?: number } | null)?.exitCode !== 0) violate(`${task.row.address} is done, its result is ${JSON.stringify(state.context.result)}`);
        const ended = task.moments.findIndex((moment) => endings.has(nameOf(moment.state.snapshot.value)));
        if (ended >= 0 && task.moments.slice(ended + 1).some(({ entry }) => entry.outcome !== "ended")) violate(`${task.row.address} went on after its end`);
      }
    },
  },
  {
    name: "attempts stay within their budget and are all counted",
    check: (scene, violate) => {
      for (const task of livesOf(scene, "task")) {
        for (const { entry, state } of task.moments) {
          const {
            failures,
            losses,
            spec: { lossesMax, retry },
          } = state.snapshot.context as TaskContext;
          if (failures > retry.attemptsMax) violate(`${task.row.address}, entry ${entry.seq}: ${failures} failures of ${retry.attemptsMax} attempts`);
          if (losses > lossesMax + 1) violate(`${task.row.address}, entry ${entry.seq}: ${losses} losses of ${lossesMax}`);
        }
        const given = latest<TaskContext>(task)?.context.assignments ?? 0;
        const found = assignmentsOf(scene, task).length;
        if (given !== found) violate(`${task.row.address} counts ${given} assignments, there are ${found}`);
      }
    },
  },
  {
    name: "at most one accepted assignment per task, at any point of the journal",
    check: (scene, violate) => {
      for (const task of livesOf(scene, "task")) {
        const spans = assignmentsOf(scene, task).flatMap((assignment) => {
          const from = entryInto(assignment, (name) => accepted.has(name))?.id;
          return from === undefined ? [] : [{ from, until: entryInto(assignment, (name) => name === "ended")?.id ?? Number.POSITIVE_INFINITY }];
        });
        spans.sort((left, right) => left.from - right.from);
        for (const [index, { from }] of spans.entries()) if (index > 0 && (spans[index - 1]?.until ?? 0) > from) violate(`${task.row.address}: two assignments are accepted at history ${from}`);
      }
    },
  },
  {
    name: "a task, its assignment and its worker move together",
    check: (scene, violate) => {
      const held = new Map<string, Array<string>>();
      for (const task of livesOf(scene, "task")) {
        const open = assignmentsOf(scene, task).filter((assignment) => assignment.row.status === "active");
        const state = latest<TaskContext>(task);
        if (open.length !== (typeof state?.value === "object" && state.value !== null && "active" in state.value ? 1 : 0))
          violate(`${task.row.address} is ${JSON.stringify(state?.value)} with ${open.length} open assignments`);
        for (const assignment of open) {
          const worker = latest<AssignmentContext>(assignment)?.context.worker ?? "";
          held.set(worker, [...(held.get(worker) ?? []), assignment.address]);
        }
      }
      for (const worker of livesOf(scene, "worker")) {
        const taken = Object.keys(latest<WorkerContext>(worker)?.context.taken ?? {})
          .sort()
          .join();
        const open = (held.get(worker.address) ?? []).sort().join();
        if (taken !== open) violate(`${worker.row.address} has taken ${taken || "nothing"}, open are ${open || "none"}`);
        for (const { entry, state } of worker.moments) {
          const context = state.snapshot.context as WorkerContext;
          if (usedSlots(context) > context.slots) violate(`${worker.row.address}, entry ${entry.seq}: assignments for ${usedSlots(context)} slots on ${context.slots}`);
        }
      }
    },
  },
  {
    name: "a task starts after those that it needs, and waits for none that has ended",
    check: (scene, violate) => {
      for (const task of livesOf(scene, "task")) {
        const { needs } = (JSON.parse(task.moments[0]?.entry.event ?? "{}") as { input?: { needs: ReadonlyArray<string> } }).input ?? { needs: [] };
        const begun = assignmentsOf(scene, task)[0]?.moments[0]?.entry.id;
        const waits = ["waiting", "forNeeds"].includes(nameOf(latest(task)?.value ?? "")) ? (latest<TaskContext>(task)?.context.needs ?? []) : [];
        for (const need of needs) {
          const needed = scene.byAddress.get(`task/${need}`)?.at(-1);
          const done = entryInto(needed, (name) => name === "done")?.id;
          if (begun !== undefined && (done === undefined || done > begun)) violate(`${task.row.address} was begun before task/${need} was done`);
          if (waits.includes(need) && entryInto(needed, (name) => endings.has(name)) !== undefined) violate(`${task.row.address} waits for task/${need}, which has ended`);
        }
      }
    },
  },
];
