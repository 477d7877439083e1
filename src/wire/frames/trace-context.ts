/**
 * W3C Trace Context (https://www.w3.org/TR/trace-context/, section 3.2): the text of the header
 * `traceparent`, `<version>-<trace id>-<span id>-<flags>` in lower-case hex. Our frames carry it
 * unchanged.
 */
const TRACEPARENT =
  /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

export interface TraceContext {
  traceId: string;
  spanId: string;
  sampled: boolean;
}

/** Normalizes a `traceparent`; undefined if it is invalid, as the standard says to ignore those. */
export function normalizeTraceparent(given: unknown): string | undefined {
  if (typeof given !== 'string' || given.length > 256) return undefined;
  const [, version, traceId, spanId, flags, rest] = TRACEPARENT.exec(given) ?? [];
  if (version === undefined || (version === '00' && rest !== undefined)) return undefined;
  // Of a later version only these parts are known; they are passed on as version 00.
  return `00-${traceId}-${spanId}-${flags}`;
}

/** @param traceparent from `normalizeTraceparent` or `formatTraceparent` */
export function parseTraceparent(traceparent: string): TraceContext {
  const [, traceId = '', spanId = '', flags = ''] = traceparent.split('-');
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** The header `traceparent` (W3C Trace Context, version 00). */
export function formatTraceparent({ traceId, spanId, sampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;
}
