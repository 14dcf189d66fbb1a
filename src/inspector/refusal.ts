import * as Schema from "effect/Schema";

/** What the page is told when something can't be answered. */
class Refused extends Schema.TaggedError<Refused>()("InspectorRefused", { status: Schema.Number, code: Schema.String, detail: Schema.String }) {
  override get message() {
    return this.detail;
  }
}

export const refuse = (status: number, code: string, detail: string): never => {
  throw new Refused({ status, code, detail });
};
