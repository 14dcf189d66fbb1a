/** Where a span stands, as W3C Trace Context writes it: `00-<trace id>-<span id>-<flags>`. */
const form = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;

export interface SpanPlace {
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;
}

export const isTraceparent = (text: unknown): text is string => typeof text === "string" && form.test(text);

/** What a traceparent says; nothing where it is none. */
export const placeOf = (text: unknown): SpanPlace | undefined => {
  const [, traceId, spanId, flags] = (typeof text === "string" ? form.exec(text) : null) ?? [];
  return traceId === undefined || spanId === undefined || flags === undefined ? undefined : { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
};

export const traceparentOf = ({ traceId, spanId, sampled }: SpanPlace): string => `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;

/** The traceparent that a payload carries, as an attribute of its own. */
export const traceparentIn = (payload: unknown): string | undefined => {
  const { traceparent } = (typeof payload === "object" && payload !== null ? payload : {}) as { readonly traceparent?: unknown };
  return isTraceparent(traceparent) ? traceparent : undefined;
};
