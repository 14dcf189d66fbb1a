import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint";
import * as HttpApiGroup from "@effect/platform/HttpApiGroup";
import * as OpenApi from "@effect/platform/OpenApi";
import * as Schema from "effect/Schema";
import { body, pageOf, query, Whole } from "./shapes.ts";

const tells = (summary: string, description?: string) => OpenApi.annotations({ summary, ...(description === undefined ? {} : { description }) });
const Fields = Schema.Record({ key: Schema.String, value: Schema.Unknown });
const Name = Schema.Struct({ name: Schema.String });
const Moment = Schema.Int;

/** The schedules check all of it, and say what is wrong with it. */
const NewScheduleShape = Schema.Struct({ when: Schema.Unknown, task: Fields }, Fields).annotations({
  identifier: "NewSchedule",
  examples: [{ when: { cron: "0 9 * * 1-5", timeZone: "UTC" }, task: { kind: "mail", input: { to: "ada@example.org" } } }],
  description:
    '`when`: {"cron", "timeZone"} or {"everyMs", "anchorMs"}; `task`: a task without id, runAt and debounce; `overlap`: skip, queue or cancelFormer; `missed`: last, all or none; `jitterMs`, `until`.',
});
const ScheduleShape = Schema.Struct(
  {
    name: Schema.String,
    state: Schema.Literal("planning", "starting", "waiting", "paused", "exhausted", "broken", "removed"),
    spec: Fields,
    isPaused: Schema.Boolean,
    started: Schema.Number,
    skipped: Schema.Number,
    missed: Schema.Number,
    dropped: Schema.Number,
  },
  Fields,
).annotations({
  identifier: "Schedule",
  description: "A schedule as it stands: `next` (its moment, and when it is due), `current`, `waiting`, `failure`, `note` (who paused or resumed it, and why).",
});
const MadeShape = Schema.Struct({ name: Schema.String, duplicate: Schema.Boolean }).annotations({
  identifier: "MadeSchedule",
  description: "`duplicate`: the same schedule was there.",
});
const MomentsShape = Schema.Struct({ moments: Schema.Array(Moment) }).annotations({ identifier: "Moments", description: "In milliseconds since 1970." });
const Ordered = Schema.Struct({ ordered: Schema.Literal(true), task: Schema.optional(Schema.String) });

/** What begins tasks by the clock. */
export const schedules = HttpApiGroup.make("schedules")
  .add(
    HttpApiEndpoint.get("listSchedules", "/v1/schedules")
      .addSuccess(pageOf(ScheduleShape))
      .annotateContext(tells("List schedules", "By the moment at which they were made, at most 1,000. With an ETag: a request with If-None-Match is answered with 304 while the list is the same.")),
  )
  .add(
    HttpApiEndpoint.post("createSchedule", "/v1/schedules")
      .setPayload(body({ name: Schema.String, schedule: NewScheduleShape }))
      .addSuccess(MadeShape, { status: 201 })
      .addSuccess(MadeShape)
      .annotateContext(tells("Make a schedule", "201: it was made. 200: the same one was there.")),
  )
  .add(HttpApiEndpoint.get("readSchedule", "/v1/schedules/:name").setPath(Name).addSuccess(ScheduleShape).annotateContext(tells("Read a schedule")))
  .add(
    HttpApiEndpoint.put("changeSchedule", "/v1/schedules/:name")
      .setPath(Name)
      .setPayload(NewScheduleShape)
      .addSuccess(Ordered)
      .annotateContext(tells("Change a schedule", "From now on it is another one. What runs and waits goes on.")),
  )
  .add(
    HttpApiEndpoint.del("removeSchedule", "/v1/schedules/:name")
      .setPath(Name)
      .addSuccess(Ordered)
      .annotateContext(tells("Remove a schedule", "For good: its name is not free again. What runs goes on.")),
  )
  .add(
    HttpApiEndpoint.get("readMoments", "/v1/schedules/:name/moments")
      .setPath(Name)
      .setUrlParams(query({ count: Schema.optional(Whole).annotations({ description: "How many; default 10, at most 1,000." }) }))
      .addSuccess(MomentsShape)
      .annotateContext(tells("Read its next moments")),
  )
  .add(
    HttpApiEndpoint.post("orderSchedule", "/v1/schedules/:name/orders")
      .setPath(Name)
      .setPayload(body({ order: Schema.Literal("pause", "resume", "trigger"), why: Schema.optional(Schema.String.pipe(Schema.maxLength(1_000))) }))
      .addSuccess(Ordered)
      .annotateContext(tells("Pause, resume or trigger a schedule", "`trigger`: one run now, or when the one before has ended; answers with the id of its task.")),
  )
  .add(
    HttpApiEndpoint.post("backfillSchedule", "/v1/schedules/:name/backfills")
      .setPath(Name)
      .setPayload(body({ from: Moment, to: Moment }))
      .addSuccess(MomentsShape)
      .annotateContext(tells("Make up for moments that have passed", "From `from` up to `to` in milliseconds since 1970, at most 100 moments. Those that ran already do not run again.")),
  );
