import type { LogEntry, Time } from "../engine/index.ts";
import { type Caller, hasRole, type Role } from "./caller.ts";
import { ForeignOrigin, RoleMissing, TooManyRequests, Unauthenticated, UnknownHost, UrlTooLong } from "./errors.ts";
import type { ServerLimits } from "./limits.ts";
import { Rate } from "./rate.ts";
import type { Tokens } from "./tokens.ts";

/** The head of a request, as the gate looks at it. */
export interface Head {
  readonly method: string;
  /** Below the place where the server is mounted. */
  readonly path: string;
  readonly urlLength: number;
  readonly header: (name: string) => string | undefined;
  /** The address from which it came; absent where the host did not say. */
  readonly peer: string | undefined;
}

export interface GateOptions {
  readonly tokens: Tokens;
  /** Names under which the server may be called, without port. Loopback names always count. */
  readonly allowedHosts: ReadonlyArray<string>;
  /** Pages that may call it, as "https://example.org". The server's own always may. */
  readonly allowedOrigins: ReadonlyArray<string>;
  /** Finds the caller in a request that the host has authenticated itself. */
  readonly authenticate: ((head: Head) => Caller | undefined) | undefined;
  readonly limits: ServerLimits;
  readonly time: Time;
  readonly log: (entry: LogEntry) => void;
}

export type Refusal = UnknownHost | ForeignOrigin | Unauthenticated | RoleMissing | TooManyRequests | UrlTooLong;

export interface Admitted {
  /** Absent on paths that are for everybody. */
  readonly caller: Caller | undefined;
  /** The page that may read the answer. */
  readonly origin: string | undefined;
}

export interface Gate {
  readonly admit: (head: Head) => Admitted | Refusal;
  /** Whom a token belongs to that somebody gave by hand. */
  readonly callerOf: (token: string, peer: string | undefined) => Caller | Refusal;
}

const loopbackNames = new Set(["localhost", "127.0.0.1", "[::1]"]);
export const isLoopback = (address: string): boolean => /^(127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/.test(address);

/** Everybody on this machine, where there are no tokens. */
const local: Caller = { name: "local", roles: ["read", "operate", "worker"] };

/** What a cookie of a browser is called. */
export const cookieName = "taskwright_token";

const open = new Set(["/health/live", "/health/ready", "/openapi.json", "/docs", "/session"]);

/** What a request needs, by method and path. */
export const roleFor = (method: string, path: string): Role | undefined => {
  if (open.has(path)) return undefined;
  if (path === "/v1/worker" || path.startsWith("/v1/worker/")) return "worker";
  return method === "GET" || method === "HEAD" ? "read" : "operate";
};

/** Looks at the head of each request before anything else is done with it: where it came from, who sent it, how often. */
export const makeGate = ({ tokens, allowedHosts, allowedOrigins, authenticate, limits, time, log }: GateOptions): Gate => {
  const hosts = new Set([...loopbackNames, ...allowedHosts.map((host) => host.toLowerCase())]);
  const origins = new Set(allowedOrigins);
  const requests = new Rate({ perSecond: limits.requestsPerSecond, burst: limits.requestsBurst, remembered: limits.ratesMax });
  const failures = new Rate({ perSecond: 1 / 6, burst: limits.wrongTokensBurst, remembered: limits.ratesMax });

  const checkPlace = ({ header, method }: Head): { readonly origin: string | undefined } | Refusal => {
    // A page whose name was made to lead here (DNS rebinding) says its own name.
    const host = header("host") ?? "";
    const name = hostName(host);
    if (name === undefined || !hosts.has(name)) return new UnknownHost({ host: host.slice(0, 200) });
    const origin = header("origin");
    if (origin === undefined) {
      if (header("sec-fetch-site") === "cross-site" && method !== "GET" && method !== "HEAD") return new ForeignOrigin({ origin: "another site" });
      return { origin: undefined };
    }
    if (origins.has(origin)) return { origin };
    return isSame(origin, host) ? { origin: undefined } : new ForeignOrigin({ origin: origin.slice(0, 200) });
  };

  const identify = (head: Head): Caller | Refusal => {
    const own = authenticate?.(head);
    if (own !== undefined) return own;
    const { header, peer } = head;
    const who = peer ?? "unknown";
    const token = tokenOf(header);
    if (tokens.isEmpty()) {
      if (authenticate !== undefined) return new Unauthenticated({ detail: "the host did not say who this is" });
      return peer !== undefined && isLoopback(peer) ? local : new Unauthenticated({ detail: "there are no tokens, so only this machine is served" });
    }
    return callerOf(token, who);
  };

  const callerOf = (token: string | undefined, who: string): Caller | Refusal => {
    const now = time.now();
    const wait = failures.waitMs(who, now);
    if (wait > 0) return new TooManyRequests({ caller: who, retryAfterMs: wait });
    if (token === undefined) return new Unauthenticated({ detail: "there is no token in the request" });
    const caller = tokens.callerOf(token);
    if (caller !== undefined) return caller;
    failures.take(who, now);
    log({ level: "warning", message: "a wrong token was sent", data: { peer: who } });
    return new Unauthenticated({ detail: "the token is not one of this server's, or its time is over" });
  };

  return {
    callerOf: (token, peer) => callerOf(token, peer ?? "unknown"),
    admit: (head) => {
      if (head.urlLength > limits.urlLengthMax) return new UrlTooLong({ lengthMax: limits.urlLengthMax });
      const place = checkPlace(head);
      if (place instanceof Error) return place;
      const needs = roleFor(head.method, head.path);
      if (needs === undefined) return { caller: undefined, origin: place.origin };
      const caller = identify(head);
      if (caller instanceof Error) return caller;
      const wait = requests.take(caller.name, time.now());
      if (wait > 0) return new TooManyRequests({ caller: caller.name, retryAfterMs: wait });
      return hasRole(caller, needs) ? { caller, origin: place.origin } : new RoleMissing({ caller: caller.name, needs });
    },
  };
};

/** The name in a Host header; nothing where it is no host. */
const hostName = (host: string): string | undefined => /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::\d{1,5})?$/.exec(host.toLowerCase())?.[1];

const isSame = (origin: string, host: string): boolean => {
  try {
    return new URL(origin).host === new URL(`http://${host}`).host;
  } catch {
    return false;
  }
};

/** The token of a request: in its Authorization, in the subprotocols of a WebSocket, or in the cookie that `/session` set. */
const tokenOf = (header: Head["header"]): string | undefined => {
  const authorization = header("authorization");
  if (authorization !== undefined) return /^Bearer ([\w-]{1,200})$/i.exec(authorization)?.[1] ?? "";
  const protocol = /(?:^|,)\s*taskwright\.token\.([\w-]{1,200})\s*(?:,|$)/.exec(header("sec-websocket-protocol") ?? "")?.[1];
  if (protocol !== undefined) return protocol;
  return new RegExp(`(?:^|;)\\s*${cookieName}=([\\w-]{1,200})\\s*(?:;|$)`).exec(header("cookie") ?? "")?.[1];
};
