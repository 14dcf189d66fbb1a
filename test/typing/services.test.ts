import * as Context from "effect/Context";
import * as Data from "effect/Data";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Schema from "effect/Schema";
import { describe, expectTypeOf, test } from "vitest";
import { type AnyStateMachine, fromPromise, type InputFrom, type OutputFrom, setup } from "xstate";
import { Activity, type Engine, type Failed, failedWith, fromEffect, type Journal, layer, type ServicesOf } from "../../src/effect.ts";
import { type ActivityInfo, openEngine } from "../../src/index.ts";

class Bank extends Context.Tag("test/Bank")<Bank, { readonly charge: (cents: number) => Effect.Effect<string, Declined> }>() {}
class Mail extends Context.Tag("test/Mail")<Mail, { readonly send: (to: string) => Effect.Effect<void> }>() {}
class Clerk extends Context.Tag("test/Clerk")<Clerk, { readonly note: Effect.Effect<void> }>() {}
class Declined extends Data.TaggedError("Declined")<{ readonly left: number }> {}
class Lost extends Schema.TaggedError<Lost>()("Lost", { at: Schema.Date }) {}

const charge = fromEffect((input: { cents: number }) => Effect.flatMap(Bank, (bank) => bank.charge(input.cents)));
const look = fromEffect((_: undefined, { attempt }) => Effect.flatMap(Activity, (activity) => Effect.succeed(activity.attempt + attempt)));
const find = fromEffect(() => Effect.fail(new Lost({ at: new Date(0) })) as Effect.Effect<Date, Lost, Mail>, { output: Schema.Date, error: Lost });
const child = setup({ actors: { find } }).createMachine({ id: "child", invoke: { src: "find" } });
const order = setup({ actors: { charge, look, child, plain: fromPromise(async () => 1) } }).createMachine({ id: "order", invoke: { src: "charge", input: { cents: 1 } } });
const none = setup({ actors: { look, plain: fromPromise(async () => 1) } }).createMachine({ id: "none" });

/** Looked at by the compiler, never run. */
const compiled = (_: () => unknown): void => {};
declare const bank: Layer.Layer<Bank>;
declare const mail: Layer.Layer<Mail>;

describe("types > effects as activities", () => {
  test("what they take and give is what XState checks", () => {
    expectTypeOf<OutputFrom<typeof charge>>().toEqualTypeOf<string>();
    expectTypeOf<OutputFrom<typeof find>>().toEqualTypeOf<string>();
    compiled(() => {
      // @ts-expect-error the input of charge is an amount
      setup({ actors: { charge } }).createMachine({ id: "x", invoke: { src: "charge", input: { cents: "1" } } });
      fromEffect((_: undefined, activity) => Effect.sync(() => expectTypeOf(activity).toEqualTypeOf<ActivityInfo>()));
      // @ts-expect-error the schema is of another result
      fromEffect(() => Effect.succeed(1), { output: Schema.Date });
      // @ts-expect-error the schema is of another failure
      fromEffect(() => Effect.fail(new Declined({ left: 1 })), { error: Lost });
      const both = fromEffect((input: { cents: number }, { address }) => (input.cents > 1 ? Effect.succeed(address) : Effect.fail(new Lost({ at: new Date(0) }))), { error: Lost });
      expectTypeOf<OutputFrom<typeof both>>().toEqualTypeOf<string>();
      expectTypeOf<InputFrom<typeof both>>().toEqualTypeOf<{ cents: number }>();
      // a machine under test may have a promise in its place
      order.provide({ actors: { charge: fromPromise(async () => "paid") } });
    });
  });

  test("failures are told apart by their tags, with the fields as they were stored", () => {
    compiled(() => {
      const error: unknown = undefined;
      if (failedWith(error, charge, "Declined")) expectTypeOf(error.left).toEqualTypeOf<number>();
      if (failedWith(error, find, "Lost")) expectTypeOf(error.at).toEqualTypeOf<string>();
      if (failedWith(error, find, "Lost")) expectTypeOf(error).toExtend<Failed<{ readonly _tag: "Lost"; readonly at: string }>>();
      // @ts-expect-error it fails with no such tag
      failedWith(error, charge, "Lost");
      // @ts-expect-error it never fails
      failedWith(error, look, "Declined");
    });
  });

  test("the services that the machines need are those of their effects, their children and their actions", () => {
    expectTypeOf<ServicesOf<typeof order>>().toEqualTypeOf<Bank | Mail>();
    expectTypeOf<ServicesOf<typeof child>>().toEqualTypeOf<Mail>();
    expectTypeOf<ServicesOf<typeof none>>().toEqualTypeOf<never>();
    expectTypeOf<ServicesOf<AnyStateMachine>>().toEqualTypeOf<never>();
    compiled(() => {
      expectTypeOf(layer({ machines: [none] })).toExtend<Layer.Layer<Engine, unknown, Journal>>();
      const live = layer({ machines: [none, { machine: order, actions: { note: () => Effect.flatMap(Clerk, ({ note }) => note), wave: () => {} } }] });
      expectTypeOf<Layer.Layer.Context<typeof live>>().toEqualTypeOf<Journal | Bank | Mail | Clerk>();
    });
  });

  test("openEngine demands them as a layer", () => {
    compiled(() => {
      openEngine({ machines: [none] });
      openEngine({ machines: [order, none], services: Layer.merge(bank, mail) });
      openEngine({ machines: [{ machine: order }], services: Layer.merge(bank, mail) });
      // @ts-expect-error the bank and the mail are needed
      openEngine({ machines: [order] });
      // @ts-expect-error the mail of the child is missing
      openEngine({ machines: [order], services: bank });
    });
  });
});
