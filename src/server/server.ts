import { randomUUID } from "node:crypto";
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder";
import * as HttpMiddleware from "@effect/platform/HttpMiddleware";
import * as HttpServer from "@effect/platform/HttpServer";
import * as HttpServerRequest from "@effect/platform/HttpServerRequest";
import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import type { InPromises, Outboxes } from "../delivery/index.ts";
import { failureOf } from "../domain/json.ts";
import { type AllNames, checkNames } from "../domain/names.ts";
import { type EngineCore, type Engine, type LogEntry, systemTime, type Taskwright, type Time } from "../engine/index.ts";
import type { Schedules } from "../orchestration/index.ts";
import { actorsLive } from "./actors.ts";
import { problem } from "./answering.ts";
import { api, Authenticated } from "./api/api.ts";
import type { Caller } from "./caller.ts";
import type { Dispatcher } from "../dispatch/index.ts";
import { docsPage, docsPolicy } from "./docs-page.ts";
import { BodyTooLarge, InternalError, InvalidRequest, MethodNotAllowed, ServerClosing, UnknownPath, UnsafeServer, UnsupportedBody } from "./errors.ts";
import { makeGate, type Head } from "./gate.ts";
import type { Gateway, RemoteWorkers } from "./gateway.ts";
import { checkServerLimits, defaultServerLimits, type ServerLimits } from "./limits.ts";
import { type MeterLike, metricsOf, metricsText, observeMetrics } from "./metrics.ts";
import { openApi } from "./open-api.ts";
import { deadLettersLive, machinesLive, outboxesLive, systemLive } from "./operations.ts";
import { isTold, type Problem, problemOf } from "./problem.ts";
import { type RequestIssues, requestIssues } from "./request-issues.ts";
import type { Served } from "./served.ts";
import { session } from "./session.ts";
import { schedulesLive } from "./schedules.ts";
import { makeSubscribers } from "./subscribers.ts";
import { tasksLive } from "./tasks.ts";
import { workersLive } from "./workers.ts";
import { fixedTokens, type StoredToken, type Tokens, tokensOfFile } from "./tokens.ts";

export interface ServerOptions {
  readonly engine: Taskwright | Engine;
  readonly outboxes?: Outboxes | InPromises<Outboxes>;
  readonly dispatcher?: Dispatcher;
  readonly schedules?: Schedules | InPromises<Schedules>;
  /** Workers in other processes: what `dispatchMachines` has as one of its transports. Needs the dispatcher. */
  readonly remoteWorkers?: RemoteWorkers;
  /** Who may do what: a file that is read again when it changes, or the tokens themselves. Absent: only this machine is served. */
  readonly tokens?: string | ReadonlyArray<StoredToken>;
  /** Finds the caller in a request that the host has authenticated itself; nothing: the tokens decide. */
  readonly authenticate?: (head: Head) => Caller | undefined;
  /** Names under which the server may be called, besides loopback names. Without port. */
  readonly allowedHosts?: ReadonlyArray<string>;
  /** Pages that may call it, as "https://example.org". */
  readonly allowedOrigins?: ReadonlyArray<string>;
  /** The path below which it is mounted, where the host does not take it off itself. Default: none. */
  readonly basePath?: string;
  /**
   * What answers below `/inspector`: what `makeInspector` made, where the role `read` may look and `operate` do all, unless it says otherwise;
   * or a function that is told who asks, and decides itself what a caller may do there.
   */
  readonly inspector?: MountedInspector | ((request: Request, caller: Caller) => Promise<Response>);
  readonly limits?: Partial<ServerLimits>;
  /** What the server has to say: refused tokens, dropped subscribers, who did what. Default: errors to standard error. */
  readonly log?: (entry: LogEntry) => void;
  readonly time?: Time;
}

/** An inspector, as a server has it. */
export interface MountedInspector {
  readonly fetch: (request: Request, known: { readonly caller: Caller; readonly base: string }) => Promise<Response>;
  readonly close: () => void;
}

