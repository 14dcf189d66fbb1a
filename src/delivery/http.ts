import { Agent as PlainAgent, type IncomingHttpHeaders, validateHeaderName, validateHeaderValue } from "node:http";
import { Agent as SecureAgent } from "node:https";
import type { SecureContextOptions } from "node:tls";
import { failureOf } from "../domain/json.ts";
import { type AllNames, checkNames } from "../domain/names.ts";
import type { Verdict } from "../domain/outbox.ts";
import { traceparentIn } from "../domain/traceparent.ts";
import { InvalidOptions, systemTime, type Time } from "../engine/index.ts";
import { Cancellation, follow } from "./cancellation.ts";
import { type DeliveryAttempt, delivered, type Destination, type Entry, refused, retry, unknownOutcome } from "./destination.ts";
import { isPublic, literalOf, type Lookup, publicLookup, resolve } from "./http-addresses.ts";
import { exchange, type HttpLine, type HttpResult } from "./http-request.ts";
import { retryAfterMs } from "./http-retry-after.ts";
import { keyOf, signatureHeaders } from "./http-signature.ts";

type Headers = Readonly<Record<string, string>>;

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** As UTF-8; the first `answerBytesMax` bytes of it. */
  readonly body: string;
  /** False where the body was too long, or broke off. */
  readonly isWhole: boolean;
}

/** All times in milliseconds. */
export interface HttpOptions {
  /** Where entries go: `http:` or `https:`, without a user or password in it. */
  readonly url: string | URL | ((entry: Entry) => string | URL);
  /** Default: `POST`. */
  readonly method?: "POST" | "PUT" | "PATCH";
  /** What is sent as JSON; default: the entry's payload. The same entry must give the same body at every attempt. */
  readonly body?: (entry: Entry) => unknown;
  /** Beside those of this destination, to the origin of `url` only. A function is asked at each request, so it may carry what `recover` renewed. */
  readonly headers?: Headers | ((entry: Entry, attempt: DeliveryAttempt) => Headers | PromiseLike<Headers>);
  /** Secrets `whsec_…` of 24 to 64 bytes: requests are signed with each, as "Standard Webhooks" says. */
  readonly secrets?: ReadonlyArray<string> | ((entry: Entry) => ReadonlyArray<string>);
  /** Renews credentials after a 401 or 403. It is asked once per attempt, and once for all that are under way together; then the request is sent again. */
  readonly recover?: (status: number, signal: AbortSignal) => unknown;
  /** Says of an answer what the status does not say; undefined: the status decides. Where it throws, the outcome is unknown. */
  readonly judge?: (answer: HttpAnswer, entry: Entry) => Verdict | undefined;
  /** How long one attempt may take, with its redirects and the answer's body; less than the outbox's `attemptTimeoutMs`. Default: 20 s. */
  readonly timeoutMs?: number;
  /** Redirects that one attempt follows. Default: 3. */
  readonly redirectsMax?: number;
  /** Hosts, with their port where it is not the usual one, to which a redirect may lead beside the origin of `url`. Never from `https:` to `http:`. */
  readonly redirectHosts?: ReadonlyArray<string>;
  /** Bytes of an answer's body that are read. Default: 65,536. */
  readonly answerBytesMax?: number;
  /** The longest `Retry-After` that is believed. Default: 1 hour. */
  readonly retryAfterMaxMs?: number;
  /** Connections to one host at the same time. Default: 8. */
  readonly connectionsMax?: number;
  /** How long an unused connection is kept; 0: each request has its own. Default: 4 s, less than servers usually keep theirs. */
  readonly keepAliveMs?: number;
  /** Whom to trust, and who this is, for `https:`: `ca`, `cert`, `key` and the like of `node:tls`. */
  readonly tls?: SecureContextOptions;
  /** Also deliver to loopback, private and other addresses that are not public. Default: no. */
  readonly allowPrivate?: boolean;
  /** How names become addresses; default: as the system does it. */
  readonly lookup?: Lookup;
  /** The clock. Default: the system's. */
  readonly time?: Time;
}

