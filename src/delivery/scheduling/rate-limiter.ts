import type { RateLimit } from '#domain/endpoint/endpoint-policy.ts';

/**
 * Token bucket (DL-9): holds up to `burst` tokens, refilled at `perSecond`; a request consumes one.
 * It also assigns time slots to deliveries that are parked because they would wait too long in
 * memory. Each gets the slot after the last one assigned, so that they return in order and at the
 * endpoint's rate.
 *
 * A new bucket is full: after a restart, or at another worker, an endpoint may get one extra burst.
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

  /** Changes the limit. Saved tokens are kept up to the new burst. */
  configure(limit: RateLimit): void {
    const { perSecond, burst } = this.limit;
    // Another setting of the endpoint changed: parked deliveries keep their slots.
    if (limit.perSecond === perSecond && limit.burst === burst) return;
    this.fill();
    this.limit = limit;
    this.tokens = Math.min(this.tokens, limit.burst);
    this.lastSlotMs = Number.NEGATIVE_INFINITY;
  }

  /**
   * Whether the bucket is full and no slot is reserved, so that a new limiter would behave the
   * same.
   */
  get isFull(): boolean {
    this.fill();
    return this.tokens >= this.limit.burst && this.lastSlotMs <= this.now();
  }

  /** Milliseconds until the delivery behind `ahead` others gets a token; 0 if there is one now. */
  waitMs(ahead: number): number {
    this.fill();
    const missing = ahead + 1 - this.tokens;
    return missing <= 0 ? 0 : (missing / this.limit.perSecond) * 1000;
  }

  /** As `waitMs`, for a delivery that has not been parked yet: it starts after all parked ones. */
  waitBehindParkedMs(ahead: number): number {
    const waitMs = this.waitMs(ahead);
    return Math.max(waitMs, this.lastSlotMs + this.intervalMs - this.now());
  }

  /** Takes a token. Call it only while `waitMs(0)` is 0. */
  take(): void {
    this.fill();
    this.tokens--;
  }

  /**
   * Reserves the next slot for a delivery parked behind `ahead` waiting ones. Returns milliseconds
   * from now.
   */
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
    // Add a margin for rounding errors: otherwise the last fraction of a token needs another timer.
    this.tokens = Math.min(this.limit.burst, this.tokens + gained + 1e-9);
    this.filledMs = nowMs;
  }
}