/** Where a request came from, as far as its host knows. */
export interface From {
  /** The address of the other side. Without it and without tokens nobody is served. */
  readonly peer?: string | undefined;
}

/** The HTTP API over one engine, in the shapes that hosts take. */
export interface Server {
  /** Answers a request of the web platform (Hono, Deno, tests). */
  readonly fetch: (request: Request, from?: From) => Promise<Response>;
  /** Looks at the head of a request that is no ordinary one (an upgrade). */
  readonly admit: (head: Head) => ReturnType<ReturnType<typeof makeGate>["admit"]>;
  readonly limits: ServerLimits;
  readonly basePath: string;
  readonly log: (entry: LogEntry) => void;
  readonly isClosing: () => boolean;
  /** The workers in other processes, where the host has given them. */
  readonly gateway: Gateway | undefined;
  /** Whether tokens decide. */
  readonly hasTokens: () => boolean;
  /** Has a meter of OpenTelemetry read the metrics each time that it collects, under the names of `/metrics`. Answers how to end that. */
  readonly observe: <Observable>(meter: MeterLike<Observable>) => Promise<() => void>;
  /** Event streams end with a reason and new requests are refused, but for those of workers: what runs may end. */
  readonly drain: () => void;
  /** Event streams end with a reason, new requests are refused; resolves when those under way are answered. */
  readonly close: () => Promise<void>;
}

const logToStandardError = ({ level, message, data }: LogEntry): void => {
  if (level === "error") console.error(`taskwright: ${message}`, data ?? "");
};

// A misspelled `tokens` would be none.
const optionNames: AllNames<ServerOptions> = {
  engine: true,
  outboxes: true,
  dispatcher: true,
  schedules: true,
  remoteWorkers: true,
  tokens: true,
  authenticate: true,
  allowedHosts: true,
  allowedOrigins: true,
  basePath: true,
  inspector: true,
  limits: true,
  log: true,
  time: true,
};

