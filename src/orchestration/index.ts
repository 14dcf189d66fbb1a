export { taskIdOf, taskKeyOf, type Work } from "./task-key.ts";
