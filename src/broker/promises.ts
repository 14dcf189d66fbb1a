import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import { type InPromises, inPromises } from "../delivery/index.ts";
import type { Broker, BrokerOptions, Hello, Session } from "./broker.ts";
import type { Connection } from "./connection.ts";
import { makeBroker as brokerInEffects } from "./make.ts";

/** A session whose calls are promises that reject with the same typed errors. */
export type SessionInPromises = {
  readonly [Name in keyof Session]: Session[Name] extends (...args: infer Args) => Effect.Effect<infer A, infer _E> ? (...args: Args) => Promise<A> : Session[Name];
};

export type BrokerInPromises = Omit<InPromises<Broker>, "attach"> & { readonly attach: (hello: Hello, connection: Connection) => Promise<SessionInPromises> };

export const settled = async <A>(effect: Effect.Effect<A, unknown>): Promise<A> => {
  const exit = await Effect.runPromiseExit(effect);
  if (Exit.isSuccess(exit)) return exit.value;
  throw Cause.squash(exit.cause);
};

export const sessionInPromises = (session: Session): SessionInPromises =>
  Object.fromEntries(
    Object.entries(session).map(([name, member]) => [
      name,
      typeof member === "function" ? (...args: ReadonlyArray<never>) => settled((member as (...args: ReadonlyArray<never>) => Effect.Effect<unknown, unknown>)(...args)) : member,
    ]),
  ) as unknown as SessionInPromises;

/** A broker for `openEngine({ plugins: [broker] })`. Throws `InvalidOptions` for a policy that can't be. */
export const makeBroker = (options: BrokerOptions): BrokerInPromises => {
  const effect = brokerInEffects(options);
  return { ...inPromises(effect), attach: async (hello, connection) => sessionInPromises(await settled(effect.attach(hello, connection))) };
};
