// An Express application that has Taskwright below /tasks, and its inspector at /tasks/inspector: node express.mjs
import express from "express";
import { openEngine } from "taskwright";
import { makeInspector } from "taskwright/inspector";
import { makeServer, nodeHandler } from "taskwright/server";
import { counter } from "./counter.mjs";

const engine = await openEngine({ machines: [counter] });
const server = makeServer({ engine, inspector: makeInspector({ engine }) });

const app = express();
// Express takes "/tasks" off the URL itself. Before any parser of bodies.
app.use("/tasks", nodeHandler(server));
app.use(express.json());
app.get("/", (_request, response) => response.send("my own page\n"));
const http = app.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => console.log(`http://127.0.0.1:${http.address().port}`));

process.once("SIGTERM", async () => {
  http.close();
  await server.close();
  http.closeAllConnections();
  await engine.close();
});
