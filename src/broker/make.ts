import * as Effect from "effect/Effect";
import * as ParseResult from "effect/ParseResult";
import * as Schema from "effect/Schema";
import { fromPromise } from "xstate";
import { type EndpointContext, endpoint as endpointMachine } from "../../machines/endpoint.ts";
import { exchange as exchangeMachine } from "../../machines/exchange.ts";
import { type MessageInput, message as messageMachine } from "../../machines/message.ts";
import { presence as presenceMachine } from "../../machines/presence.ts";
import { spawn as spawnMachine, type SpawnContext } from "../../machines/spawn.ts";
import { tray as trayMachine, type TrayContext } from "../../machines/tray.ts";
import { outboxAddress } from "../delivery/index.ts";
import { wrongId } from "../domain/address.ts";
import type { Reply, ReplyResult } from "../domain/exchange.ts";
import type { IncomingMessage } from "../domain/incoming.ts";
import { type AllNames, checkNames, said, schemaProblems } from "../domain/names.ts";
import { type ActorView, currentActivity, type Doors, type Engine, EngineClosed, InvalidOptions, isAlive, type SentEvent, whenOpened } from "../engine/index.ts";
import type { Broker, BrokerOptions, SpawnRequest } from "./broker.ts";
import { makeControl } from "./control.ts";
import { EndpointRetired, InboxFull, InvalidMessage, NotInInbox, NotOwner, SpawnFailed, TargetRefused, UnknownAssignment, UnknownEndpoint, UnknownMessage } from "./errors.ts";
import { BrokerPolicy, defaultBrokerPolicy } from "./policy.ts";
import { Routes } from "./routes.ts";
import { makeSession } from "./session.ts";
import { Switchboard } from "./switchboard.ts";
import { assignmentView, endpointAddress, endpointView, idOf, messageAddress, messageView, presenceAddress, spawnAddress, trayAddress } from "./views.ts";

const Text = Schema.String.pipe(Schema.minLength(1));
const MessageSchema = Schema.Struct({
  id: Text,
  content: Schema.Unknown,
  conversation: Schema.optional(Text),
  target: Schema.optional(Text),
  needs: Schema.optional(Schema.Array(Text)),
  mode: Schema.optional(Schema.Literal("resident_endpoint", "adapter_managed_turn")),
  session: Schema.optional(Text),
});

/** Ended actors go soon: what must be remembered is remembered by a state. */
const finishedForMs = 60_000;
/** Actors that live as long as the broker keep so much of their history. */
const historyMax = 10_000;

/** A connector's answer, as it can be stored: hosts write connectors without a compiler too. */
const resultOf = (answer: unknown): ReplyResult => {
  if (answer === undefined) return { verdict: "delivered" };
  const { verdict, reason } = (typeof answer === "object" && answer !== null ? answer : {}) as { readonly verdict?: unknown; readonly reason?: unknown };
  if (verdict === "delivered") return { verdict };
  if (verdict === "refused" || verdict === "retry" || verdict === "unknown") return { verdict, reason: String(reason ?? "no reason was given") };
  return { verdict: "unknown", reason: "the connector gave no verdict" };
};

const isHere = (value: unknown) => typeof value !== "string" || !["choosing", "assigning", "seeking", "dispatching", "puttingBack"].includes(value);
const processLives = (owner: string): boolean => !/^\d+$/.test(owner) || isAlive(Number(owner));

/** What an asked machine answered: `DONE`, or `REFUSED` with a code. */
export interface Answer extends SentEvent {
  readonly code?: string;
  readonly detail?: string;
  readonly state?: string | null;
}

const optionNames: AllNames<BrokerOptions> = { connector: true, driver: true, isOwnerAlive: true, outbox: true, commands: true, policy: true };
const readPolicy = Schema.decodeUnknownEither(BrokerPolicy, { errors: "all" });

