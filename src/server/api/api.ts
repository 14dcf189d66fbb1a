import * as HttpApi from "@effect/platform/HttpApi";
import * as HttpApiMiddleware from "@effect/platform/HttpApiMiddleware";
import * as HttpApiSecurity from "@effect/platform/HttpApiSecurity";
import * as OpenApi from "@effect/platform/OpenApi";
import * as Context from "effect/Context";
import type { Caller } from "../caller.ts";
import { ProblemSchema } from "../problem.ts";
import { version } from "../version.ts";
import { actors } from "./actors.ts";
import { schedules } from "./schedules.ts";
import { tasks } from "./tasks.ts";
import { workerProtocol } from "./workers.ts";
import { deadLetters, machines, outboxes, system } from "./operations.ts";

/** Who sent the request: the gate has found out before anything else was done. */
export const CurrentCaller = Context.GenericTag<Caller>("taskwright/Caller");

export class Authenticated extends HttpApiMiddleware.Tag<Authenticated>()("taskwright/Authenticated", { provides: CurrentCaller, security: { bearer: HttpApiSecurity.bearer } }) {}

/** The HTTP API of a server: what it takes, what it answers. Its document and its client are derived from it. */
export const api = HttpApi.make("taskwright")
  .add(actors)
  .add(deadLetters)
  .add(outboxes)
  .add(machines)
  .add(system)
  .add(tasks)
  .add(schedules)
  .add(workerProtocol)
  .addError(ProblemSchema)
  .middleware(Authenticated)
  .annotateContext(
    OpenApi.annotations({
      title: "Taskwright",
      version,
      description:
        "The HTTP API of a Taskwright server. Errors are problem details (RFC 9457) with a stable `code`. GET needs the role `read`, everything else `operate`, paths below /v1/worker `worker`.",
    }),
  );
