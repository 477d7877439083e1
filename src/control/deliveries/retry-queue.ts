/**
 * Works through a set of keys: each key at most once at a time, several keys in parallel, each
 * until it succeeds. A key that is added while it is being processed is processed once more.
 * Failed keys are set aside and retried together, after a delay that doubles until all have
 * succeeded. So no key is lost while the database or the broker is unavailable, and a key that
 * always fails does not delay the others. Memory is bounded by the number of different keys.
 */
import { Backoff } from '#domain/contention/backoff.ts';

const RETRY_DELAYS = { firstMs: 100, maxMs: 5000 };

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
  private readonly backoff = new Backoff(RETRY_DELAYS);
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

  /** Resolves when no work is left or the queue is stopped. */
  async idle(): Promise<void> {
    if (this.stopped || this.size === 0) return;
    await new Promise<void>((resolve) => this.idleWaiters.push(resolve));
  }

  /** Starts no more work; does not wait for work in progress. */
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
    if (this.failed.size === 0 && this.timer === undefined) this.backoff.reset();
    if (this.size === 0) this.wakeIdle();
  }

  private retryLater(key: string): void {
    // Unless the key was added again: then it already waits for its next run.
    if (!this.waiting.has(key)) this.failed.add(key);
    if (this.timer !== undefined) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      for (const each of this.failed) this.waiting.add(each);
      this.failed.clear();
      this.pump();
    }, this.backoff.next());
  }

  private wakeIdle(): void {
    const waiters = this.idleWaiters;
    this.idleWaiters = [];
    for (const wake of waiters) wake();
  }
}
