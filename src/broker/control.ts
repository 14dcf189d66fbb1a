import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Schema from "effect/Schema";
import { outboxAddress } from "../delivery/index.ts";
import type { Command } from "../domain/inbox.ts";
import { failureOf } from "../domain/json.ts";
import type { Doors, Engine, EngineClosed } from "../engine/index.ts";
import type { Broker, BrokerOptions } from "./broker.ts";
import { InvalidMessage } from "./errors.ts";

const Retire = Schema.Struct({ endpoint: Schema.NonEmptyString });
const Dispatch = Schema.Struct({ message: Schema.NonEmptyString, endpoint: Schema.NonEmptyString });
const Settle = Schema.Struct({ message: Schema.NonEmptyString, note: Schema.optional(Schema.String) });
const Spawn = Schema.Struct({ request: Schema.NonEmptyString, endpoint: Schema.NonEmptyString, spec: Schema.optional(Schema.Unknown) });

const read = <A, I>(schema: Schema.Schema<A, I>, { type, payload }: Command): Effect.Effect<A, InvalidMessage> =>
  Effect.mapError(Schema.decodeUnknown(schema)(payload), ({ message }) => new InvalidMessage({ detail: `the command "${type}": ${message}` }));

/**
 * Carries out what the upstream orders: `retire`, `dispatch`, `settle`, `spawn`, and the host's own commands. A command
 * may be begun again after a crash, and is carried out once for all that; its acknowledgement is enqueued once, after
 * it. What can never be carried out is acknowledged as refused; what may be possible later is thrown, so that the
 * upstream sends it again.
 */
export const makeControl = (broker: Broker, options: BrokerOptions, use: Effect.Effect<{ readonly engine: Engine; readonly doors: Doors }, EngineClosed>) => {
  const carryOut = (command: Command, signal: AbortSignal): Effect.Effect<unknown, unknown> => {
    const own = options.commands?.[command.type];
    if (own !== undefined) return Effect.tryPromise({ try: async () => own(command.payload, signal), catch: (error) => error });
    switch (command.type) {
      case "retire":
        return Effect.flatMap(read(Retire, command), ({ endpoint }) => broker.retire(endpoint));
      case "dispatch":
        return Effect.flatMap(read(Dispatch, command), ({ message, endpoint }) =>
          // Begun before a crash, it may be with that endpoint already.
          Effect.catchTag(broker.dispatch(message, endpoint), "NotInInbox", (error) =>
            Effect.flatMap(broker.message(message), (view) => (view.endpoint === endpoint ? Effect.succeed(view) : Effect.fail(error))),
          ),
        );
      case "settle":
        return Effect.flatMap(read(Settle, command), ({ message, note }) => {
          const settle = Effect.zipRight(Effect.ignore(broker.take(message, "upstream")), broker.settle(message, note));
          return Effect.catchAll(settle, (error) => (error._tag === "NotInInbox" && error.state === "settled" ? Effect.void : Effect.fail(error)));
        });
      case "spawn":
        return Effect.flatMap(read(Spawn, command), (request) => broker.spawn(request));
      default:
        return new InvalidMessage({ detail: `no command of the broker has the type "${command.type}"` });
    }
  };
  const acknowledge = (requestId: string, answer: { readonly accepted: boolean; readonly reason?: string }) =>
    Effect.gen(function* () {
      if (options.outbox === undefined) return;
      const { engine } = yield* use;
      const key = `control:${requestId}`;
      yield* engine.send(outboxAddress(options.outbox), { type: "ENQUEUE", entries: [{ key, type: "control", payload: { requestId, ...answer } }] }, { key });
    });
  return async (command: Command, signal: AbortSignal): Promise<void> => {
    const { requestId } = command.cursor;
    const exit = await Effect.runPromiseExit(carryOut(command, signal));
    if (Exit.isSuccess(exit)) return Effect.runPromise(acknowledge(requestId, { accepted: true }));
    const error = Cause.squash(exit.cause);
    if ((error as { readonly retryable?: unknown }).retryable !== false) throw error;
    await Effect.runPromise(acknowledge(requestId, { accepted: false, reason: failureOf(error).message }));
  };
};
