/**
 * Keys that still have to be worked on: each at most once at a time, some at once, again until it succeeds.
 * A key that is added while it is being worked on is worked on once more.
 *
 * Keys whose work failed wait aside and are tried again together, after a delay that doubles until none is
 * left there: while the database or the broker is away nothing is forgotten, and a key that cannot succeed
 * does not hold up the others. Bounded by the number of different keys.
 */
const RETRY_MS = { first: 100, max: 5000 };

export interface RetryQueueDeps {
  work: (key: string) => Promise<void>;
  onFailure: (key: string, error: unknown) => void;
  concurrency: number;
}

export class RetryQueue {
  private readonly deps: RetryQueueDeps;
  private readonly waiting = new Set<string>();
  private readonly failed = new Set<string>();
  private readonly working = new Set<string>();
  private idleWaiters: (() => void)[] = [];
  private timer: NodeJS.Timeout | undefined;
  private retryMs: number = RETRY_MS.first;
  private stopped = false;

  constructor(deps: RetryQueueDeps) {
    this.deps = deps;
  }

  get size(): number {
    return this.waiting.size + this.working.size + this.failed.size;
  }

  add(key: string): void {
    if (this.stopped) return;
    this.failed.delete(key);
    this.waiting.add(key);
    this.pump();
  }

  /** Resolves when nothing is left to do, or the queue was stopped. */
  async idle(): Promise<void> {
    if (this.stopped || this.size === 0) return;
    await new Promise<void>((resolve) => this.idleWaiters.push(resolve));
  }

  /** Starts nothing more; what is being worked on is not waited for. */
  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    this.waiting.clear();
    this.failed.clear();
    this.wakeIdle();
  }

  private pump(): void {
    for (const key of this.waiting) {
      if (this.working.size >= this.deps.concurrency) return;
      if (this.working.has(key)) continue;
      this.waiting.delete(key);
      this.working.add(key);
      void this.run(key);
    }
  }

  private async run(key: string): Promise<void> {
    let error: unknown;
    let failed = false;
    try {
      await this.deps.work(key);
    } catch (thrown) {
      error = thrown;
      failed = true;
    }
    this.working.delete(key);
    if (this.stopped) return;
    if (failed) {
      this.deps.onFailure(key, error);
      this.retryLater(key);
    }
    this.pump();
    if (this.failed.size === 0 && this.timer === undefined) this.retryMs = RETRY_MS.first;
    if (this.size === 0) this.wakeIdle();
  }

  private retryLater(key: string): void {
    // Added again meanwhile: it has its next turn already.
    if (!this.waiting.has(key)) this.failed.add(key);
    if (this.timer !== undefined) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      for (const each of this.failed) this.waiting.add(each);
      this.failed.clear();
      this.pump();
    }, this.retryMs);
    this.retryMs = Math.min(this.retryMs * 2, RETRY_MS.max);
  }

  private wakeIdle(): void {
    const waiters = this.idleWaiters;
    this.idleWaiters = [];
    for (const wake of waiters) wake();
  }
}
