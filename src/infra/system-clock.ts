import type { Clock } from '#domain/clock.ts';

/** The only reader of the clocks of this machine: a test forbids other reads in `src`. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

/** Adds to `monotonicMs` of this thread to get milliseconds that all threads share. */
export function sharedClockOffsetMs(): number {
  return Number(process.hrtime.bigint()) / 1e6 - performance.now();
}