const problemsOf = (options: BrokerOptions): ReadonlyArray<string> => {
  const wrong = checkNames(options, optionNames);
  if (typeof options !== "object" || options === null) return wrong;
  const { connector, driver, isOwnerAlive, outbox, commands = {}, policy = {} } = options;
  const calls = [
    ["connector", connector, true] as const,
    ["driver", driver, false] as const,
    ["isOwnerAlive", isOwnerAlive, false] as const,
    ...Object.entries(commands).map(([type, run]) => [`commands.${type}`, run, true] as const),
  ];
  const read = readPolicy({ ...defaultBrokerPolicy, ...policy });
  return [
    ...wrong,
    ...calls.flatMap(([name, given, isNeeded]) => (typeof given === "function" || (given === undefined && !isNeeded) ? [] : [`${name} must be a function, got ${said(given)}`])),
    ...(outbox === undefined || typeof outbox === "string" ? [] : [`outbox must be the name of an outbox, got ${said(outbox)}`]),
    ...checkNames(policy, defaultBrokerPolicy).map((problem) => `policy: ${problem}`),
    ...(read._tag === "Right" ? [] : schemaProblems(ParseResult.ArrayFormatter.formatErrorSync(read.left).map(({ path, message }) => ({ path: ["policy", ...path], message })))),
  ];
};

