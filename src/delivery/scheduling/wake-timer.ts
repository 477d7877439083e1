/** A timer that fires after the shortest of the requested delays, and then forgets them all. */
export class WakeTimer {
  private readonly wake: () => void;
  private timer: NodeJS.Timeout | undefined;
  private dueMs = 0;

  constructor(wake: () => void) {
    this.wake = wake;
  }

  within(delayMs: number): void {
    const dueMs = performance.now() + delayMs;
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