/** Makes the server; it listens nowhere yet. Throws `UnsafeServer` for options that can't be. */
export const makeServer = (options: ServerOptions): Server => {
  const wrong = checkNames(options, optionNames);
  if (wrong.length > 0) throw new UnsafeServer({ problems: wrong.map((problem) => `makeServer: ${problem}`) });
  const limits: ServerLimits = { ...defaultServerLimits, ...options.limits };
  const basePath = (options.basePath ?? "").replace(/\/+$/, "");
  const problems = [
    ...checkNames(options.limits ?? {}, defaultServerLimits).map((problem) => `limits: ${problem}`),
    ...checkServerLimits(limits),
    ...(basePath === "" || /^(\/[\w.~-]+)+$/.test(basePath) ? [] : [`basePath must be like "/tasks", got ${JSON.stringify(options.basePath)}`]),
  ];
  if (problems.length > 0) throw new UnsafeServer({ problems });
  const time = options.time ?? systemTime();
  const log = options.log ?? logToStandardError;
  const tokens: Tokens = typeof options.tokens === "string" ? tokensOfFile(options.tokens, time, log) : fixedTokens(options.tokens ?? [], time);
  const engine = ("effect" in options.engine ? options.engine.effect : options.engine) as EngineCore;
  const gate = makeGate({ tokens, allowedHosts: options.allowedHosts ?? [], allowedOrigins: options.allowedOrigins ?? [], authenticate: options.authenticate, limits, time, log });
  const callers = new WeakMap<object, Caller>();
  const { inspector } = options;
  const inspectorAnswers = (request: Request, caller: Caller) =>
    typeof inspector === "function" ? inspector(request, caller) : (inspector as MountedInspector).fetch(request, { caller, base: `${basePath}/inspector` });
  const closeInspector = () => typeof inspector === "object" && inspector.close();
  const subscribers = makeSubscribers(engine, limits, time, log);
  const answered = new Map<number, number>();
  let closing: Promise<void> | undefined;
  let isDraining = false;
  const isEnding = () => isDraining || closing !== undefined;
  let underWay = 0;
  let rest: (() => void) | undefined;

  const outboxes = options.outboxes;
  const gateway = options.remoteWorkers?.gateway;
  if (gateway !== undefined && options.dispatcher !== undefined) gateway.bind({ engine, dispatcher: options.dispatcher, limits, time, log });
  const metrics = () => metricsOf(engine, { answered, subscribers: subscribers.count(), dropped: subscribers.dropped(), dispatcher: served.dispatcher, outboxes: served.outboxes });
  const served: Served = {
    engine,
    dispatcher: options.dispatcher,
    gateway: options.dispatcher === undefined ? undefined : gateway,
    outboxes: outboxes !== undefined && "effect" in outboxes ? outboxes.effect : outboxes,
    schedules: options.schedules !== undefined && "effect" in options.schedules ? options.schedules.effect : options.schedules,
    subscribers,
    limits,
    time,
    log,
    callers,
    since: time.now(),
    isClosing: isEnding,
    metrics: async () => metricsText(await metrics()),
  };
  const authenticated = Layer.succeed(Authenticated, {
    bearer: () => Effect.map(HttpServerRequest.HttpServerRequest, ({ source }) => callers.get(source as object) ?? nobody),
  });
  const groups = Layer.mergeAll(
    actorsLive(served),
    deadLettersLive(served),
    outboxesLive(served),
    machinesLive(served),
    systemLive(served),
    workersLive(served),
    tasksLive(served),
    schedulesLive(served),
  );
  const document = openApi();
  const issues = requestIssues(document);
  const failures = HttpApiBuilder.middleware(api, (app) =>
    // Whoever asked has gone away: that is no failure of the server.
    Effect.catchAllCause(app, (cause) =>
      Cause.isInterruptedOnly(cause)
        ? Effect.failCause(cause as Cause.Cause<never>)
        : Effect.map(HttpServerRequest.HttpServerRequest, ({ method, url }) => problem(problemOfCause(cause, { method, path: url, log, issues }))),
    ),
  );
  const live = HttpApiBuilder.api(api).pipe(Layer.provide(groups), Layer.provide(authenticated));
  // Spans are made of what is stored (see `tracing.ts`): one for each request would reach no exporter.
  const untraced = Layer.locallyScoped(HttpMiddleware.currentTracerDisabledWhen, () => true);
  const { handler, dispose } = HttpApiBuilder.toWebHandler(Layer.mergeAll(live, failures, untraced, HttpServer.layerContext));

  const documentText = JSON.stringify(document);
  const page = docsPage(document);
  const methodsOf = routes(document.paths);

  const refuse = (error: Parameters<typeof problemOf>[0], headers: Readonly<Record<string, string>> = {}): Response => {
    const told = problemOf(error);
    const wait = (error as { readonly retryAfterMs?: number }).retryAfterMs;
    const more = { ...(error.status === 401 ? { "www-authenticate": 'Bearer realm="taskwright"' } : {}), ...(wait === undefined ? {} : { "retry-after": String(Math.ceil(wait / 1000)) }) };
    return new Response(JSON.stringify(told), { status: told.status, headers: { "content-type": "application/problem+json", ...more, ...headers } });
  };

  const answer = async (request: Request, path: string, from: From): Promise<Response> => {
    // While what runs may end, remote workers must be able to say that it did.
    const isFor = path.startsWith("/health/") || (closing === undefined && path.startsWith("/v1/worker/"));
    if (isEnding() && !isFor) return refuse(new ServerClosing({}), { connection: "close" });
    const { method, headers } = request;
    const url = new URL(request.url);
    const head: Head = { method, path, urlLength: url.pathname.length + url.search.length, header: (name) => headers.get(name) ?? (name === "host" ? url.host : undefined), peer: from.peer };
    if (method === "OPTIONS" && headers.has("access-control-request-method")) return preflight(head);
    const admitted = gate.admit(path.startsWith("/inspector") && method !== "GET" ? { ...head, method: "GET" } : head);
    if (admitted instanceof Error) return isPage(headers, path) && admitted.status === 401 ? session.form(basePath) : refuse(admitted);
    const response = await route(request, path, url, admitted.caller, from);
    if (admitted.origin !== undefined) {
      response.headers.set("access-control-allow-origin", admitted.origin);
      response.headers.append("vary", "origin");
    }
    return response;
  };
  const preflight = (head: Head): Response => {
    const origin = head.header("origin");
    const admitted = gate.admit({ ...head, method: "GET", path: "/health/live" });
    if (admitted instanceof Error) return refuse(admitted);
    if (origin === undefined || admitted.origin === undefined) return new Response(null, { status: 204 });
    const allow = {
      "access-control-allow-origin": origin,
      "access-control-allow-methods": "GET, POST, PUT, DELETE",
      "access-control-allow-headers": "authorization, content-type, idempotency-key, if-none-match, last-event-id",
      vary: "origin",
    };
    return new Response(null, { status: 204, headers: allow });
  };
  const route = async (request: Request, path: string, url: URL, caller: Caller | undefined, from: From): Promise<Response> => {
    const { method } = request;
    const isRead = method === "GET" || method === "HEAD";
    if (path === "/openapi.json" && isRead) return text(request, documentText, "application/json");
    if (path === "/docs" && isRead) return text(request, page, "text/html; charset=utf-8", { "content-security-policy": docsPolicy });
    if (path === "/session") return session.answer(request, { basePath, isSecure: request.headers.get("x-forwarded-proto") === "https", callerOf: (token) => gate.callerOf(token, from.peer) });
    if (inspector !== undefined && (path === "/inspector" || path.startsWith("/inspector/"))) return inspectorAnswers(request, caller ?? nobody);
    const allowed = methodsOf(path);
    if (allowed === undefined) return refuse(new UnknownPath({ method, path: path.slice(0, 200) }));
    if (!allowed.includes(method === "HEAD" ? "GET" : method)) return refuse(new MethodNotAllowed({ method: method.slice(0, 20), allowed }), { allow: allowed.join(", ") });
    let body: Uint8Array | undefined;
    // What is to be removed is in the path.
    if (!isRead && method !== "DELETE") {
      const type = request.headers.get("content-type") ?? "";
      if (!/^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(type)) return refuse(new UnsupportedBody({ contentType: type.slice(0, 100) }));
      const read = await bodyOf(request, limits.bodyBytesMax);
      if (read === "tooLarge") return refuse(new BodyTooLarge({ bytesMax: limits.bodyBytesMax }), { connection: "close" });
      body = read;
    }
    // Below the place where it is mounted, with the body as it was counted. No whole `Request`: that would copy headers and body once more.
    const counted = body;
    const inner = {
      method: request.method,
      url: `http://taskwright${path}${url.search}`,
      headers: request.headers,
      signal: request.signal,
      text: async () => new TextDecoder().decode(counted),
    } as Request;
    if (caller !== undefined) callers.set(inner, caller);
    return handler(inner);
  };

  return {
    fetch: async (request, from = {}) => {
      underWay++;
      let response: Response;
      try {
        const { pathname } = new URL(request.url);
        const path = basePath === "" ? pathname : pathname === basePath || pathname.startsWith(`${basePath}/`) ? pathname.slice(basePath.length) || "/" : undefined;
        response = path === undefined ? refuse(new UnknownPath({ method: request.method, path: pathname.slice(0, 200) })) : await answer(request, path, from);
      } catch (error) {
        response = refuse(internal(error, log));
      } finally {
        if (--underWay === 0) rest?.();
      }
      answered.set(response.status, (answered.get(response.status) ?? 0) + 1);
      for (const [name, value] of always) if (!response.headers.has(name)) response.headers.set(name, value);
      return response;
    },
    admit: gate.admit,
    limits,
    basePath,
    log,
    isClosing: () => closing !== undefined,
    drain: () => {
      isDraining = true;
      closeInspector();
      subscribers.close();
    },
    gateway: served.gateway,
    observe: (meter) => observeMetrics(metrics, meter),
    hasTokens: () => !tokens.isEmpty() || options.authenticate !== undefined,
    close: () => {
      closing ??= (async () => {
        closeInspector();
        subscribers.close();
        gateway?.closeAll();
        if (underWay > 0)
          await new Promise<void>((resolve) => {
            rest = resolve;
          });
        await dispose();
      })();
      return closing;
    },
  };
};

