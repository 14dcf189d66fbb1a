import * as Args from "@effect/cli/Args";
import * as Command from "@effect/cli/Command";
import * as Options from "@effect/cli/Options";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import type { OutboxOptions } from "./outbox.ts";
import { placeGiven } from "./place.ts";
import type { Steering } from "./steer-outbox.ts";
import type { Streams } from "./streams.ts";

// Optional: it may stand before the second word or after it, and must count in both places.
const database = placeGiven;
const json = Options.boolean("json").pipe(Options.withDescription("Print JSON for programs."));
const outboxName = Args.text({ name: "NAME" }).pipe(Args.withDescription('The name of an outbox, as "taskwright outbox" lists it.'));
const seq = Args.integer({ name: "SEQ" }).pipe(Args.withDescription("The number of an entry, as the list shows it."));
const status = (description: string) => Options.choice("status", ["pending", "poisoned", "unknown"]).pipe(Options.withDescription(description), Options.optional);
const all = Options.boolean("all").pipe(Options.withDescription("All poisoned and unknown entries, or those that --status says, instead of single ones."));

interface Given {
  readonly database: Option.Option<string>;
  readonly json: boolean;
}

const whole = (given: Given, before?: Given): OutboxOptions => ({
  database: Option.getOrElse(
    Option.orElse(given.database, () => before?.database ?? Option.none()),
    () => "work.db",
  ),
  json: given.json || before?.json === true,
});

/** `taskwright outbox` and what stands below it. */
export const outboxCommand = (streams: Streams) => {
  const outboxes = Command.make("outbox", { database, json }, (options) =>
    Effect.gen(function* () {
      const { listAll } = yield* Effect.promise(() => import("./outbox.ts"));
      yield* listAll(whole(options), streams);
    }),
  );
  const list = Command.make("list", { name: outboxName, status: status("Only entries of this status."), database, json }, (options) =>
    Effect.gen(function* () {
      const { listEntries } = yield* Effect.promise(() => import("./outbox.ts"));
      yield* listEntries(options.name, Option.getOrUndefined(options.status), whole(options, yield* outboxes), streams);
    }),
  ).pipe(Command.withDescription("Lists the entries of an outbox in their order, also while the journal is being worked with."));
  const show = Command.make("show", { name: outboxName, seq, database, json }, (options) =>
    Effect.gen(function* () {
      const { showEntry } = yield* Effect.promise(() => import("./outbox.ts"));
      yield* showEntry(options.name, options.seq, whole(options, yield* outboxes), streams);
    }),
  ).pipe(Command.withDescription("Shows one entry: its payload, its attempts, why the last one failed."));
  const take = (verb: "requeue" | "drop", meaning: string) =>
    Command.make(verb, { name: outboxName, seqs: Args.repeated(seq), all, status: status("With --all: only entries of this status."), database, json }, ({ name, seqs, all: isAll, ...options }) =>
      Effect.gen(function* () {
        const { steerEntries } = yield* Effect.promise(() => import("./steer-outbox.ts"));
        yield* steerEntries(verb, name, { seqs, all: isAll, status: Option.getOrUndefined(options.status), ...whole(options, yield* outboxes) }, streams);
      }),
    ).pipe(Command.withDescription(meaning));
  const steer = (steering: Steering, meaning: string) =>
    Command.make(steering, { name: outboxName, database, json }, ({ name, ...options }) =>
      Effect.gen(function* () {
        const { steerOutbox } = yield* Effect.promise(() => import("./steer-outbox.ts"));
        yield* steerOutbox(steering, name, whole(options, yield* outboxes), streams);
      }),
    ).pipe(Command.withDescription(meaning));
  return outboxes.pipe(
    Command.withDescription("Lists the outboxes of a journal with what they hold, also while it is being worked with."),
    Command.withSubcommands([
      list,
      show,
      take("requeue", "Has poisoned or unknown entries tried again from the beginning, by the next engine."),
      take("drop", "Removes entries for good."),
      steer("pause", "Stops an outbox: the next engine stores its entries and sends nothing."),
      steer("resume", "Lets a paused outbox send again."),
      steer("force", "Ends all back-offs of an outbox: the receiver is back."),
    ]),
  );
};
