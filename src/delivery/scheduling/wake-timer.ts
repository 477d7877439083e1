import type { Clock } from '#domain/clock.ts';

/** A timer that fires after the shortest of the requested delays, and then forgets them all. */
export class WakeTimer {
  private readonly clock: Clock;
  private readonly wake: () => void;
  private timer: NodeJS.Timeout | undefined;
  private dueMs = 0;

  constructor(clock: Clock, wake: () => void) {
    this.clock = clock;
    this.wake = wake;
  }

  within(delayMs: number): void {
    const dueMs = this.clock.monotonicMs() + delayMs;
    if (this.timer !== undefined && this.dueMs <= dueMs) return;
    this.stop();
    this.dueMs = dueMs;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.wake();
    }, delayMs);
    this.timer.unref();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }
}