const defaults = { timeoutMs: 20_000, redirectsMax: 3, answerBytesMax: 65_536, retryAfterMaxMs: 3_600_000, connectionsMax: 8, keepAliveMs: 4_000 };

/** What a redirect keeps its method and body through. 303 leads to something else. */
const redirects: ReadonlySet<number> = new Set([301, 302, 307, 308]);

/** Headers that are this destination's own, or the connection's. */
const reserved: ReadonlySet<string> = new Set(["host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect", "idempotency-key", "occurred-at"]);

/**
 * A destination that sends each entry as one HTTP request with a JSON body, its key as `Idempotency-Key` and the moment
 * it happened as `Occurred-At` (ISO 8601). A `traceparent` of its payload, or of whoever traces, is a header. Statuses decide:
 * - 2xx and 409 are delivered: with 409 the receiver has it, or does not want it.
 * - 5xx, 408 and 429 are tried again, not before `Retry-After`. So are 401 and 403, after one recovery.
 * - Redirects are followed within bounds. Everything else is refused for good.
 * - Without a status it is tried again where the request was not written to its end, and unknown where it was.
 *
 * Throws `InvalidOptions`.
 */
export const httpDestination = (options: HttpOptions): Destination => {
  const settings = { ...defaults, ...options };
  const problems = problemsOf(options, settings);
  if (problems.length > 0) throw new InvalidOptions({ problems });
  const time = options.time ?? systemTime();
  const allowsPrivate = options.allowPrivate === true;
  const agents = agentsOf(settings);
  const lookup = publicLookup(options.lookup ?? resolve, allowsPrivate);
  const fixedUrl = typeof options.url === "function" ? undefined : urlOf(options.url, allowsPrivate);
  const fixedHeaders = typeof options.headers === "object" ? checked(options.headers) : {};
  const lineTo = (url: URL): HttpLine => ({ agent: url.protocol === "https:" ? agents.secure : agents.plain, lookup, answerBytesMax: settings.answerBytesMax });
  const recovery = options.recover === undefined ? undefined : makeRecovery(options.recover);

  const send = async (entry: Entry, attempt: number, cancellation: Cancellation, traceparent: string | undefined): Promise<Verdict> => {
    const origin = typeof options.url === "function" ? urlOf(options.url(entry), allowsPrivate) : (fixedUrl as URL | string);
    if (typeof origin === "string") return refused(origin);
    const body = JSON.stringify((options.body === undefined ? entry.payload : options.body(entry)) ?? null);
    const secrets = typeof options.secrets === "function" ? options.secrets(entry) : (options.secrets ?? []);
    const given = options.headers;
    const request = (url: URL): Promise<HttpResult> => {
      if (url !== origin && url.origin !== origin.origin) return requestWith(url, {});
      if (typeof given !== "function") return requestWith(url, fixedHeaders);
      const told = {
        attempt,
        ...(traceparent === undefined ? {} : { traceparent }),
        get signal() {
          return cancellation.signal;
        },
      };
      return within(cancellation, () => given(entry, told)).then((headers) => requestWith(url, checked(headers)));
    };
    const requestWith = (url: URL, extra: Headers): Promise<HttpResult> => {
      const headers = {
        "content-type": "application/json",
        ...(traceparent === undefined ? {} : { traceparent }),
        ...extra,
        "idempotency-key": keyText(entry.key),
        "occurred-at": new Date(entry.occurredAt).toISOString(),
        ...(secrets.length === 0 ? {} : signatureHeaders(secrets, { id: keyText(entry.key), at: time.now(), body })),
      };
      return exchange({ url, method: settings.method ?? "POST", headers, body }, lineTo(url), cancellation);
    };

    let url = origin;
    let followed = 0;
    for (let recovered = false; ; ) {
      const asked = recovery?.count();
      const result = await request(url);
      if (result.result === "broken") return result.wasWritten ? unknownOutcome(`it was sent, and not answered: ${result.reason}`) : retry(`it could not be sent: ${result.reason}`);
      const { status, headers } = result;
      if ((status === 401 || status === 403) && recovery !== undefined && !recovered) {
        recovered = true;
        try {
          await recovery.recover(status, cancellation, asked ?? 0);
        } catch (error) {
          return retry(`answered ${status}, and the credentials could not be renewed: ${failureOf(error).message}`);
        }
        continue;
      }
      if (redirects.has(status) && headers.location !== undefined) {
        const next = redirectOf(url, headers.location, { origin, hosts: settings.redirectHosts ?? [], allowsPrivate });
        if (typeof next === "string") return refused(`answered ${status}, and ${next}`);
        if (++followed > settings.redirectsMax)
          return refused(`answered ${status}, and ${settings.redirectsMax} redirects were followed already; give the last address as the url, or raise redirectsMax`);
        url = next;
        continue;
      }
      return judged(result) ?? byStatus(result);
    }

    function judged({ status, headers, body: text, isWhole }: HttpAnswer): Verdict | undefined {
      try {
        return options.judge?.({ status, headers, body: text, isWhole }, entry);
      } catch (error) {
        return unknownOutcome(`answered ${status}, and the answer can't be judged: ${failureOf(error).message}`);
      }
    }
  };

  const byStatus = ({ status, headers, body }: HttpAnswer): Verdict => {
    if ((status >= 200 && status < 300) || status === 409) return delivered;
    const reason = `answered ${status}${excerptOf(body)}`;
    if (status === 401 || status === 403) return retry(reason);
    if (status < 500 && status !== 408 && status !== 429) return refused(reason);
    const after = retryAfterMs(headers, time.now());
    return retry(reason, after === undefined ? undefined : Math.min(after, settings.retryAfterMaxMs));
  };

  return (entry, attempt) => {
    const cancellation = new Cancellation();
    const forget = follow(cancellation, attempt);
    const cancelTimeout = time.wakeAt(time.now() + settings.timeoutMs, () => cancellation.cancel(new Error(`it took longer than ${settings.timeoutMs} ms`)));
    return send(entry, attempt.attempt, cancellation, attempt.traceparent ?? traceparentIn(entry.payload)).finally(() => {
      cancelTimeout();
      forget();
    });
  };
};

