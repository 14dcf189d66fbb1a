/*
 * A process with an engine in it: runs the command that it is given with two workers, until it is killed.
 * Arguments: the folder of the compiled project, the database, then the command.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [, , dist, database, ...argv] = process.argv;
const { dispatchMachines, openDispatcher, openEngine } = await import(pathToFileURL(join(dist, "src/index.js")).href);
const dispatch = dispatchMachines();
const engine = await openEngine({ database, machines: [], plugins: [dispatch] });
const dispatcher = await openDispatcher(engine, dispatch, { slots: 2 });
await dispatcher.submit([
  { id: "one", input: { command: { argv } } },
  { id: "two", input: { command: { argv } } },
]);
