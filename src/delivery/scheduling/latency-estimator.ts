import type { Clock } from '#domain/clock.ts';

/** Weight of the newest turn in the moving average. */
const SMOOTHING = 0.2;

/** Estimates how long a turn of an endpoint takes. */
export class LatencyEstimator {
  private readonly startedMs = new Set<{ ms: number }>();
  private readonly clock: Clock;
  private averageMs = 50;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Records the start of a turn. Call the returned function when the turn ends. */
  start(): () => void {
    const started = { ms: this.clock.monotonicMs() };
    this.startedMs.add(started);
    return () => {
      this.startedMs.delete(started);
      this.averageMs += (this.clock.monotonicMs() - started.ms - this.averageMs) * SMOOTHING;
    };
  }

  /**
   * Expected duration of a turn, in milliseconds. A receiver that hangs raises the oldest turn's
   * age before it raises the average, so the larger of the two counts.
   */
  get expectedMs(): number {
    const oldest = this.startedMs.values().next().value;
    const ageMs = oldest === undefined ? 0 : this.clock.monotonicMs() - oldest.ms;
    return Math.max(this.averageMs, ageMs);
  }
}
