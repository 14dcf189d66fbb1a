import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Schema from "effect/Schema";
import { describe, expect, expectTypeOf, test } from "vitest";
import { createMachine, fromPromise, setup } from "xstate";
import { durable, type ReplyTo, type StandardSchema } from "../../src/index.ts";
import type { ServicesOf } from "../../src/effect.ts";

const order = setup({
  types: {
    input: {} as { amount: number },
    context: {} as { amount: number; paid: number },
    events: {} as { type: "PAY"; amount: number } | { type: "NOTE"; text: string } | { type: "TOTAL"; replyTo: ReplyTo<{ type: "TOTALLED" }> },
    output: {} as { paid: number },
    emitted: {} as { type: "PAID"; amount: number },
  },
  actors: { charge: fromPromise(async () => 1) },
  actions: { sendMail: (_, _params: { to: string }) => {} },
}).createMachine({ id: "order", version: "1", context: ({ input }) => ({ amount: input.amount, paid: 0 }) });

class Mail extends Context.Tag("test/Mail")<Mail, { readonly send: Effect.Effect<void> }>() {}
declare const standard: <Output>() => StandardSchema<unknown, Output>;
/** Looked at by the compiler, never run. */
const compiled = (_: () => unknown): void => {};

describe("types > durable: a machine with options that fit it", () => {
  test("takes what fits, and keeps its types", () => {
    const made = durable(order, {
      input: Schema.Struct({ amount: Schema.NumberFromString }),
      events: {
        PAY: Schema.Struct({ amount: Schema.Number, more: Schema.optional(Schema.String) }),
        NOTE: Schema.Struct({ type: Schema.Literal("NOTE"), text: Schema.Trim }),
        TOTAL: Schema.Struct({}),
      },
      context: Schema.Struct({ amount: Schema.Int, paid: Schema.NonNegative }),
      output: Schema.Struct({ paid: Schema.Number }),
      emitted: { PAID: Schema.Struct({ amount: Schema.Number }) },
      activities: { charge: { timeoutMs: 10 } },
      actions: { sendMail: ({ address }) => Effect.flatMap(Mail, ({ send }) => Effect.zipRight(Effect.log(address), send)) },
      supervision: { strategy: "restart" },
    });
    expect(made.machine).toBe(order);
    expect(made.activities).toEqual({ charge: { timeoutMs: 10 } });
    expectTypeOf(made.machine).toEqualTypeOf<typeof order>();
    expectTypeOf<ServicesOf<typeof made>>().toEqualTypeOf<Mail>();
    compiled(() => {
      durable(order, { events: standard<{ type: "PAY"; amount: number } | { type: "NOTE"; text: string }>(), input: standard<{ amount: number }>() });
      durable(createMachine({ id: "any" }), { events: { ANY: Schema.Struct({ n: Schema.Number }), "*": Schema.Unknown as never }, input: Schema.String, activities: { any: {} } });
    });
  });

  test("refuses schemas of other types", () => {
    compiled(() => {
      // @ts-expect-error an amount is a number
      durable(order, { events: { PAY: Schema.Struct({ amount: Schema.String }) } });
      // @ts-expect-error there is no such event
      durable(order, { events: { PAYS: Schema.Struct({ amount: Schema.Number }) } });
      // @ts-expect-error an amount is missing
      durable(order, { events: standard<{ type: "PAY" }>() });
      // @ts-expect-error an amount is a number once it was read
      durable(order, { input: Schema.Struct({ amount: Schema.String }) });
      // @ts-expect-error an amount in a context is a number
      durable(order, { context: Schema.Struct({ amount: Schema.NumberFromString, paid: Schema.Number }) });
      // @ts-expect-error the output has no receipt
      durable(order, { output: Schema.Struct({ receipt: Schema.String }) });
      // @ts-expect-error nothing of this kind is emitted
      durable(order, { emitted: { LOST: Schema.Struct({}) } });
    });
  });

  test("refuses names that the machine does not have", () => {
    compiled(() => {
      // @ts-expect-error there is no such actor
      durable(order, { activities: { chrage: {} } });
      // @ts-expect-error there is no such action
      durable(order, { actions: { sendMali: () => {} } });
      // @ts-expect-error there is no such option
      durable(order, { event: Schema.Unknown });
    });
  });
});
