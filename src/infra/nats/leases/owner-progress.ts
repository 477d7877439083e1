/** Interval at which the owner's event loop increments its progress counter. */
export const PROGRESS_EVERY_MS = 250;

/**
 * How long the owner's event loop may be busy in one turn before its leases are no longer renewed.
 * The leases then end within `LEASE_MS`, and other processes acquire the shards. It is longer than
 * the longest turn of the process, and shorter than a delay that a receiver would notice.
 */
export const OWNER_STUCK_MS = 10_000;

/** Reads the counter of an event loop from another thread. */
export class OwnerProgress {
  private readonly counter: Int32Array;
  private readonly now: () => number;
  private seen: number;
  private changedMs: number;

  /** @param now monotonic milliseconds of this thread */
  constructor(memory: SharedArrayBuffer, now: () => number) {
    this.counter = new Int32Array(memory);
    this.now = now;
    this.seen = Atomics.load(this.counter, 0);
    this.changedMs = now();
  }

  /** Whether the counter changed in the last `OWNER_STUCK_MS`. Call it at shorter intervals. */
  isRecent(): boolean {
    const count = Atomics.load(this.counter, 0);
    if (count !== this.seen) {
      this.seen = count;
      this.changedMs = this.now();
    }
    return this.now() - this.changedMs < OWNER_STUCK_MS;
  }
}
