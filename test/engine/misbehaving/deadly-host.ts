import { openEngine } from "../../../src/engine/index.ts";
import { deadly, deaths } from "./deadly.ts";

/** A process with an engine whose machine ends it. Arguments: the database, and the way in which it ends. */
const [database, death] = process.argv.slice(-2) as [string, string];
const engine = await openEngine({ database, machines: deadly(deaths[death] ?? {}) });
await engine.start("counter", "innocent");
await engine.start("bad", "1");
await engine.send("counter/innocent", { type: "ADD" });
await engine.send("bad/1", { type: "GO" });
await new Promise(() => {});
