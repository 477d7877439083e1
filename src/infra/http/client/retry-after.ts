/**
 * Reads `Retry-After` (RFC 9110, section 10.2.3): seconds, or an HTTP date.
 *
 * @returns milliseconds from now, never negative; undefined if it is missing or not readable
 */
export function retryAfterMs(
  value: string | string[] | undefined,
  nowMs: number,
): number | undefined {
  const text = (Array.isArray(value) ? value[0] : value)?.trim();
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  // Every HTTP date begins with its weekday; `Date.parse` alone would accept "-5".
  if (!/^[A-Z][a-z]{2}/.test(text)) return undefined;
  // The format of C's `asctime` names no zone: it is GMT (RFC 9110, section 5.6.7).
  const at = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}
