export { taskIdOf, taskKeyOf, type Work } from "./task-key.ts";
export { InvalidSchedule, ScheduleExists, ScheduleFull, UnknownSchedule } from "./errors.ts";
export { makeSchedules, type NewSchedule, scheduleAddress, type ScheduleError, type Schedules, type ScheduleView, type TaskDesk } from "./schedules.ts";
export { makeSchedules as makeSchedulesInPromises } from "./promises.ts";
