import type { ScheduleContext } from "../../machines/schedule.ts";
import type { TaskContext } from "../../machines/task.ts";
import { momentsMax } from "../../src/domain/schedule.ts";
import type { Life, Moment } from "./life.ts";
import type { Mark } from "./marks.ts";

type Violate = (invariant: "I1" | "I2" | "I3" | "I6" | "I7", what: string) => void;

const endings: ReadonlySet<unknown> = new Set(["done", "review", "dead", "cancelled", "expired"]);

/** What the checker knows of one schedule. */
interface Clock {
  readonly life: Life;
  /** Its moments come after this one. */
  readonly madeAt: number;
  /** Something happened to it besides its moments. */
  isTouched: boolean;
  plannedTo: number;
}

interface Run {
  readonly life: Life;
  readonly moment: number;
}

const scheduleOf = ({ machine, state }: Life): { readonly schedule?: string; readonly moment?: number } =>
  machine === "task" ? ((((state.snapshot.context as TaskContext).spec as { readonly attributes?: object }).attributes ?? {}) as object) : {};

/** What the checker knows of schedules: one run at a time, each at a moment of its own, none before it, none left out unseen. */
export class ScheduleBook {
  readonly #violate: Violate;
  readonly #mark: (mark: Mark) => void;
  readonly #clocks = new Map<string, Clock>();
  readonly #runs = new Map<string, Array<Run>>();
  #wasTouched = false;

  constructor(violate: Violate, mark: (mark: Mark) => void) {
    this.#violate = violate;
    this.#mark = mark;
  }

  follow({ life, event, entry, before }: Moment): void {
    if (life.machine === "task") {
      const { schedule, moment } = scheduleOf(life);
      if (schedule === undefined || moment === undefined) return;
      this.#wasTouched = true;
      if (before === undefined) this.#begin(life, schedule, moment, entry.at);
      return;
    }
    if (life.machine !== "schedule") return;
    const context = life.state.snapshot.context as ScheduleContext;
    let clock = this.#clocks.get(context.name);
    if (clock === undefined)
      this.#clocks.set(context.name, (clock = { life, madeAt: (event as unknown as { readonly input: { readonly at: number } }).input.at, isTouched: false, plannedTo: context.plannedTo }));
    if (context.plannedTo < clock.plannedTo) this.#violate("I7", `${life.address}, entry ${entry.seq}: its moments went back from ${clock.plannedTo} to ${context.plannedTo}`);
    clock.plannedTo = context.plannedTo;
    if (entry.outcome !== "handled") return;
    this.#checkDeadline(life, event, entry.at);
    if (["PAUSE", "RESUME", "TRIGGER", "BACKFILL", "CHANGE", "REMOVE"].includes(event.type)) clock.isTouched = true;
    const was = before?.snapshot.context as ScheduleContext | undefined;
    if (was === undefined) return;
    if (context.missed > was.missed) this.#mark("moments missed while no engine was open");
    if (context.skipped > was.skipped) this.#mark(context.spec.overlap === "skip" ? "moment left out while the run before went on" : "run replaced by a later moment");
    if (context.queue.length > 1 && context.queue.length > was.queue.length) this.#mark("runs of a schedule wait for each other");
  }

