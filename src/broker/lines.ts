import * as Schema from "effect/Schema";
import type { Socket } from "node:net";
import { StringDecoder } from "node:string_decoder";
import type { Frame } from "./connection.ts";

const Text = Schema.String;
const call = <Name extends string, Fields extends Schema.Struct.Fields>(name: Name, fields: Fields) => Schema.Struct({ name: Schema.Literal(name), assignment: Text, ...fields });

/** What an endpoint may call over a connection. */
export const Call = Schema.Union(
  call("accept", {}),
  call("refuse", { reason: Text }),
  call("progress", { state: Schema.optional(Text), note: Schema.optional(Schema.Unknown) }),
  call("waitFor", { capability: Text }),
  call("fail", { reason: Text, retryable: Schema.optional(Schema.Boolean) }),
  call("reply", { requestId: Text, content: Schema.Unknown }),
);
export type Call = typeof Call.Type;

/** A line from an endpoint to the broker. The first one says who it is. */
export const EndpointLine = Schema.Union(
  Schema.Struct({
    type: Schema.Literal("hello"),
    hello: Schema.Struct({
      endpoint: Schema.NonEmptyString,
      owner: Schema.NonEmptyString,
      capabilities: Schema.optional(Schema.Array(Text)),
      mode: Schema.optional(Schema.Literal("resident_endpoint", "adapter_managed_turn")),
      session: Schema.optional(Text),
    }),
  }),
  Schema.Struct({ type: Schema.Literal("call"), id: Schema.Number, call: Call }),
  Schema.Struct({ type: Schema.Literal("heartbeat") }),
  Schema.Struct({ type: Schema.Literal("detach") }),
);
export type EndpointLine = typeof EndpointLine.Type;

/** An error as it crosses a connection. */
export interface SentError {
  readonly tag: string;
  readonly code: string;
  readonly status: number;
  readonly retryable: boolean;
  readonly message: string;
  /** Its data. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A line from the broker to an endpoint. */
export type BrokerLine =
  | { readonly type: "attached"; readonly incarnation: number; readonly accepted: ReadonlyArray<string> }
  | { readonly type: "refused"; readonly error: SentError }
  | { readonly type: "frame"; readonly frame: Frame }
  | { readonly type: "answer"; readonly id: number; readonly value: unknown }
  | { readonly type: "answer"; readonly id: number; readonly error: SentError };

/** Bytes of one line. Above it the connection is closed: nothing the engine stores is as large. */
const lineBytesMax = 2 * 1024 * 1024;
/** Bytes that may wait to be written. Above it a connection counts as one that can't be written. */
const unwrittenBytesMax = 8 * 1024 * 1024;

/** Writes one value as a line. Throws if it can't be written. */
export const writeLine = (socket: Socket, value: EndpointLine | BrokerLine): void => {
  if (socket.destroyed || !socket.writable) throw new Error("the connection is closed");
  if (socket.writableLength > unwrittenBytesMax) throw new Error("the other end does not read");
  socket.write(`${JSON.stringify(value)}\n`);
};

/** Calls back with each line; one that is too long, or no JSON, ends the connection. */
export const readLines = (socket: Socket, heard: (value: unknown) => void): void => {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  socket.on("data", (bytes) => {
    rest += decoder.write(bytes);
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
      const line = rest.slice(0, end);
      rest = rest.slice(end + 1);
      let value: unknown;
      try {
        value = JSON.parse(line);
      } catch {
        socket.destroy();
        return;
      }
      heard(value);
    }
    if (rest.length > lineBytesMax) socket.destroy();
  });
};
