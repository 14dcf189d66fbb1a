import { inPromises, type InPromises } from "../delivery/index.ts";
import { makeOrchestration as orchestrationInEffects, type NewWork, type Orchestration, type OrchestrationOptions, type Ordered, type Party } from "./orchestration.ts";
import { makeSchedules as schedulesInEffects, type Schedules } from "./schedules.ts";

export interface SchedulesInPromises extends InPromises<Schedules> {}

/** Schedules, for `openEngine({ plugins: [schedules] })`; then `schedules.attach(dispatcher)`. */
export const makeSchedules = (): SchedulesInPromises => inPromises(schedulesInEffects());

/** Orchestration in promises; a list of works answers with a list. */
export interface OrchestrationInPromises extends Omit<InPromises<Orchestration>, "order"> {
  readonly order: {
    (from: Party, work: NewWork): Promise<Ordered>;
    (from: Party, work: ReadonlyArray<NewWork>): Promise<ReadonlyArray<Ordered>>;
  };
}

/** Orchestration, for `openEngine({ plugins: [orchestration] })`; then `await orchestration.attach(dispatcher)`. */
export const makeOrchestration = (options: OrchestrationOptions = {}): OrchestrationInPromises => inPromises(orchestrationInEffects(options)) as unknown as OrchestrationInPromises;