const nobody: Caller = { name: "nobody", roles: [] };

const always: ReadonlyArray<readonly [string, string]> = [
  ["x-content-type-options", "nosniff"],
  ["cache-control", "no-store"],
  ["referrer-policy", "no-referrer"],
  ["cross-origin-resource-policy", "same-origin"],
  ["content-security-policy", "default-src 'none'; frame-ancestors 'none'"],
];

const text = (request: Request, body: string, type: string, headers: Readonly<Record<string, string>> = {}): Response =>
  new Response(request.method === "HEAD" ? null : body, { headers: { "content-type": type, "cache-control": "no-cache", ...headers } });

/** A browser that opens a page, and can be asked for its token. */
const isPage = (headers: Headers, path: string): boolean => path.startsWith("/inspector") && (headers.get("accept") ?? "").includes("text/html");

/** Which methods a path takes; nothing where there is no such path. */
const routes = (paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>): ((path: string) => ReadonlyArray<string> | undefined) => {
  const known = Object.entries(paths).map(([path, methods]) => ({
    pattern: new RegExp(`^${path.replace(/\{\w+\}/g, "[^/]+")}$`),
    isPlain: !path.includes("{"),
    methods: Object.keys(methods).map((method) => method.toUpperCase()),
  }));
  return (path) => {
    const found = known.filter(({ pattern }) => pattern.test(path));
    return found.length === 0 ? undefined : (found.filter(({ isPlain }) => isPlain)[0] ?? found[0])?.methods.concat(...found.slice(1).map(({ methods }) => methods));
  };
};

