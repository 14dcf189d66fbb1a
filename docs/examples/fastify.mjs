// A Fastify application that has Taskwright below /tasks: node fastify.mjs
import fastify from "fastify";
import { openEngine } from "taskwright";
import { makeServer, nodeHandler } from "taskwright/server";
import { counter } from "./counter.mjs";

const engine = await openEngine({ machines: [counter] });
const server = makeServer({ engine, basePath: "/tasks" });
const tasks = nodeHandler(server);

const app = fastify({ forceCloseConnections: true });
app.get("/", async () => "my own page\n");
await app.register(async (scope) => {
  // The handler reads bodies itself.
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser("*", (_request, _payload, done) => done(null));
  scope.all("/tasks/*", (request, reply) => {
    reply.hijack();
    void tasks(request.raw, reply.raw);
  });
});
console.log(await app.listen({ port: Number(process.env.PORT ?? 0), host: "127.0.0.1" }));

process.once("SIGTERM", async () => {
  await server.close();
  await app.close();
  await engine.close();
});
