import type { RateLimit } from '../endpoint/endpoint-policy.ts';

/** Absorbs rounding errors of times, so that a whole token is never one part in 10^6 short. */
const ROUNDING = 1e-6;

/**
 * Admits requests by the generic cell rate algorithm (ITU-T I.371): `perSecond` requests a second,
 * and up to `burst` after an idle time. The only state is the theoretical arrival time, at which
 * all of the burst is available again.
 *
 * `burst` may be a fraction, for a process with a small share of a limit. A request is then
 * admitted from a full fraction, and the time until the next one is as long as for a whole token.
 */
export class Gcra {
  private limit: RateLimit;
  private arrivalMs: number;

  /** @param tokens requests that are available immediately, at most `burst` */
  constructor(limit: RateLimit, tokens: number, nowMs: number) {
    this.limit = limit;
    this.arrivalMs = this.arrivalFor(tokens, nowMs);
  }

  /** Requests that are available now; negative after a request from a fraction. */
  available(nowMs: number): number {
    return this.limit.burst - Math.max(0, this.arrivalMs - nowMs) / this.intervalMs;
  }

  /** Number of requests, up to `count`, that can be admitted now. */
  admissible(count: number, nowMs: number): number {
    const tokens = this.available(nowMs) + ROUNDING;
    const whole = Math.floor(tokens);
    if (whole >= 1) return Math.min(count, whole);
    return count >= 1 && tokens >= Math.min(1, this.limit.burst) ? 1 : 0;
  }

  /** Consumes `count` tokens. Call it for admissible requests only. */
  take(count: number, nowMs: number): void {
    this.arrivalMs = Math.max(this.arrivalMs, nowMs) + count * this.intervalMs;
  }

  /** Milliseconds until one request is admissible; 0: now. */
  waitMs(nowMs: number): number {
    const missing = Math.min(1, this.limit.burst) - this.available(nowMs) - ROUNDING;
    return Math.max(0, missing * this.intervalMs);
  }

  /** Milliseconds until the whole burst is available. */
  fullInMs(nowMs: number): number {
    return Math.max(0, this.arrivalMs - nowMs);
  }

  /**
   * Changes the limit. Available tokens are kept, up to the new burst: a larger burst fills at the
   * new rate, so that a change of shares between processes creates no tokens.
   */
  configure(limit: RateLimit, nowMs: number): void {
    const tokens = this.available(nowMs);
    this.limit = limit;
    this.arrivalMs = this.arrivalFor(tokens, nowMs);
  }

  private get intervalMs(): number {
    return 1000 / this.limit.perSecond;
  }

  private arrivalFor(tokens: number, nowMs: number): number {
    return nowMs + Math.max(0, this.limit.burst - tokens) * this.intervalMs;
  }
}