type Settings = HttpOptions & typeof defaults;

const optionNames: AllNames<HttpOptions> = {
  url: true,
  method: true,
  body: true,
  headers: true,
  secrets: true,
  recover: true,
  judge: true,
  timeoutMs: true,
  redirectsMax: true,
  redirectHosts: true,
  answerBytesMax: true,
  retryAfterMaxMs: true,
  connectionsMax: true,
  keepAliveMs: true,
  tls: true,
  allowPrivate: true,
  lookup: true,
  time: true,
};

const problemsOf = (options: HttpOptions, settings: Settings): ReadonlyArray<string> => {
  const problems = [...checkNames(options, optionNames)];
  const bounded = (name: keyof typeof defaults, least: number) => {
    if (!Number.isSafeInteger(settings[name]) || settings[name] < least) problems.push(`${name} must be a whole number from ${least}, got ${String(settings[name])}`);
  };
  for (const name of ["timeoutMs", "connectionsMax"] as const) bounded(name, 1);
  for (const name of ["redirectsMax", "answerBytesMax", "retryAfterMaxMs", "keepAliveMs"] as const) bounded(name, 0);
  const attempt = (check: () => unknown) => {
    try {
      check();
    } catch (error) {
      problems.push(failureOf(error).message);
    }
  };
  if (typeof options.url !== "function") {
    const url = urlOf(options.url, options.allowPrivate === true);
    if (typeof url === "string") problems.push(url);
  }
  if (typeof options.secrets === "object") for (const secret of options.secrets) attempt(() => keyOf(secret));
  if (typeof options.headers === "object") attempt(() => checked(options.headers as Headers));
  return problems;
};

