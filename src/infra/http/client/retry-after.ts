/**
 * Reads `Retry-After` (RFC 9110, section 10.2.3): seconds, or an HTTP date.
 *
 * @returns milliseconds from now, never negative; undefined where there is none or it is not readable
 */
export function retryAfterMs(
  value: string | string[] | undefined,
  nowMs: number,
): number | undefined {
  const text = (Array.isArray(value) ? value[0] : value)?.trim();
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  // Every form of an HTTP date begins with its weekday; `Date.parse` alone would read "-5" as one too.
  if (!/^[A-Z][a-z]{2}/.test(text)) return undefined;
  // The form of C's `asctime` names no zone: it is GMT (RFC 9110, section 5.6.7).
  const at = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}
