import type { Clock } from '#domain/clock.ts';
import { limits } from '#domain/limits.ts';

const COUNT_EVERY_MS = 250;

/**
 * Limits how much of a lane's capacity one endpoint's waiting deliveries may use. With n endpoints
 * that have waiting deliveries, each may use 1/(n + 1), so that one part stays free for endpoints
 * that keep up (Choudhury and Hahne 1998, dynamic thresholds).
 */
export class LaneShare {
  private readonly countWaiting: () => number;
  private readonly clock: Clock;
  private share = 0;
  private recountAtMs = 0;

  constructor(countWaiting: () => number, clock: Clock) {
    this.countWaiting = countWaiting;
    this.clock = clock;
  }

  /**
   * The share, in deliveries. Recomputed at most four times a second, as a tenant may have
   * thousands of endpoints.
   */
  now(): number {
    const nowMs = this.clock.monotonicMs();
    if (nowMs >= this.recountAtMs) {
      this.recountAtMs = nowMs + COUNT_EVERY_MS;
      this.share = Math.max(1, Math.floor(limits.laneUnackedMax / (1 + this.countWaiting())));
    }
    return this.share;
  }
}
