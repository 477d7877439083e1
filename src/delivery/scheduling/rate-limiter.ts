import type { RateLimit } from '#domain/endpoint/endpoint-policy.ts';

/**
 * A token bucket (DL-9): `burst` tokens, filled at `perSecond`; a request takes one. Beside it, the slots of
 * what is parked because it would wait too long in memory: each parked delivery gets the slot after the last
 * one given, so that they come back at the endpoint's pace and in their order.
 *
 * It is full when it is made: an endpoint that begins anew (a restart, another worker) may get one burst more.
 */
export class RateLimiter {
  private readonly now: () => number;
  private limit: RateLimit;
  private tokens: number;
  private filledMs: number;
  private lastSlotMs = Number.NEGATIVE_INFINITY;

  /** @param now monotonic milliseconds */
  constructor(limit: RateLimit, now: () => number) {
    this.now = now;
    this.limit = limit;
    this.tokens = limit.burst;
    this.filledMs = now();
  }

  /** Another limit from now on; what was saved up under the old one is kept as far as the new one allows. */
  configure(limit: RateLimit): void {
    const { perSecond, burst } = this.limit;
    // Another change of the tenant: what is parked keeps its slots.
    if (limit.perSecond === perSecond && limit.burst === burst) return;
    this.fill();
    this.limit = limit;
    this.tokens = Math.min(this.tokens, limit.burst);
    this.lastSlotMs = Number.NEGATIVE_INFINITY;
  }

  /** The bucket is full, and nothing is parked: a new one would say the same. */
  get isRested(): boolean {
    this.fill();
    return this.tokens >= this.limit.burst && this.lastSlotMs <= this.now();
  }

  /** Milliseconds until there is a token for who comes after `ahead` others; 0: now. */
  waitMs(ahead: number): number {
    this.fill();
    const missing = ahead + 1 - this.tokens;
    return missing <= 0 ? 0 : (missing / this.limit.perSecond) * 1000;
  }

  /** As `waitMs`, for a delivery that has not been parked yet: not before those that are. */
  waitBehindParkedMs(ahead: number): number {
    const waitMs = this.waitMs(ahead);
    return Math.max(waitMs, this.lastSlotMs + this.intervalMs - this.now());
  }

  /** Takes a token. Call only where `waitMs(0)` is 0. */
  take(): void {
    this.fill();
    this.tokens--;
  }

  /** Gives the next slot, in milliseconds from now, to a delivery that is parked behind `ahead` that wait here. */
  reserveSlotMs(ahead: number): number {
    const inMs = this.waitBehindParkedMs(ahead);
    this.lastSlotMs = this.now() + inMs;
    return inMs;
  }

  private get intervalMs(): number {
    return 1000 / this.limit.perSecond;
  }

  private fill(): void {
    const nowMs = this.now();
    const gained = ((nowMs - this.filledMs) / 1000) * this.limit.perSecond;
    // Small errors of floating point would put the last part of a token off by another timer.
    this.tokens = Math.min(this.limit.burst, this.tokens + gained + 1e-9);
    this.filledMs = nowMs;
  }
}
