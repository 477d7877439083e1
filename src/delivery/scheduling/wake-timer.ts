/** One timer that wakes within the shortest of the delays it was asked for; nothing is kept after that. */
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
