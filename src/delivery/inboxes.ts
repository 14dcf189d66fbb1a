import * as Effect from "effect/Effect";
import * as Schema from "effect/Schema";
import { fromPromise } from "xstate";
import { type InboxContext, inbox as inboxMachine } from "../../machines/inbox.ts";
import { type Address, childId, parentAddress, rootAddress } from "../domain/address.ts";
import type { Command, Cursor } from "../domain/inbox.ts";
import { type AllNames, checkNames, said } from "../domain/names.ts";
import { type ActivityOptions, type ActorToStart, begun, currentActivity, type Engine, EngineClosed, InvalidOptions, type Plugin, type Receipt, type SendError, whenOpened } from "../engine/index.ts";
import type { JournalError } from "../journal/index.ts";
import { outboxAddress } from "./outboxes.ts";

export interface InboxOptions {
  /** Carries out commands that name no actor. It accepts by returning and refuses by throwing; it may run again after a crash. */
  readonly handler?: (command: Command, signal: AbortSignal) => unknown;
  /** The outbox that takes the acknowledgements to the sender; absent: `inbox.acknowledged` is emitted. */
  readonly outbox?: string;
}

/**
 * The inboxes of one engine: commands from outside, each applied once, in the order of their sender's cursor, and
 * acknowledged as often as they come.
 */
export interface Inboxes extends Plugin {
  /** Stores a command. The receipt says `kept` where an earlier one is still handled. */
  readonly receive: (name: string, command: Command) => Effect.Effect<Receipt, SendError>;
  /** The last applied command: what a resume message carries. */
  readonly cursor: (name: string) => Effect.Effect<Cursor | null, SendError | JournalError>;
  /** Takes over the cursor of another inbox, which is closed. */
  readonly adopt: (name: string, from: string) => Effect.Effect<Receipt, SendError>;
}

export const inboxAddress = (name: string): Address => rootAddress(inboxMachine.id, name);

const CursorSchema = Schema.Struct({ createdAt: Schema.Number, requestId: Schema.NonEmptyString });
const InboxEvents = {
  COMMAND: Schema.Struct({
    type: Schema.Literal("COMMAND"),
    command: Schema.Struct({
      cursor: CursorSchema,
      type: Schema.NonEmptyString,
      payload: Schema.Unknown,
      to: Schema.optional(Schema.String),
      event: Schema.optional(Schema.Struct({ type: Schema.NonEmptyString }, { key: Schema.String, value: Schema.Unknown })),
    }),
  }),
  ADOPT: Schema.Struct({ type: Schema.Literal("ADOPT"), from: Schema.String }),
  SURRENDER: Schema.Struct({ type: Schema.Literal("SURRENDER"), to: Schema.String }),
  SURRENDERED: Schema.Struct({ type: Schema.Literal("SURRENDERED"), applied: Schema.NullOr(CursorSchema) }),
  INQUIRE: Schema.Struct({ type: Schema.Literal("INQUIRE"), from: Schema.String }),
  BUSY: Schema.Struct({ type: Schema.Literal("BUSY") }),
};

const optionNames: AllNames<InboxOptions> = { handler: true, outbox: true };

const problemsOf = (name: string, given: InboxOptions): ReadonlyArray<string> => {
  const wrong = typeof given === "function" ? ["give { handler: … } in place of the function alone"] : [...checkNames(given, optionNames)];
  const { handler, outbox } = (given ?? {}) as { readonly handler?: unknown; readonly outbox?: unknown };
  if (handler !== undefined && typeof handler !== "function") wrong.push(`handler must be a function, got ${said(handler)}`);
  if (outbox !== undefined && typeof outbox !== "string") wrong.push(`outbox must be the name of an outbox, got ${said(outbox)}`);
  return wrong.map((problem) => `inbox "${name}": ${problem}`);
};

/**
 * Inboxes by name, for `openEngine({ plugins: [inboxes] })`. `activity`: how a handler is carried out; a failure is final unless it says otherwise.
 * Throws `InvalidOptions` for options that there are not.
 */
export const makeInboxes = (options: Readonly<Record<string, InboxOptions>>, activity: ActivityOptions = {}): Inboxes => {
  const problems = Object.entries(options).flatMap(([name, given]) => problemsOf(name, given));
  if (problems.length > 0) throw new InvalidOptions({ problems });
  let bound: Engine | undefined;
  const use = Effect.suspend(() => (bound === undefined ? Effect.fail(new EngineClosed({ detail: "these inboxes are not part of an open engine: pass them in its plugins" })) : Effect.succeed(bound)));
  const handle = fromPromise<void, Command>(async ({ input, signal }) => {
    const name = childId(parentAddress(currentActivity()?.address ?? "") ?? "");
    const handler = options[name]?.handler;
    if (handler === undefined) throw new Error(`nobody handles commands of the inbox "${name}"`);
    await handler(input, signal);
  });
  const actorOf = (name: string): ActorToStart | undefined => {
    const { outbox } = options[name] ?? {};
    return options[name] === undefined ? undefined : { machine: inboxMachine.id, id: name, input: outbox === undefined ? {} : { outbox: outboxAddress(outbox) } };
  };
  return {
    machines: [{ machine: inboxMachine.provide({ actors: { handle } }), activities: { handle: activity }, early: { COMMAND: "keep", ADOPT: "keep", SURRENDER: "keep" }, events: InboxEvents }],
    followers: {},
    opened: (engine, doors) => {
      bound = engine;
      return whenOpened("the inboxes", doors, engine.startAll(Object.keys(options).flatMap((name) => actorOf(name) ?? [])));
    },
    receive: (name, command) => Effect.flatMap(use, (engine) => begun(engine, actorOf(name), engine.send(inboxAddress(name), { type: "COMMAND", command }))),
    cursor: (name) => Effect.flatMap(use, (engine) => Effect.map(engine.snapshot(inboxAddress(name)), ({ context }) => (context as InboxContext).applied)),
    adopt: (name, from) => Effect.flatMap(use, (engine) => begun(engine, actorOf(name), engine.send(inboxAddress(name), { type: "ADOPT", from: inboxAddress(from) }))),
  };
};
