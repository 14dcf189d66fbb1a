// A server of plain Node that has Taskwright below /tasks: node plain-node.mjs
import { createServer } from "node:http";
import { openEngine } from "taskwright";
import { makeServer, nodeHandler } from "taskwright/server";
import { counter } from "./counter.mjs";

const engine = await openEngine({ machines: [counter] });
const server = makeServer({ engine, basePath: "/tasks" });
const tasks = nodeHandler(server);

const http = createServer((request, response) => (request.url?.startsWith("/tasks/") ? tasks(request, response) : response.end("my own page\n")));
http.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => console.log(`http://127.0.0.1:${http.address().port}`));

process.once("SIGTERM", async () => {
  http.close();
  await server.close();
  http.closeAllConnections();
  await engine.close();
});
