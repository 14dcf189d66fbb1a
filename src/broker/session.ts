import * as Effect from "effect/Effect";
import { exchange } from "../../machines/exchange.ts";
import type { ExchangeContext } from "../../machines/exchange.ts";
import { type AssignmentState, brokerStates } from "../domain/exchange.ts";
import type { Doors, Engine, EngineClosed, SentEvent } from "../engine/index.ts";
import type { CallError, Hello, ReplyError, Session, Standing } from "./broker.ts";
import {
  AssignmentOver,
  ConnectorUnavailable,
  EndpointRetired,
  NotAccepted,
  NotAssigned,
  NotAttached,
  NotOwner,
  OutcomeUnknown,
  ReplyConflict,
  ReplyPending,
  ReplyRefused,
  ReservedState,
  UnknownAssignment,
} from "./errors.ts";
import { fingerprintOf } from "./fingerprint.ts";
import type { BrokerPolicy } from "./policy.ts";

interface Attached {
  readonly hello: Hello;
  /** The endpoint's address. */
  readonly address: string;
  readonly connection: string;
  readonly incarnation: number;
  readonly accepted: ReadonlyArray<string>;
  readonly policy: BrokerPolicy;
}

type Use = Effect.Effect<{ readonly engine: Engine; readonly doors: Doors }, EngineClosed>;

/** How long an answer may take beyond what the machine allows itself. */
const marginMs = 30_000;

/** The calls of an endpoint over one connection. */
export const makeSession = (use: Use, { hello, address, connection, incarnation, accepted, policy }: Attached): Session => {
  const { endpoint, owner } = hello;
  const ask = (event: SentEvent, timeoutMs: number) =>
    Effect.flatMap(use, ({ engine }) => Effect.catchTag(engine.ask(address, event, { timeout: timeoutMs }), "Unanswered", () => new EndpointRetired({ endpoint })));
  const refusal = (assignment: string, requestId: string, { code, detail, state }: SentEvent): ReplyError => {
    const text = String(detail ?? "");
    switch (code) {
      case "not_owner":
        return new NotOwner({ endpoint, detail: text });
      case "not_accepted":
        return new NotAccepted({ assignment });
      case "reply_conflict":
        return new ReplyConflict({ assignment, requestId });
      case "reply_pending":
        return new ReplyPending({ assignment });
      case "outcome_unknown":
        return new OutcomeUnknown({ assignment, detail: text });
      case "connector_unavailable":
        return new ConnectorUnavailable({ assignment, detail: text });
      case "reply_refused":
        return new ReplyRefused({ assignment, reason: text });
      case "assignment_over":
        return new AssignmentOver({ assignment, state: String(state ?? "not offered"), detail: text });
      default:
        return new NotAttached({ endpoint });
    }
  };
  const call = (assignment: string, event: SentEvent, timeoutMs = marginMs): Effect.Effect<Standing, ReplyError> =>
    Effect.gen(function* () {
      const { engine } = yield* use;
      const unknown = () => new UnknownAssignment({ assignment });
      const view = yield* Effect.catchTags(engine.snapshot(assignment), { UnknownActor: unknown, InvalidAddress: unknown });
      if (view.machine !== exchange.id) return yield* unknown();
      // An assignment never changes its endpoint.
      const { endpoint: assigned, state } = view.context as ExchangeContext;
      if (assigned !== address) return yield* new NotAssigned({ assignment, endpoint });
      if (view.status !== "active") return yield* new AssignmentOver({ assignment, state: state ?? "declined", detail: "" });
      const requestId = typeof event.requestId === "string" ? event.requestId : "";
      const answer = yield* ask({ type: "CALL", owner, connection, assignment, call: event }, timeoutMs);
      if (answer.type === "REFUSED") return yield* refusal(assignment, requestId, answer);
      return { state: answer.state as AssignmentState, sequence: Number(answer.sequence) };
    });
  /** None but a reply can come to the errors of a reply. */
  const plain = (assignment: string, event: SentEvent) => call(assignment, event) as Effect.Effect<Standing, CallError>;
  return {
    endpoint,
    incarnation,
    accepted,
    accept: (assignment) => plain(assignment, { type: "ACCEPT" }),
    refuse: (assignment, reason) => plain(assignment, { type: "REFUSE", reason }),
    progress: (assignment, state = "processing", note) => {
      if (state === "waiting_for_capability") return plain(assignment, { type: "WAIT_FOR", capability: String(note ?? "") });
      if (state !== "processing" || brokerStates.has(state)) return new ReservedState({ state });
      return plain(assignment, { type: "PROGRESS", ...(note === undefined ? {} : { note }) });
    },
    waitFor: (assignment, capability) => plain(assignment, { type: "WAIT_FOR", capability }),
    fail: (assignment, { reason, retryable = false }) => plain(assignment, { type: "FAIL", reason, retryable }),
    reply: (assignment, requestId, content) =>
      call(assignment, { type: "REPLY", requestId, fingerprint: fingerprintOf(content), content: content ?? null }, policy.acknowledgementTimeoutMs + marginMs),
    heartbeat: () => Effect.flatMap(use, ({ engine }) => Effect.asVoid(engine.send(address, { type: "HEARTBEAT", connection }))),
    detach: () =>
      Effect.gen(function* () {
        const answer = yield* ask({ type: "DETACH", owner, connection }, marginMs);
        if (answer.type === "REFUSED") return yield* refusal("", "", answer) as CallError;
      }),
  };
};
