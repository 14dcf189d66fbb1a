// An Effect application with the engine and its server as layers: node effect-application.mjs
import * as NodeRuntime from "@effect/platform-node/NodeRuntime";
import * as Console from "effect/Console";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { layer, MemoryJournal } from "taskwright/effect";
import { layerServer, listen, ServerTag } from "taskwright/server";
import { counter } from "./counter.mjs";

const EngineLive = layer({ machines: [counter] }).pipe(Layer.provide(MemoryJournal.layer()));
const ServerLive = layerServer({ basePath: "/tasks" }).pipe(Layer.provideMerge(EngineLive));

const program = Effect.gen(function* () {
  const server = yield* ServerTag;
  const open = Effect.promise(() => listen(server, { port: Number(process.env.PORT ?? 0) }));
  const { url } = yield* Effect.acquireRelease(open, ({ close }) => Effect.promise(close));
  yield* Console.log(new URL(url).origin);
  return yield* Effect.never;
});

NodeRuntime.runMain(Effect.scoped(program).pipe(Effect.provide(ServerLive)));