/** A broker for `openEngine({ plugins: [broker] })`. Throws `InvalidOptions` for options that there are not, or a policy that can't be. */
export const makeBroker = (options: BrokerOptions): Broker => {
  const problems = problemsOf(options);
  if (problems.length > 0) throw new InvalidOptions({ problems: problems.map((problem) => `makeBroker: ${problem}`) });
  const policy: BrokerPolicy = { ...defaultBrokerPolicy, ...options.policy };
  const outbox = options.outbox === undefined ? null : outboxAddress(options.outbox);
  const routes = new Routes();
  const lines = new Switchboard(options.isOwnerAlive ?? processLives);
  let bound: { readonly engine: Engine; readonly doors: Doors; readonly ready: Promise<void> } | undefined;

  /** The engine, once the broker knows what is stored. */
  const use = Effect.suspend(() => {
    if (bound === undefined) return Effect.fail(new EngineClosed({ detail: "this broker is not part of an open engine: pass it in its plugins" }));
    const { ready, ...open } = bound;
    return Effect.as(
      Effect.promise(() => ready),
      open,
    );
  });
  const send = fromPromise<ReplyResult, { readonly assignment: string; readonly message: IncomingMessage; readonly reply: Reply }>(async ({ input, signal }) => {
    // The process ended under an earlier attempt: nobody knows how far it came.
    if ((currentActivity()?.attempt ?? 1) > 1) return { verdict: "unknown", reason: "the broker's process ended while it was being sent" };
    const { assignment, message, reply } = input;
    return resultOf(await options.connector({ assignment, message, ...reply }, signal));
  });
  const drive = fromPromise<unknown, SpawnRequest>(async ({ input, signal }) => {
    if (options.driver === undefined) throw new Error("this broker has no driver that starts processes");
    return options.driver({ request: input.request, endpoint: idOf(input.endpoint), spec: input.spec }, signal);
  });
  const exchange = exchangeMachine.provide({ actors: { send: send as never } });

  const snapshot = (address: string) => Effect.flatMap(use, ({ engine }) => engine.snapshot(address));
  const messageOf = (id: string) => Effect.catchTag(snapshot(messageAddress(id)), "UnknownActor", () => new UnknownMessage({ messageId: id }));
  const endpointOf = (id: string) => Effect.catchTag(snapshot(endpointAddress(id)), "UnknownActor", () => new UnknownEndpoint({ endpoint: id }));
  /** Where a message is once it has come to a place. */
  const settledView = (id: string): Effect.Effect<ActorView, UnknownMessage | Effect.Effect.Error<ReturnType<Engine["waitFor"]>>> =>
    Effect.flatMap(use, ({ engine }) =>
      Effect.catchTag(
        engine.waitFor(messageAddress(id), ({ value }) => isHere(value), { timeout: "30 seconds" }),
        "UnknownActor",
        () => new UnknownMessage({ messageId: id }),
      ),
    );
  /** Asks a message; what its state does not take can't be done any more. */
  const askMessage = (id: string, event: SentEvent) =>
    Effect.flatMap(use, ({ engine }) =>
      (engine.ask(messageAddress(id), event) as Effect.Effect<Answer, Effect.Effect.Error<ReturnType<Engine["ask"]>>>).pipe(
        Effect.catchTag("UnknownActor", () => new UnknownMessage({ messageId: id })),
        Effect.catchTag("Unanswered", () => Effect.flatMap(messageOf(id), (view) => new NotInInbox({ messageId: id, state: messageView(view).state }))),
      ),
    );
  const decode = (given: IncomingMessage) =>
    Effect.gen(function* () {
      const message = yield* Effect.mapError(Schema.decodeUnknown(MessageSchema)(given), ({ message: detail }) => new InvalidMessage({ detail }));
      const wrong = wrongId(message.id);
      if (wrong !== undefined) return yield* new InvalidMessage({ detail: `its id: ${wrong}` });
      return message as IncomingMessage;
    });

  const receive: Broker["receive"] = (given) =>
    Effect.gen(function* () {
      const message = yield* decode(given);
      const { engine } = yield* use;
      const { inboxMax: _, ...times } = policy;
      const route = routes.find(message);
      const input: MessageInput = { message, ...route, tray: trayAddress, outbox, policy: times };
      const { duplicate } = yield* engine.start(messageMachine.id, message.id, input);
      let view = yield* settledView(message.id);
      if (duplicate && view.value === "refused") {
        yield* engine.send(messageAddress(message.id), { type: "REDELIVER", ...routes.find(message) });
        view = yield* settledView(message.id);
      }
      // One that was forgotten is gone soon, and then its sender may begin anew.
      if (view.value === "refused" || view.value === "forgotten") return yield* new InboxFull({ messageId: message.id, inboxMax: policy.inboxMax });
      return messageView(view);
    }).pipe(Effect.catchTag("UnknownMessage", (error) => Effect.die(error)));

  const dispatch: Broker["dispatch"] = (id, endpoint) =>
    Effect.gen(function* () {
      const { status } = yield* endpointOf(endpoint);
      if (status !== "active") return yield* new EndpointRetired({ endpoint });
      const answer = yield* askMessage(id, { type: "DISPATCH", endpoint: endpointAddress(endpoint) });
      if (answer.type === "REFUSED") return yield* new TargetRefused({ messageId: id, endpoint, reason: String(answer.detail) });
      return messageView(yield* settledView(id));
    });

  const spawn: Broker["spawn"] = (request) =>
    Effect.gen(function* () {
      const { engine } = yield* use;
      const { request: name, endpoint, spec } = request;
      const address = endpointAddress(endpoint);
      const [, known] = yield* engine.startAll([
        { machine: presenceMachine.id, id: endpoint, input: { endpoint, graceMs: policy.presenceGraceMs, ...(outbox === null ? {} : { outbox }) } },
        { machine: endpointMachine.id, id: endpoint, input: { spawn: spawnAddress(name), policy } },
      ]);
      const view = yield* engine.snapshot(address);
      if (view.status !== "active") return yield* new EndpointRetired({ endpoint });
      const isKnown = known?.duplicate === true && (view.context as EndpointContext).spawn !== spawnAddress(name);
      const spawns = { machine: spawnMachine.id, id: name, input: { request: name, endpoint: address, spec: spec ?? null, timeoutMs: policy.spawnTimeoutMs } };
      if (isKnown) {
        // The same request again, after its process has come.
        const earlier = yield* Effect.either(engine.snapshot(spawnAddress(name)));
        if (earlier._tag === "Right") return endpointView(view);
        if (view.value !== "lost") return yield* new NotOwner({ endpoint, detail: `it is ${endpointView(view).state}, a process of it may live` });
        yield* engine.send(address, { type: "EXPECT", spawn: spawnAddress(name) });
      }
      yield* engine.startAll([spawns]);
      return endpointView(yield* engine.snapshot(address));
    });

  const broker: Broker = {
    machines: [
      { machine: trayMachine, retention: { historyMax } },
      { machine: messageMachine.provide({ actors: { exchange } }), retention: { finishedForMs } },
      { machine: exchange },
      { machine: endpointMachine, actions: lines.actions, retention: { historyMax } },
      { machine: presenceMachine, retention: { historyMax } },
      { machine: spawnMachine.provide({ actors: { drive: drive as never } }), retention: { finishedForMs: policy.recordRetentionMs } },
    ],
    followers: {
      [endpointMachine.id]: () => ({
        follow: ({ address, state: { snapshot: stored } }) => routes.learn(address, stored.status, stored.value, stored.context as unknown as EndpointContext),
        running: () => 0,
        suspend: () => {},
        end: () => {},
      }),
    },
    opened: (engine, doors) => {
      routes.forget();
      lines.open(doors, engine.status().owner.epoch);
      const openAll = Effect.gen(function* () {
        const [opened] = yield* engine.startAll([{ machine: trayMachine.id, id: idOf(trayAddress), input: { capacity: policy.inboxMax } }]);
        if (opened?.duplicate === true) doors.report(trayAddress, { type: "RESIZE", capacity: policy.inboxMax });
        for (let after = 0; ; ) {
          const page = yield* engine.list({ machine: endpointMachine.id, after, limit: 1_000 });
          for (const { id, address, status, value, context } of page) {
            after = id;
            routes.learn(address, status, value, context as EndpointContext);
            // Its connection was one of an earlier process.
            if (status === "active" && typeof value !== "string") doors.report(address, { type: "OPENED" });
          }
          if (page.length < 1_000) break;
        }
      });
      let isReady = () => {};
      const ready = new Promise<void>((resolve) => {
        isReady = resolve;
      });
      bound = { engine, doors, ready };
      return whenOpened("the broker", doors, openAll, isReady);
    },
    receive,
    message: (id) => Effect.map(messageOf(id), messageView),
    inbox: ({ offset = 0, limit = 100 } = {}) =>
      Effect.gen(function* () {
        const { context } = yield* snapshot(trayAddress);
        const views = yield* Effect.forEach((context as TrayContext).held.slice(offset, offset + limit), (address) => Effect.option(snapshot(address)), { concurrency: 8 });
        return views.flatMap((view) => (view._tag === "Some" ? [messageView(view.value)] : []));
      }),
    dispatch,
    take: (id, holder) => Effect.zipRight(askMessage(id, { type: "TAKE", holder }), Effect.map(messageOf(id), messageView)),
    putBack: (id) =>
      Effect.flatMap(
        askMessage(id, { type: "PUT_BACK" }),
        (answer): ReturnType<Broker["putBack"]> => (answer.type === "REFUSED" ? new InboxFull({ messageId: id, inboxMax: policy.inboxMax }) : Effect.map(messageOf(id), messageView)),
      ),
    settle: (id, note) => Effect.zipRight(askMessage(id, { type: "SETTLE", ...(note === undefined ? {} : { note }) }), Effect.map(messageOf(id), messageView)),
    assignment: (address) =>
      Effect.catchTag(snapshot(address), "UnknownActor", () => new UnknownAssignment({ assignment: address })).pipe(
        Effect.flatMap((view) => (view.machine === exchangeMachine.id ? Effect.succeed(assignmentView(view)) : new UnknownAssignment({ assignment: address }))),
      ),
    endpoint: (id) => Effect.map(endpointOf(id), endpointView),
    endpoints: () =>
      Effect.flatMap(use, ({ engine }) =>
        Effect.gen(function* () {
          const found: Array<ActorView> = [];
          for (let after = 0; ; ) {
            const page = yield* engine.list({ machine: endpointMachine.id, after, limit: 1_000 });
            found.push(...page);
            after = page.at(-1)?.id ?? after;
            if (page.length < 1_000) return found.map(endpointView);
          }
        }),
      ),
    isOnline: (id) =>
      Effect.map(
        Effect.catchTag(snapshot(presenceAddress(id)), "UnknownActor", () => new UnknownEndpoint({ endpoint: id })),
        ({ value }) => value === "online" || value === "fading",
      ),
    attach: (hello, connection) =>
      Effect.gen(function* () {
        const { engine } = yield* use;
        const { endpoint, owner, capabilities = [], mode = "resident_endpoint", session } = hello;
        const address = endpointAddress(endpoint);
        yield* engine.startAll([
          { machine: presenceMachine.id, id: endpoint, input: { endpoint, graceMs: policy.presenceGraceMs, ...(outbox === null ? {} : { outbox }) } },
          { machine: endpointMachine.id, id: endpoint, input: { policy } },
        ]);
        const earlier = routes.get(address)?.owner;
        const ownerLives = earlier !== undefined && earlier !== owner && (yield* Effect.promise(() => lines.isOwnerAlive(earlier)));
        const name = lines.add(address, owner, connection);
        const declared = { owner, capabilities, mode, ...(session === undefined ? {} : { session }) };
        const asked = engine.ask(address, { type: "ATTACH", connection: name, declared, ownerLives }) as Effect.Effect<Answer, Effect.Effect.Error<ReturnType<Engine["ask"]>>>;
        const answer = yield* asked.pipe(
          Effect.tapError(() => Effect.sync(() => lines.drop(name))),
          Effect.catchTag("Unanswered", () => new EndpointRetired({ endpoint })),
        );
        if (answer.type === "REFUSED") {
          lines.drop(name);
          return yield* new NotOwner({ endpoint, detail: String(answer.detail) });
        }
        return makeSession(use, { hello, address, connection: name, incarnation: Number(answer.incarnation), accepted: answer.accepted as ReadonlyArray<string>, policy });
      }),
    retire: (id) =>
      Effect.gen(function* () {
        const { engine } = yield* use;
        yield* Effect.catchTag(engine.send(endpointAddress(id), { type: "RETIRE" }), "UnknownActor", () => new UnknownEndpoint({ endpoint: id }));
      }),
    spawn,
    spawned: (request, { timeout } = {}) =>
      Effect.gen(function* () {
        const { engine } = yield* use;
        const ended = Effect.catchTag(
          engine.waitFor(spawnAddress(request), ({ status }) => status !== "active", timeout === undefined ? {} : { timeout }),
          "UnknownActor",
          () => new SpawnFailed({ request, detail: "nobody made this request" }),
        );
        const { value, context } = yield* ended;
        const { endpoint, failure } = context as SpawnContext;
        if (value !== "attached") return yield* new SpawnFailed({ request, detail: failure?.message ?? "it did not start" });
        return yield* Effect.map(endpointOf(idOf(endpoint)), endpointView);
      }),
    shutDown: () =>
      Effect.gen(function* () {
        const { engine } = yield* use;
        for (const { address, status } of yield* engine.list({ machine: endpointMachine.id, status: "active", limit: 1_000_000 }))
          if (status === "active") yield* engine.send(address, { type: "SHUT_DOWN" });
        yield* engine.settled;
      }),
    deliveries: async (command) => {
      await Effect.runPromise(Effect.asVoid(broker.receive(command.payload as IncomingMessage)));
    },
    control: (command, signal) => control(command, signal),
  };
  const control = makeControl(broker, options, use);
  return broker;
};
