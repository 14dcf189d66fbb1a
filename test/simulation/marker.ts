import type { ActivityContext } from "../../machines/activity.ts";
import type { TaskContext } from "../../machines/task.ts";
import type { Moment } from "./life.ts";
import type { Mark } from "./marks.ts";
import type { SimProcess } from "./process.ts";

const named = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value ?? ""));

/** Which situation an entry of a history stands for. `process` stored it. */
export const markMoment = (moment: Moment, process: SimProcess | undefined, mark: (mark: Mark) => void): void => {
  const { life, entry, event, before } = moment;
  const isHandled = entry.outcome === "handled";
  const was = named(before?.snapshot.value);
  if (event.type === "taskwright.timer" && isHandled) {
    const due = before?.timers[String(event.id)]?.due ?? 0;
    if (process !== undefined && due <= process.openedAt && due > process.wentAt) mark("expired while the engine was down");
    if (process?.jumped !== undefined && due > process.jumped.from && due < process.jumped.to) mark("clock jumped over a deadline");
  }
  if ((event.type === "taskwright.done" || event.type === "taskwright.error") && entry.outcome === "stale") mark("completion of an earlier child refused");
  if (event.type === "taskwright.restart" && isHandled) mark("actor begun again by its supervisor");
  switch (life.machine) {
    case "alarm":
      if (event.type === "STOP" && was === "set") mark("timer cancelled before it was due");
      return;
    case "till":
      if (event.type === "taskwright.offer" && isHandled) mark("early event kept and taken later");
      return;
    case "live":
      if (event.type === "taskwright.live.interrupted" && isHandled) mark("callback begun again after a crash");
      if (life.state.snapshot.value === "failed" && event.type === "taskwright.live.failed") mark("callback given up after its budget");
      return;
    case "limb":
      if (event.type === "taskwright.restart" && isHandled && before !== undefined && (before.snapshot.context as { work: number }).work > 0) mark("sibling begun again with the one that broke");
      if (event.type === "taskwright.fail" && isHandled) mark("actor given up by its supervisor");
      return;
    case "brittle":
      if (event.type === "taskwright.stop" && isHandled) mark("actor stopped by its supervisor");
      return;
    case "activity": {
      const { snapshot } = life.state;
      const { failure } = snapshot.context as ActivityContext;
      if (event.type === "INTERRUPTED" && isHandled) mark("activity begun again after a crash");
      if (event.type === "SUSPENDED" && isHandled) mark("activity suspended by a close");
      if (event.type === "taskwright.timer" && isHandled && was.includes("running") && failure?.name === "ActivityTimeout") mark("attempt of an activity timed out");
      if (snapshot.value === "failed" && before?.snapshot.value !== "failed" && failure?.name !== "ActivityInterrupted") mark("budget of an activity spent");
      return;
    }
    case "assignment":
      if (event.type === "DECLINED" && isHandled && was === "offered") mark("offer declined");
      if (event.type === "taskwright.timer" && isHandled && was === "offered") mark("offer not answered in time");
      if (event.type === "taskwright.timer" && isHandled && was === "running") mark("command timed out");
      if (event.type === "WORKER_LOST" && was === "running") mark(event.cause === "worker" ? "worker lost over its work" : "task begun again after a crash");
      if ((event.type === "ENDED" || event.type === "ACCEPTED") && !isHandled) mark("late answer of a worker refused");
      return;
    case "task": {
      const { failures } = life.state.snapshot.context as TaskContext;
      if (life.state.snapshot.value === "dead" && before?.snapshot.value !== "dead" && failures > 0) mark("task dead after its budget");
      if (event.type === "CANCEL" && isHandled && was.includes("running")) mark("running task cancelled");
      if (event.type === "NEED_FAILED" && isHandled) mark("task cancelled because of a need");
    }
  }
};
