import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import type { Plugin } from "../engine/index.ts";
import { type Inboxes, makeInboxes as inboxesInEffects } from "./inboxes.ts";
import { makeObligations as obligationsInEffects, type Obligations } from "./obligations.ts";
import { makeOutboxes as outboxesInEffects, type OutboxOptions, type Outboxes } from "./outboxes.ts";

/** The calls of a part of the engine as promises that reject with the same typed errors; what the engine needs of it stays. */
export type InPromises<Part extends Plugin> = Plugin & {
  readonly [Name in Exclude<keyof Part, keyof Plugin>]: Part[Name] extends (...args: infer Args) => Effect.Effect<infer A, infer _E> ? (...args: Args) => Promise<A> : Part[Name];
} & {
  /** The same part for Effect programs. */
  readonly effect: Part;
};

const settled = async <A>(effect: Effect.Effect<A, unknown>): Promise<A> => {
  const exit = await Effect.runPromiseExit(effect);
  if (Exit.isSuccess(exit)) return exit.value;
  throw Cause.squash(exit.cause);
};

export const inPromises = <Part extends Plugin>(part: Part): InPromises<Part> => {
  const calls = Object.entries(part).map(([name, member]) => {
    if (typeof member !== "function" || name === "opened") return [name, member] as const;
    const call = (...args: ReadonlyArray<unknown>) => {
      const answer: unknown = (member as (...args: ReadonlyArray<unknown>) => unknown)(...args);
      return Effect.isEffect(answer) ? settled(answer as Effect.Effect<unknown, unknown>) : answer;
    };
    return [name, call] as const;
  });
  return { ...Object.fromEntries(calls), effect: part } as unknown as InPromises<Part>;
};

export interface OutboxesInPromises extends InPromises<Outboxes> {}
export interface InboxesInPromises extends InPromises<Inboxes> {}
export interface ObligationsInPromises extends InPromises<Obligations> {}

/** Outboxes by name, for `openEngine({ plugins: [outboxes] })`. Throws `InvalidOptions` for a policy that can't be. */
export const makeOutboxes = (options: Readonly<Record<string, OutboxOptions>>): OutboxesInPromises => inPromises(outboxesInEffects(options));

/** Inboxes by name, for `openEngine({ plugins: [inboxes] })`. */
export const makeInboxes = (...args: Parameters<typeof inboxesInEffects>): InboxesInPromises => inPromises(inboxesInEffects(...args));

/** Obligations by name, for `openEngine({ plugins: [obligations] })`. */
export const makeObligations = (...args: Parameters<typeof obligationsInEffects>): ObligationsInPromises => inPromises(obligationsInEffects(...args));
