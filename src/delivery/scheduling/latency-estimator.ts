/** Weight of the newest turn in the average. */
const SMOOTHING = 0.2;

/** How many turns of an endpoint run, and how long one takes at present. */
export class TurnClock {
  private readonly startedMs = new Set<{ ms: number }>();
  private averageMs = 50;

  get running(): number {
    return this.startedMs.size;
  }

  /** A turn starts; call what is given back when it has ended. */
  start(): () => void {
    const started = { ms: performance.now() };
    this.startedMs.add(started);
    return () => {
      this.startedMs.delete(started);
      this.averageMs += (performance.now() - started.ms - this.averageMs) * SMOOTHING;
    };
  }

  /** What a turn takes, in milliseconds: a receiver that hangs shows in the oldest before it shows in the average. */
  get expectedMs(): number {
    const oldest = this.startedMs.values().next().value;
    const ageMs = oldest === undefined ? 0 : performance.now() - oldest.ms;
    return Math.max(this.averageMs, ageMs);
  }
}