const agentsOf = ({ connectionsMax, keepAliveMs, tls }: Settings): { readonly plain: PlainAgent; readonly secure: SecureAgent } => {
  const settings = { keepAlive: keepAliveMs > 0, maxSockets: connectionsMax, maxFreeSockets: connectionsMax, ...(keepAliveMs > 0 ? { timeout: keepAliveMs } : {}) };
  return { plain: new PlainAgent(settings), secure: new SecureAgent({ ...tls, ...settings }) };
};

/** A URL that may be asked, or what is wrong with it. Numbers of any form are addresses here already: the parser reads them. */
const urlOf = (text: string | URL, allowsPrivate: boolean): URL | string => {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return `${JSON.stringify(text)} is no URL; give one that begins with https://`;
  }
  return wrongWith(url, allowsPrivate) ?? url;
};

const wrongWith = (url: URL, allowsPrivate: boolean): string | undefined => {
  if (url.protocol !== "https:" && url.protocol !== "http:") return `"${url.protocol}" is not spoken here; give a URL with http: or https:`;
  if (url.username !== "" || url.password !== "") return "a URL must not carry a user or password; pass them in the headers";
  const address = literalOf(url);
  if (!allowsPrivate && address !== undefined && !isPublic(address)) return `${address} is no public address; pass allowPrivate where that is meant`;
  return undefined;
};

interface Bounds {
  readonly origin: URL;
  readonly hosts: ReadonlyArray<string>;
  readonly allowsPrivate: boolean;
}

/** Where a redirect leads, or why it is not followed. */
const redirectOf = (from: URL, location: string, { origin, hosts, allowsPrivate }: Bounds): URL | string => {
  let to: URL;
  try {
    to = new URL(location, from);
  } catch {
    return "its location is no URL";
  }
  const wrong = wrongWith(to, allowsPrivate);
  if (wrong !== undefined) return `its location can't be asked: ${wrong}`;
  if (to.origin === origin.origin) return to;
  if (!hosts.includes(to.host)) return `its location is on "${to.host}", which is another origin; give it as the url, or name it in redirectHosts`;
  return from.protocol === "https:" && to.protocol === "http:" ? "its location is not encrypted any more" : to;
};

const checked = (headers: Headers): Headers => {
  const lower: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    const key = name.toLowerCase();
    if (reserved.has(key) || key.startsWith("webhook-")) throw new Error(`the header "${name}" is set by the destination itself; leave it out`);
    lower[key] = value;
  }
  return lower;
};

/** A key as header text: what a header can't carry is percent-encoded, so that two keys stay two. */
const keyText = (key: string): string =>
  key.replace(/[^\x21-\x24\x26-\x7e]/gu, (character) => Array.from(Buffer.from(character), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""));

const excerptCharactersMax = 200;
const excerptOf = (body: string): string => {
  const text = body.replace(/[\s\p{Cc}]+/gu, " ").trim();
  return text === "" ? "" : `: ${text.length > excerptCharactersMax ? `${text.slice(0, excerptCharactersMax)}…` : text}`;
};

/** Waits for code of the host, which may not look at its signal. Rejects at the cancellation. */
const within = async <A>(cancellation: Cancellation, call: () => A | PromiseLike<A>): Promise<A> => {
  let forget = () => {};
  const cancelled = new Promise<never>((_, reject) => {
    forget = cancellation.onCancel(() => reject(cancellation.reason));
  });
  try {
    return await Promise.race([Promise.resolve().then(call), cancelled]);
  } finally {
    forget();
  }
};

/** One recovery for all requests that were refused before it ended. */
const makeRecovery = (run: NonNullable<HttpOptions["recover"]>) => {
  let done = 0;
  let underWay: Promise<void> | undefined;
  return {
    count: () => done,
    /** `asked`: the count when the request was made. Rejects with what `run` throws, or when its time is over. */
    recover: async (status: number, cancellation: Cancellation, asked: number): Promise<void> => {
      if (asked < done) return;
      underWay ??= within(cancellation, () => run(status, cancellation.signal))
        .then(() => {
          done++;
        })
        .finally(() => {
          underWay = undefined;
        });
      await within(cancellation, () => underWay as Promise<void>);
    },
  };
};
