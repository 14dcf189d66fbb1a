import { inPromises, type InPromises } from "../delivery/index.ts";
import { makeSchedules as schedulesInEffects, type Schedules } from "./schedules.ts";

/** Schedules, for `openEngine({ plugins: [schedules] })`; then `schedules.attach(dispatcher)`. */
export const makeSchedules = (): InPromises<Schedules> => inPromises(schedulesInEffects());
