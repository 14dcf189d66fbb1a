import { snapshotToTell } from "../actor/index.ts";
import { childId } from "../domain/address.ts";
import type { EngineEvent, Event } from "../domain/event.ts";
import { type Failure, failureOf, type Json } from "../domain/json.ts";
import type { Resident } from "./resident.ts";

/* What parents are told of their children. */

/** How a child's end is told to its parent. An activity speaks for the promise that it carried out. */
export const completionOf = (actor: Resident, output: unknown, error: unknown): EngineEvent => {
  const child = childId(actor.address);
  const { token } = actor;
  if (actor.state.snapshot.status === "error") return { type: "taskwright.error", child, token, error: failureOf(error) };
  const { id } = actor.registered.definition;
  if (id !== "activity" && id !== "live") return { type: "taskwright.done", child, token, ...(output === undefined ? {} : { output: output as never }) };
  const ended = output as { result: string; output?: unknown; error?: Failure };
  if (ended.result === "failed") return { type: "taskwright.error", child, token, error: ended.error as Failure };
  return { type: "taskwright.done", child, token, ...(ended.output === undefined ? {} : { output: ended.output as never }) };
};

/** As in XState, promises and observables take no events. */
export const takesEvents: ReadonlySet<string> = new Set(["machine", "callback", "transition"]);

/** What a parent that listens sees of a child after this event, shaped as XState shapes it for each kind of actor; or nothing. */
export const snapshotFor = (actor: Resident, event: Event | EngineEvent): Json | undefined => {
  const { definition, internal } = actor.registered;
  const context = actor.state.snapshot.context as { readonly input?: Json; readonly value?: Json; readonly kind?: string; readonly state?: Json };
  const isStart = event.type === "taskwright.start";
  const input = context.input === undefined ? {} : { input: context.input };
  switch (definition.id) {
    case "activity":
      return isStart ? { status: "active", ...input } : undefined;
    case "live": {
      if (!isStart && event.type !== "taskwright.live.value" && event.type.startsWith("taskwright.")) return undefined;
      return { status: "active", ...input, ...(context.value === undefined ? {} : { context: context.value }) };
    }
    default:
      return internal ? { status: "active", ...(context.state === undefined ? {} : { context: context.state }) } : snapshotToTell(actor.state);
  }
};
