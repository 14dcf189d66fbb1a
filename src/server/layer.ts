import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { Engine } from "../engine/index.ts";
import type { UnsafeServer } from "./errors.ts";
import { makeServer, type Server, type ServerOptions } from "./server.ts";

/** The server of an Effect host: `fetch` answers requests of its own router, or `listen` makes a server of Node. */
export const ServerTag = Context.GenericTag<Server>("taskwright/Server");

/** The HTTP API over the engine of the context; closed with its scope. */
export const layerServer = (options: Omit<ServerOptions, "engine"> = {}): Layer.Layer<Server, UnsafeServer, Engine> =>
  Layer.scoped(
    ServerTag,
    Effect.acquireRelease(
      Effect.flatMap(Engine, (engine) => Effect.try({ try: () => makeServer({ ...options, engine }), catch: (error) => error as UnsafeServer })),
      (server) => Effect.promise(() => server.close()),
    ),
  );
