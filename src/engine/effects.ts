import * as Effect from "effect/Effect";
import { type Address, livedAt } from "../domain/address.ts";
import type { EngineEvent, Event } from "../domain/event.ts";
import { failureOf } from "../domain/json.ts";
import { parseJson } from "../actor/index.ts";
import type { DeadLetterRow, EffectRow } from "../journal/index.ts";
import { failpoint } from "./failpoint.ts";
import type { Fibers } from "./fibers.ts";
import { failureOfCause } from "./from-effect.ts";
import type { ActionInfo } from "./registry.ts";
import { effectKeyOf, type Resident } from "./resident.ts";

/** A custom action that is owed: its transition is stored, it was not carried out yet (or nobody knows). */
export interface OwedEffect {
  readonly row: EffectRow;
  readonly actor: Resident;
  readonly event: Event | EngineEvent;
  /** A copy of the actor's context as it is now: an action may change what it is given. */
  readonly context: () => unknown;
}

/** What is kept of an action that can't be carried out; with it, it can be owed again. */
export const letterOf = ({ row, actor: { address }, event }: OwedEffect, at: number, error: unknown): DeadLetterRow => {
  const { action, seq, params, actor } = row;
  return { address, at, envelope: JSON.stringify({ to: address, event, from: "", action, seq, params, actor }), error: JSON.stringify(failureOf(error)) };
};

export interface Effects {
  readonly run: (owed: OwedEffect) => void;
  readonly running: () => number;
}

/**
 * Carries out custom actions after their transition is stored: a host's implementation first, else the machine's own.
 * At least once: after a crash an action that was not struck from the list runs again. One that throws is not
 * repeated; it goes to the dead letters.
 */
export const makeEffects = (now: () => number, send: (to: Address, event: Event, only: number) => void, done: (id: number, deadLetter?: DeadLetterRow) => void, fibers: Fibers): Effects => {
  let running = 0;
  const call = ({ row, actor, event, context }: OwedEffect): unknown => {
    const { registered } = actor;
    const address = livedAt(actor.address, actor.id);
    const params = row.params === "" ? undefined : parseJson(row.params);
    const host = registered.actions.get(row.action);
    // An action may change what it is given: these are copies, made when they are asked for.
    const copyOfEvent = () => parseJson(JSON.stringify(event)) as ActionInfo["event"];
    if (host !== undefined) {
      return host({
        address,
        seq: row.seq,
        params,
        get key() {
          return effectKeyOf(actor, row.seq, row.action, row.params);
        },
        get event() {
          return copyOfEvent();
        },
        get context() {
          return context();
        },
      });
    }
    const own = (registered.definition.original.implementations.actions as Record<string, unknown>)[row.action];
    if (typeof own !== "function") throw new Error(`nothing implements the action "${row.action}" any more`);
    const self = { id: address, address, sessionId: address, send: (told: Event) => send(address, told, actor.id), getSnapshot: () => undefined };
    const args = {
      self,
      system: { get: () => undefined },
      get event() {
        return copyOfEvent();
      },
      get context() {
        return context();
      },
    };
    return own(args, params);
  };
  return {
    running: () => running,
    run: (owed) => {
      const { row } = owed;
      const end = () => {
        failpoint("effect.ended");
        running--;
        done(row.id);
      };
      const fail = (error: unknown) => {
        running--;
        done(row.id, letterOf(owed, now(), error));
      };
      running++;
      failpoint("effect.started");
      let result: Effect.Effect<unknown> | Promise<unknown> | undefined;
      try {
        result = awaited(call(owed));
      } catch (error) {
        fail(error);
        return;
      }
      if (result === undefined) end();
      else if (Effect.isEffect(result)) fibers.run(result, (exit) => (exit._tag === "Success" ? end() : fail(failureOfCause(exit.cause))));
      else result.then(end, fail);
    },
  };
};

/** What an action's answer has to be waited for; nothing where it has ended. A promise that is made here answers once, whatever stands behind it. */
const awaited = (result: unknown): Effect.Effect<unknown> | Promise<unknown> | undefined =>
  Effect.isEffect(result) ? (result as Effect.Effect<unknown>) : isThenable(result) ? Promise.resolve(result) : undefined;

// Some libraries (query builders) answer with objects that are promises without being made by Promise.
const isThenable = (value: unknown): value is PromiseLike<unknown> => typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