  /** The next moment is waited for to its end and no longer, but for the time that the news was under way. */
  #checkDeadline({ address, state }: Life, event: Moment["event"], at: number): void {
    const { next } = state.snapshot.context as ScheduleContext;
    const [timer] = Object.values(state.timers);
    // Why nobody took a run comes without a moment.
    if (state.snapshot.value !== "waiting" || next === null || timer === undefined || event.type === "taskwright.error") return;
    const told = (event.at ?? (event.output as { readonly at?: number } | undefined)?.at ?? at) as number;
    const late = timer.due - Math.max(next.dueAt, at) - Math.max(0, at - told);
    if (late > 0) this.#violate("I7", `${address}: its moment is due at ${next.dueAt}, and it waits ${late} ms longer`);
  }

  /** The task of a moment is stored. */
  #begin(life: Life, name: string, moment: number, at: number): void {
    const runs = this.#runs.get(name) ?? [];
    this.#runs.set(name, [...runs, { life, moment }]);
    const schedule = this.#clocks.get(name)?.life.state.snapshot.context as ScheduleContext | undefined;
    if (schedule === undefined) return this.#violate("I1", `${life.address} is stored, and its schedule is not`);
    const { current, spec } = schedule;
    const id = life.address.slice("task/".length);
    if (current?.task !== id) this.#violate("I1", `${life.address} begins, and the run of its schedule is ${current?.task ?? "none"}`);
    if (at < moment) this.#violate("I7", `${life.address} begins ${moment - at} ms before its moment`);
    if (id.includes("@trigger-")) return;
    const { everyMs, anchorMs } = spec.when as { readonly everyMs: number; readonly anchorMs: number };
    if ((moment - anchorMs) % everyMs !== 0 || id !== `${name}@${new Date(moment).toISOString()}`) this.#violate("I7", `${life.address} stands for ${moment}, which is no moment of its schedule`);
    if (runs.some((run) => run.moment === moment && run.life.address === life.address)) this.#violate("I3", `${life.address} is begun a second time`);
  }

  /** Runs of one schedule never overlap. */
  check(): void {
    if (!this.#wasTouched) return;
    this.#wasTouched = false;
    for (const [name, runs] of this.#runs) {
      const open = runs.filter(({ life }) => !endings.has(life.state.snapshot.value));
      if (open.length > 1) this.#violate("I6", `schedule/${name}: ${open.map(({ life }) => life.address).join(" and ")} run at once`);
    }
  }

  /** What is still to come, in words. */
  unrest(): ReadonlyArray<string> {
    return [...this.#clocks.values()].flatMap(({ life: { address, state } }) => {
      if (state.snapshot.status !== "active") return [];
      const { current, queue } = state.snapshot.context as ScheduleContext;
      return current === null && queue.length === 0 ? [] : [`${address} waits for its run ${current?.task ?? "(none)"}, and ${queue.length} more`];
    });
  }

  /** At the end: each moment was run, left out or missed, and the schedule says so. */
  finish(triggered: ReadonlySet<string>): void {
    for (const [name, { life, madeAt, isTouched }] of this.#clocks) {
      const { spec, started, skipped, missed, dropped } = life.state.snapshot.context as ScheduleContext;
      // What is backfilled may have run before.
      if (isTouched) continue;
      const runs = this.#runs.get(name) ?? [];
      if (runs.length !== started) this.#violate("I6", `${life.address}: ${runs.length} runs are stored, it has counted ${started}`);
      const { everyMs, anchorMs } = spec.when as { readonly everyMs: number; readonly anchorMs: number };
      let moments = 0;
      for (let moment = anchorMs + (Math.floor((madeAt - anchorMs) / everyMs) + 1) * everyMs; moment <= (spec.until ?? 0); moment += everyMs) moments++;
      // Of more than can be planned at a time some are counted as one.
      if (moments > momentsMax) continue;
      if (started + skipped + missed + dropped !== moments)
        this.#violate("I6", `${life.address} had ${moments} moments: ${started} were run, ${skipped} left out, ${missed} missed, ${dropped} dropped`);
      if (spec.overlap === "queue" && spec.missed === "all" && started !== moments) this.#violate("I2", `${life.address} had ${moments} moments, and ${started} were run`);
    }
    for (const task of triggered) {
      const name = task.slice(0, task.indexOf("@"));
      const clock = this.#clocks.get(name);
      const isThere = this.#runs.get(name)?.some(({ life }) => life.address === `task/${task}`);
      if (isThere !== true && clock?.life.state.snapshot.status === "active") this.#violate("I2", `the run ${task} was promised, and is not there`);
    }
  }
}
