import type { AnyStateMachine } from "xstate";
import type { Resource } from "./flow.ts";

/** What a machine says of itself in the `meta` of its root, for the check and for those who ask what it waits for. */
export interface Declared {
  /** What it takes and must give back. */
  readonly resources: ReadonlyArray<DeclaredResource>;
  /** Who sends an event, by its type: the id of a machine, or somebody outside, in words. Absent: nothing was said. */
  readonly senders: Readonly<Record<string, string>> | undefined;
  /** What is wrong with it, in words. */
  readonly problems: ReadonlyArray<string>;
}

export interface DeclaredResource extends Resource {
  /** Who gives it back when the actor is stopped or given up while it holds it. */
  readonly whenStopped: string | undefined;
}

/** Why a state has no bound in time, if its description says so, whole: "No limit: …", "No limit of its own: …". */
export const reasonWithoutLimit = (description: string | undefined): string | undefined => /\bNo limit\b[^:.]*: *\S.*/s.exec(description ?? "")?.[0];

export const declaredBy = (machine: AnyStateMachine): Declared => {
  const { resources = {}, senders } = ((machine.root.config as { readonly meta?: unknown }).meta ?? {}) as { readonly resources?: unknown; readonly senders?: unknown };
  const problems: Array<string> = [];
  const found: Array<DeclaredResource> = [];
  for (const [name, given] of Object.entries(isRecord(resources) ? resources : {})) {
    const { takenBy, givenBackBy, whenStopped } = (isRecord(given) ? given : {}) as { readonly [key: string]: unknown };
    const [takes, gives] = [namesOf(takenBy), namesOf(givenBackBy)];
    if (takes.length === 0 || gives.length === 0) problems.push(`meta.resources.${name} needs takenBy and givenBackBy: the names of the actions that do it`);
    else found.push({ name, takenBy: takes, givenBackBy: gives, whenStopped: typeof whenStopped === "string" && whenStopped.trim() !== "" ? whenStopped : undefined });
  }
  if (!isRecord(resources)) problems.push("meta.resources is no object");
  const isSenders = isRecord(senders) && Object.values(senders).every((who) => typeof who === "string");
  if (senders !== undefined && !isSenders) problems.push("meta.senders is no object that says for each event type who sends it");
  return { resources: found, senders: isSenders ? (senders as Readonly<Record<string, string>>) : undefined, problems };
};

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null && !Array.isArray(value);
const namesOf = (given: unknown): ReadonlyArray<string> => (Array.isArray(given) ? given : [given]).filter((name): name is string => typeof name === "string" && name !== "");
