import * as Args from "@effect/cli/Args";
import * as Command from "@effect/cli/Command";
import * as Options from "@effect/cli/Options";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { taskStates } from "../domain/task.ts";
import type { Surroundings } from "./command.ts";
import { words } from "./options.ts";
import { place } from "./place.ts";
import { type Refused, refused } from "./refused.ts";
import type { OrderName, OrderOptions } from "./task-orders.ts";

const text = (name: string, description: string) => Options.text(name).pipe(Options.withDescription(description), Options.optional);
const ids = words("ID", "The ids of tasks.");
const given = {
  by: text("by", "Who gives the order; the history keeps it. Default: the user of this process."),
  why: text("why", "The reason; the history keeps it."),
  database: place,
  json: Options.boolean("json").pipe(Options.withDescription("Print the report as JSON.")),
};
const choice = {
  all: Options.boolean("all").pipe(Options.withDescription("All tasks that have not ended.")),
  state: Options.choice("state", taskStates).pipe(Options.withDescription("Those in this state."), Options.optional),
  kind: text("kind", "Those of this kind."),
  queue: text("queue", "Those in this queue."),
  key: text("key", "The one with this key."),
  tag: text("tag", "Those with this tag."),
};

type Given = { readonly [Name in "by" | "why"]: Option.Option<string> } & { readonly database: string; readonly json: boolean };
type Choice = { readonly ids: ReadonlyArray<string>; readonly all: boolean } & { readonly [Name in "state" | "kind" | "queue" | "key" | "tag"]: Option.Option<string> };

/** What an operator orders tasks, one by one or all that a filter finds. */
export const orderCommands = ({ streams, exit }: Surroundings) => {
  const give = (order: OrderName, which: Pick<OrderOptions, "ids" | "all" | "filter">, { by, why, ...rest }: Given, more: OrderOptions["more"] = {}) =>
    Effect.gen(function* () {
      const { giveOrder } = yield* Effect.promise(() => import("./task-orders.ts"));
      const named = { by: Option.getOrUndefined(by), why: Option.getOrUndefined(why) };
      exit(yield* giveOrder({ order, ...which, ...named, more, ...rest }, streams));
    });
  const chosen = ({ ids, all, state, kind, queue, key, tag }: Choice) => ({
    ids,
    all,
    filter: Object.fromEntries(Object.entries({ state, kind, queue, key, tag }).flatMap(([name, value]) => (Option.isSome(value) ? [[name, value.value]] : []))),
  });
  const plain = (order: OrderName, meaning: string) => Command.make(order, { ids, ...choice, ...given }, (options) => give(order, chosen(options), options)).pipe(Command.withDescription(meaning));

  const question = text("question", "The id of the question that it answers. Default: whatever the task asks now.");
  const parse = Options.boolean("parse").pipe(Options.withDescription("Read the answer as JSON, not as a text."));
  const words = { id: Args.text({ name: "ID" }), answer: Args.text({ name: "ANSWER" }) };
  const answer = Command.make("answer", { ...words, question, parse, ...given }, (options) =>
    Effect.gen(function* () {
      const asked = Option.match(options.question, { onNone: () => ({}), onSome: (question) => ({ question }) });
      yield* give("answer", { ids: [options.id], all: false, filter: {} }, options, { answer: options.parse ? yield* answerOf(options.answer) : options.answer, ...asked });
    }),
  ).pipe(Command.withDescription("Answers the question of a parked task, which goes on with it."));
  const retry = Options.boolean("retry").pipe(Options.withDescription("It is tried again, within its budget. Default: it has failed."));
  const reject = Command.make("reject", { ids, retry, ...choice, ...given }, (options) => give("reject", chosen(options), options, options.retry ? { retry: true } : {})).pipe(
    Command.withDescription("Says that what tasks did is not good: they have failed, or are tried again."),
  );
  const priority = Options.integer("priority").pipe(Options.withDescription("Higher goes first."));
  const reprioritise = Command.make("reprioritise", { ids, priority, ...choice, ...given }, (options) => give("reprioritise", chosen(options), options, { priority: options.priority })).pipe(
    Command.withDescription("Gives tasks another priority."),
  );
  return [
    plain("cancel", "Cancels tasks: they are not wanted any more."),
    plain("pause", "Sets tasks aside until somebody resumes them."),
    plain("resume", "Lets paused tasks go on."),
    plain("retry", "Ends the pause before the next attempt of tasks."),
    plain("expire", "Ends tasks as if their time were over."),
    answer,
    plain("verify", "Says that what tasks did is good: they are done."),
    reject,
    reprioritise,
  ] as const;
};

const answerOf = (text: string): Effect.Effect<unknown, Refused> =>
  Effect.try({
    try: () => JSON.parse(text) as unknown,
    catch: (error) => refused(`the answer is no JSON: ${(error as Error).message}`),
  });
