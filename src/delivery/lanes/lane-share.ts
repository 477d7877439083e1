import { limits } from '#domain/limits.ts';

const COUNT_EVERY_MS = 250;

/**
 * How much of what a lane may bring one endpoint may keep waiting: with n endpoints that keep something waiting,
 * one part of n + 1, so that a part stays free for those that keep up (Choudhury and Hahne 1998, dynamic thresholds).
 */
export class LaneShare {
  private readonly countWaiting: () => number;
  private share = 0;
  private countAgainMs = 0;

  constructor(countWaiting: () => number) {
    this.countWaiting = countWaiting;
  }

  /** Deliveries; counted anew four times a second, as a tenant may have thousands of endpoints. */
  now(): number {
    const nowMs = performance.now();
    if (nowMs >= this.countAgainMs) {
      this.countAgainMs = nowMs + COUNT_EVERY_MS;
      this.share = Math.max(1, Math.floor(limits.laneInHandMax / (1 + this.countWaiting())));
    }
    return this.share;
  }
}
