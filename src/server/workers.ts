import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder";
import * as Effect from "effect/Effect";
import { poll } from "../../machines/poll.ts";
import type { AttemptMessage, FromServer, Registration } from "../domain/worker-message.ts";
import { calling, json } from "./answering.ts";
import { api, CurrentCaller } from "./api/api.ts";
import { NotServed } from "./errors.ts";
import type { Gateway, Session } from "./gateway.ts";
import { runInMemory } from "./in-memory.ts";
import { type Problem, problemOf } from "./problem.ts";
import type { Served } from "./served.ts";

/** Carries out what the API says of workers in other processes. */
export const workersLive = ({ gateway, limits, time }: Served) => {
  const part: Effect.Effect<Gateway, Problem> = gateway === undefined ? Effect.fail(problemOf(new NotServed({ part: "remote workers" }))) : Effect.succeed(gateway);
  /** What there is to tell, as soon as there is something. */
  const next = (session: Session, waitMs: number): Promise<ReadonlyArray<FromServer>> => {
    if (session.unconfirmed.length > 0) return Promise.resolve(session.unconfirmed);
    return new Promise((resolve) => {
      let last: ReadonlyArray<FromServer> = [];
      const machine = runInMemory(poll, { waitMs }, time, {
        answer: () => {
          stop();
          // All of it, in order: the listener hears one at a time.
          resolve(last.length > 0 ? last : session.unconfirmed);
        },
      });
      const stop = session.listen((messages) => {
        if (messages.some(({ type }) => type === "over" || type === "refused")) last = messages;
        machine.tell({ type: "MESSAGE" });
      });
    });
  };
  return HttpApiBuilder.group(api, "workerProtocol", (handlers) =>
    handlers
      .handle("registerWorker", ({ payload }) =>
        Effect.gen(function* () {
          const caller = yield* CurrentCaller;
          const workers = yield* part;
          const { answer } = yield* calling(() => workers.register({ ...payload, type: "register" } as Registration, caller));
          return json(answer);
        }),
      )
      .handle("pollWorker", ({ payload: { received = 0, waitMs = limits.pollMsMax, ...speaker } }) =>
        Effect.gen(function* () {
          const caller = yield* CurrentCaller;
          const workers = yield* part;
          const session = yield* calling(() => workers.sessionOf(speaker, caller));
          workers.received(session, received);
          workers.heartbeat(session);
          return json({ messages: yield* calling(() => next(session, Math.min(waitMs, limits.pollMsMax))) });
        }),
      )
      .handle("reportWork", ({ payload: { messages, ...speaker } }) =>
        Effect.gen(function* () {
          const caller = yield* CurrentCaller;
          const workers = yield* part;
          const session = yield* calling(() => workers.sessionOf(speaker, caller));
          const acks: Array<FromServer> = [];
          for (const message of messages) acks.push({ type: "ack", n: message.n, outcome: yield* calling(() => workers.hear(session, message as AttemptMessage, caller)) });
          return json({ acks });
        }),
      )
      .handle("leaveWorker", ({ payload }) =>
        Effect.gen(function* () {
          const caller = yield* CurrentCaller;
          const workers = yield* part;
          yield* calling(async () => workers.leave(workers.sessionOf(payload, caller)));
          return json({ left: true });
        }),
      ),
  );
};