/** The body, if it is not too large. */
const bodyOf = async (request: Request, bytesMax: number): Promise<Uint8Array | "tooLarge"> => {
  if (Number(request.headers.get("content-length") ?? 0) > bytesMax) return "tooLarge";
  if (request.body === null) return new Uint8Array();
  const pieces: Array<Uint8Array> = [];
  let bytes = 0;
  for await (const piece of request.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += piece.byteLength;
    if (bytes > bytesMax) return "tooLarge";
    pieces.push(piece);
  }
  return pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces);
};

const internal = (error: unknown, log: (entry: LogEntry) => void): InternalError => {
  const reference = randomUUID();
  log({ level: "error", message: "a request failed", data: { reference, failure: failureOf(error) } });
  return new InternalError({ reference });
};

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly log: (entry: LogEntry) => void;
  readonly issues: RequestIssues;
}

/** The problem for whatever a handler ended with. */
const problemOfCause = (cause: Cause.Cause<unknown>, { method, path, log, issues }: Asked): Problem => {
  const error = Cause.squash(cause) as { readonly _tag?: string; readonly issues?: ReadonlyArray<{ readonly path: ReadonlyArray<PropertyKey>; readonly message: string }>; readonly reason?: string };
  // A problem that a handler failed with.
  if (typeof (error as Partial<Problem>).code === "string" && typeof (error as Partial<Problem>).type === "string" && !(error instanceof Error)) return error as unknown as Problem;
  if (error._tag === "HttpApiDecodeError") return problemOf(new InvalidRequest({ issues: issues.issuesOf(method, path, error.issues ?? []) }));
  if (error._tag === "RouteNotFound") return problemOf(new UnknownPath({ method, path: path.slice(0, 200) }));
  if (error._tag === "RequestError" && error.reason === "Decode") return problemOf(new InvalidRequest({ issues: issues.ofBody(method, path) }));
  return problemOf(isTold(error) ? error : internal(error, log));
};
