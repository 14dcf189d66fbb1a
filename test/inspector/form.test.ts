import * as JSONSchema from "effect/JSONSchema";
import * as Schema from "effect/Schema";
import { describe, expect, it } from "vitest";
import { movesOf } from "../../src/inspector/moves.ts";
import { shopMachines } from "./shop.ts";
import { fieldsOf, make, type Values } from "../../src/inspector/app/form-model.ts";

const item = Schema.Struct({ name: Schema.NonEmptyString, price: Schema.Number.pipe(Schema.between(0, 100)), count: Schema.Int.pipe(Schema.positive()) }).annotations({ identifier: "Item" });
const ship = Schema.Struct({
  type: Schema.Literal("SHIP"),
  to: Schema.Struct({ city: Schema.NonEmptyString, street: Schema.optional(Schema.String) }),
  items: Schema.Array(item).pipe(Schema.minItems(1)),
  payment: Schema.Union(Schema.Struct({ by: Schema.Literal("card"), last: Schema.String.pipe(Schema.pattern(/^\d{4}$/)) }), Schema.Struct({ by: Schema.Literal("cash"), change: Schema.Boolean })),
  note: Schema.optional(Schema.NullOr(Schema.String)),
  level: Schema.Literal("normal", "express"),
  gift: Schema.optional(Schema.Struct({ card: Schema.String })),
  rest: Schema.optional(Schema.Unknown),
});

const shipFields = fieldsOf(JSONSchema.make(ship)) ?? [];
const told = (values: Values) => make(shipFields, values, "SHIP");
const whole: Values = { "/to/city": "Kiel", "/items/0/name": "lamp", "/items/0/price": "12.5", "/items/0/count": "2", "/payment/|/last": "1234" };

describe("inspector > form", () => {
  it("has a field for each part of an event: nested, listed, of several forms", () => {
    expect(shipFields.map(({ name, shape, isRequired }) => [name, shape.kind, isRequired])).toEqual([
      ["to", "object", true],
      ["items", "list", true],
      ["payment", "union", true],
      ["note", "union", false],
      ["level", "choice", true],
      ["gift", "object", false],
      ["rest", "json", false],
    ]);
    const payment = shipFields[2]?.shape;
    expect(payment?.kind === "union" ? payment.options.map(({ name }) => name) : []).toEqual(["card", "cash"]);
  });

  it("makes the event that its schema takes, without what is optional and empty", () => {
    const { event, problems } = told(whole);
    expect(problems).toEqual({});
    expect(event).toEqual({ type: "SHIP", to: { city: "Kiel" }, items: [{ name: "lamp", price: 12.5, count: 2 }], payment: { by: "card", last: "1234" }, level: "normal" });
    expect(Schema.decodeUnknownSync(ship)(event)).toEqual(event);
  });

  it("makes each option, and what is optional where it is given", () => {
    const { event, problems } = told({
      ...whole,
      "/items": "2",
      "/items/1/name": "cord",
      "/items/1/price": "0",
      "/items/1/count": "1",
      "/payment": "1",
      "/payment/|/change": "true",
      "/gift/card": "To you",
      "/note": "1",
      "/level": "1",
      "/rest": '{"a":1}',
    });
    expect(problems).toEqual({});
    expect(event).toMatchObject({ items: [{}, { name: "cord", price: 0 }], payment: { by: "cash", change: true }, gift: { card: "To you" }, note: null, level: "express", rest: { a: 1 } });
    expect(() => Schema.decodeUnknownSync(ship)(event)).not.toThrow();
  });

  it.each([
    ["/to/city", "", "it must not be empty"],
    ["/items/0/price", "", "give a number"],
    ["/items/0/price", "101", "at most 100"],
    ["/items/0/count", "1.5", "a whole number"],
    ["/items/0/count", "0", "more than 0"],
    ["/items", "0", "at least 1 item"],
    ["/payment/|/last", "12x4", "it must match ^\\d{4}$"],
  ])("says what is wrong at %s with %j: %s", (at, text, problem) => {
    expect(told({ ...whole, [at]: text }).problems).toEqual({ [at]: problem });
  });

  it("reads references, options without a tag, formats and rules on top of each other, of any JSON schema", () => {
    const fields = fieldsOf({
      definitions: {
        Tree: { type: "object", properties: { name: { type: "string" }, next: { $ref: "#/definitions/Tree" } }, required: ["name"] },
        Day: { type: "string", format: "date", description: "A day." },
      },
      type: "object",
      required: ["tree", "day", "size", "mail"],
      properties: {
        type: { const: "GROW" },
        tree: { $ref: "#/definitions/Tree" },
        day: { $ref: "#/definitions/Day" },
        size: {
          oneOf: [
            { type: "integer", multipleOf: 5 },
            { title: "in words", type: "string" },
          ],
        },
        mail: { allOf: [{ type: "string" }, { format: "email" }] },
      },
    });
    const values = { "/tree/name": "oak", "/day": "2026-05-01", "/size/|": "10", "/mail": "a@b" };
    expect(fields?.find(({ name }) => name === "day")?.hint).toBe("A day.");
    expect(make(fields ?? [], values, "GROW")).toEqual({ event: { type: "GROW", tree: { name: "oak" }, day: "2026-05-01", size: 10, mail: "a@b" }, problems: {} });
    expect(make(fields ?? [], { ...values, "/day": "soon", "/size/|": "7", "/mail": "nobody" }, "GROW").problems).toEqual({
      "/day": "this is no date",
      "/size/|": "a multiple of 5",
      "/mail": "this is no email",
    });
    // What is within itself is drawn as far as one would go, and below that written as JSON.
    expect(make(fields ?? [], { ...values, "/tree/next/name": "branch" }, "GROW").event.tree).toEqual({ name: "oak", next: { name: "branch" } });
  });

  it("knows what a member of a union of events refers to", () => {
    const [machine] = shopMachines;
    const move = movesOf(machine as never, { address: "order/1", status: "active", value: "awaitingApproval", context: { amount: 900, notes: [] }, machine: "order", version: "1" } as never).find(
      ({ event }) => event === "APPROVE",
    );
    expect(make(fieldsOf(move?.schema) ?? [], {}, "APPROVE").problems).toEqual({ "/by": "it must not be empty" });
  });

  it("is an event of several forms as a whole, and nothing where no schema says what it is", () => {
    const fields = fieldsOf({
      anyOf: [
        { type: "object", required: ["type", "kind"], properties: { type: { const: "X" }, kind: { const: "a" } } },
        { type: "object", required: ["type", "kind", "n"], properties: { type: { const: "X" }, kind: { const: "b" }, n: { type: "number" } } },
      ],
    });
    expect(make(fields ?? [], { "/": "1", "//|/n": "3" }, "X")).toEqual({ event: { type: "X", kind: "b", n: 3 }, problems: {} });
    expect([fieldsOf(undefined), fieldsOf({}), fieldsOf(true)]).toEqual([undefined, undefined, undefined]);
  });
});
