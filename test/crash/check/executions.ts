import type { AssignmentContext } from "../../../machines/assignment.ts";
import type { TaskContext } from "../../../machines/task.ts";
import type { LedgerLine } from "./evidence.ts";
import { groupBy, latest, type Rule, type Scene, type Violate } from "./scene.ts";
import { assignmentsOf, entryInto, idOf, livesOf } from "./tasks.ts";

/** The ledger and the journal are written by clocks of the same machine. Milliseconds. */
const clockSlackMs = 5;

const linesByTask = (scene: Scene): ReadonlyMap<string, ReadonlyArray<LedgerLine>> => groupBy(scene.evidence.ledger, (line) => line.subject);

/** What commands did, held against what the journal says of them. */
export const executions: ReadonlyArray<Rule> = [
  {
    name: "nothing is executed again after its result was stored",
    check: (scene, violate) => {
      const lines = linesByTask(scene);
      for (const task of livesOf(scene, "task")) {
        const ended = entryInto(task, (name) => name === "done" || name === "dead" || name === "cancelled");
        if (ended === undefined) continue;
        const attempts = latest<TaskContext>(task)?.context.assignments ?? 0;
        for (const { what, number, at } of lines.get(idOf(task)) ?? []) {
          if (what !== "begin") continue;
          if (number > attempts) violate(`${task.row.address} ended with attempt ${attempts}, attempt ${number} was executed`);
          if (at > ended.at + clockSlackMs) violate(`${task.row.address} ended at ${ended.at} and was executed at ${at}`);
        }
      }
    },
  },
  {
    name: "an attempt is executed at most once, and only after it was stored",
    check: (scene, violate) => {
      const lines = linesByTask(scene);
      for (const [id, ofTask] of lines) {
        const lives = scene.byAddress.get(`task/${id}`) ?? [];
        const stored = Math.max(0, ...lives.map((life) => latest<TaskContext>(life)?.context.assignments ?? 0));
        const begun = ofTask.filter(({ what }) => what === "begin").map(({ number }) => number);
        for (const number of new Set(begun)) {
          const count = begun.filter((other) => other === number).length;
          if (count > 1) violate(`task/${id}: attempt ${number} was executed ${count} times`);
          if (number > stored) violate(`task/${id}: attempt ${number} was executed, ${stored} are stored`);
        }
      }
    },
  },
  {
    name: "no attempt works beside a later one",
    check: (scene, violate) => checkOrder(linesByTask(scene), violate),
  },
  {
    name: "a successful result comes from an execution that came to its end",
    check: (scene, violate) => {
      const lines = linesByTask(scene);
      for (const task of livesOf(scene, "task")) {
        for (const assignment of assignmentsOf(scene, task)) {
          const state = latest<AssignmentContext>(assignment);
          if (state?.context.outcome !== "succeeded") continue;
          const { attempt } = state.context;
          if (!lines.get(idOf(task))?.some(({ what, number }) => what === "end" && number === attempt)) violate(`${task.row.address}: attempt ${attempt} succeeded, but never came to its end`);
        }
      }
    },
  },
];

const checkOrder = (lines: ReadonlyMap<string, ReadonlyArray<LedgerLine>>, violate: Violate): void => {
  for (const [id, ofTask] of lines) {
    let latestAttempt = 0;
    for (const { what, number } of ofTask) {
      if (number < latestAttempt) violate(`task/${id}: attempt ${number} wrote "${what}" after attempt ${latestAttempt} had begun`);
      latestAttempt = Math.max(latestAttempt, number);
    }
  }
};
