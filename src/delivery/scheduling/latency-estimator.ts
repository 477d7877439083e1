/** Weight of the newest turn in the moving average. */
const SMOOTHING = 0.2;

/** Estimates how long a turn of an endpoint takes. */
export class LatencyEstimator {
  private readonly startedMs = new Set<{ ms: number }>();
  private averageMs = 50;

  /** Records the start of a turn. Call the returned function when the turn ends. */
  start(): () => void {
    const started = { ms: performance.now() };
    this.startedMs.add(started);
    return () => {
      this.startedMs.delete(started);
      this.averageMs += (performance.now() - started.ms - this.averageMs) * SMOOTHING;
    };
  }

  /**
   * Expected duration of a turn, in milliseconds. A receiver that hangs raises the oldest turn's
   * age before it raises the average, so the larger of the two counts.
   */
  get expectedMs(): number {
    const oldest = this.startedMs.values().next().value;
    const ageMs = oldest === undefined ? 0 : performance.now() - oldest.ms;
    return Math.max(this.averageMs, ageMs);
  }
}
