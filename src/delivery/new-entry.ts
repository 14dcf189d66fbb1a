import * as Schema from "effect/Schema";

// Some drivers cut a text at U+0000 when they read it, and two keys would become one.
const Text = Schema.String.pipe(Schema.pattern(/^[^\0]*$/, { message: () => "a text without the character U+0000" }));
const Word = Text.pipe(Schema.minLength(1));

/** What a host or a machine puts into an outbox, as it is checked. */
export const NewEntrySchema = Schema.Struct({
  key: Schema.optional(Word),
  type: Word,
  payload: Schema.Unknown,
  lane: Schema.optional(Text),
  replaces: Schema.optional(Word),
  occurredAt: Schema.optional(Schema.Number),
});
