import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder";
import * as Effect from "effect/Effect";
import type { NewSchedule, Schedules } from "../orchestration/index.ts";
import { json, kept, told } from "./answering.ts";
import { api, CurrentCaller } from "./api/api.ts";
import { NotServed } from "./errors.ts";
import { problemOf } from "./problem.ts";
import type { Served } from "./served.ts";

/** Carries out what the API says of schedules. */
export const schedulesLive = ({ schedules }: Served) => {
  const using = <A>(call: (schedules: Schedules, by: { readonly by: string }) => Effect.Effect<A, unknown>) =>
    Effect.gen(function* () {
      const { name: by } = yield* CurrentCaller;
      return yield* schedules === undefined ? Effect.fail(problemOf(new NotServed({ part: "schedules" }))) : told(call(schedules, { by }));
    });
  const ordered = () => json({ ordered: true });
  return HttpApiBuilder.group(api, "schedules", (handlers) =>
    handlers
      .handle("listSchedules", ({ request }) =>
        Effect.map(
          using((all) => all.list()),
          (items) => kept({ items }, request.headers["if-none-match"]),
        ),
      )
      .handle("createSchedule", ({ payload: { name, schedule } }) =>
        Effect.map(
          using((all, by) => all.create(name, schedule as unknown as NewSchedule, by)),
          ({ duplicate }) => json({ name, duplicate }, { status: duplicate ? 200 : 201 }),
        ),
      )
      .handle("readSchedule", ({ path: { name } }) =>
        Effect.map(
          using((all) => all.get(name)),
          (view) => json(view),
        ),
      )
      .handle("changeSchedule", ({ path: { name }, payload }) =>
        Effect.map(
          using((all, by) => all.change(name, payload as unknown as NewSchedule, by)),
          ordered,
        ),
      )
      .handle("removeSchedule", ({ path: { name } }) =>
        Effect.map(
          using((all, by) => all.remove(name, by)),
          ordered,
        ),
      )
      .handle("readMoments", ({ path: { name }, urlParams: { count } }) =>
        Effect.map(
          using((all) => all.upcoming(name, count)),
          (moments) => json({ moments }),
        ),
      )
      .handle("orderSchedule", ({ path: { name }, payload: { order, why = "" } }) =>
        order === "trigger"
          ? Effect.map(
              using((all, by) => all.trigger(name, by)),
              (task) => json({ ordered: true, task }),
            )
          : Effect.map(
              using((all, { by }) => all[order](name, { by, why })),
              ordered,
            ),
      )
      .handle("backfillSchedule", ({ path: { name }, payload }) =>
        Effect.map(
          using((all, by) => all.backfill(name, payload, by)),
          (moments) => json({ moments }),
        ),
      ),
  );
};
