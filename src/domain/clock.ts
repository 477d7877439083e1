/**
 * The time of this machine. Each part gets it from the composition of its plane, so that a test
 * decides what time it is. The members are functions without `this`, so that a part that needs one
 * of them can take it alone.
 */
export interface Clock {
  /** Milliseconds since 1970. Jumps when the clock of the machine is set. */
  readonly wallMs: () => number;
  /** Milliseconds since a fixed moment. Never jumps: for durations and deadlines. */
  readonly monotonicMs: () => number;
}
