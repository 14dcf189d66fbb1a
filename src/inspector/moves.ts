import * as JSONSchema from "effect/JSONSchema";
import * as Schema from "effect/Schema";
import { parentAddress } from "../domain/address.ts";
import type { ActorView } from "../engine/index.ts";
import type { Drawn } from "./charts.ts";
import { timerLines } from "./replays.ts";
import type { ChildLine, Move, Reason } from "./wire.ts";

/** What can be told to an actor where it stands, with the schema of each event where its machine declares one. */
export const movesOf = (drawn: Drawn, active: ReadonlyArray<string>): ReadonlyArray<Move> => {
  const standing = new Set(active);
  const edges = new Map<string, Array<string>>();
  for (const { id, source, kind, event } of drawn.graph.edges) {
    if (kind !== "event" || event === undefined || !standing.has(source) || event.includes("*") || event.startsWith("taskwright.") || event.startsWith("xstate.")) continue;
    edges.set(event, [...(edges.get(event) ?? []), id]);
  }
  return [...edges].map(([event, ids]) => {
    const schema = schemaOf(drawn.entry?.events, event);
    return { event, edges: ids, ...(schema === undefined ? {} : { schema }) };
  });
};

type Declared = { readonly type?: unknown; readonly properties?: { readonly type?: { readonly enum?: ReadonlyArray<unknown>; readonly const?: unknown } }; readonly anyOf?: ReadonlyArray<Declared>; readonly $defs?: unknown };

const schemaOf = (events: unknown, type: string): unknown => {
  if (events === undefined || events === null) return undefined;
  if (!Schema.isSchema(events) && !("~standard" in (events as object))) {
    const map = events as Readonly<Record<string, unknown>>;
    return jsonSchemaOf(map[type] ?? map["*"]);
  }
  const whole = jsonSchemaOf(events) as Declared | undefined;
  const isMeant = ({ properties }: Declared) => properties?.type?.const === type || properties?.type?.enum?.includes(type) === true;
  const meant = whole?.anyOf?.find(isMeant) ?? (whole !== undefined && isMeant(whole) ? whole : undefined);
  // What it refers to stands beside the union.
  return meant === undefined ? undefined : { ...meant, $defs: whole?.$defs };
};

const jsonSchemaOf = (schema: unknown): unknown => {
  if (schema === undefined) return undefined;
  try {
    if (Schema.isSchema(schema)) return JSONSchema.make(schema as Schema.Schema.AnyNoContext);
    const { toJSONSchema } = schema as { readonly toJSONSchema?: () => unknown };
    return typeof toJSONSchema === "function" ? toJSONSchema.call(schema) : undefined;
  } catch {
    // A schema that JSON Schema can't say: the event is written as JSON.
    return undefined;
  }
};

/** What an actor waits for, the nearest first. */
export const waitingOf = (view: ActorView, drawn: Drawn | undefined, active: ReadonlyArray<string>, children: ReadonlyArray<ChildLine>, moves: ReadonlyArray<Move>): ReadonlyArray<Reason> => {
  if (view.status === "done") return [{ text: "It is done: nothing happens to it any more." }];
  if (view.status === "error") return [{ text: `It failed: ${view.error?.message ?? "without a reason"}.` }];
  if (view.status === "stopped") return [{ text: "It was stopped." }];
  const reasons: Array<Reason> = [];
  const byKey = new Map(drawn?.graph.nodes.map((node) => [node.id, node]));
  for (const { due, label, held } of timerLines(view.timers ?? {})) {
    const target = drawn?.graph.edges.find((edge) => edge.kind === "after" && edge.delay === label && active.includes(edge.source))?.targets[0];
    const to = target === undefined ? "" : `, then it goes to ${byKey.get(target)?.path || target}`;
    reasons.push(held ? { text: `The deadline ${label} is held: its transition threw. Requeue its dead letter.` } : { text: `For the deadline ${label}${to}`, until: due });
  }
  for (const { address, id, status, state } of children) if (status === "active") reasons.push({ text: `For its child ${id}, which is in ${state}`, address });
  const parent = parentAddress(view.address);
  if (moves.length > 0) reasons.push({ text: `For ${moves.length === 1 ? "the event" : "one of the events"} ${moves.map(({ event }) => event).join(", ")}${parent === undefined ? "" : ", from its parent or others"}` });
  if (reasons.length === 0) reasons.push({ text: "For nothing that could move it: no deadline, no child, no event leads on from here." });
  return reasons;
};
