/**
 * Delays between the tries of one operation: binary exponential back-off (Metcalfe and Boggs,
 * 1976). The first delay is `firstMs`, each further one twice the last, at most `maxMs`. An
 * operation that fails for long therefore costs little, and a short fault delays it little.
 */
export interface BackoffRange {
  firstMs: number;
  /** At least `firstMs`; the same: a constant delay. */
  maxMs: number;
}

export class Backoff {
  private readonly range: BackoffRange;
  private upcomingMs: number;

  constructor(range: BackoffRange) {
    this.range = range;
    this.upcomingMs = range.firstMs;
  }

  /** The delay that `next` will return. */
  get peekMs(): number {
    return this.upcomingMs;
  }

  /** Returns the delay before the next try, in milliseconds. */
  next(): number {
    const delayMs = this.upcomingMs;
    this.upcomingMs = Math.min(delayMs * 2, this.range.maxMs);
    return delayMs;
  }

  /** Begins with the first delay again, after a success. */
  reset(): void {
    this.upcomingMs = this.range.firstMs;
  }
}
