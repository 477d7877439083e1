/**
 * How long an event waits before its deliveries begin, by how many endpoints it goes to (RT-6): a large one
 * gives what is under way time to pass.
 */
export interface FanOutDelay {
  /** For events that go to more endpoints than this. */
  over: number;
  delayMs: number;
}

/** Steps as they stand in the settings: `100000:30,50000:15` is 30 s over 100,000 endpoints, 15 s over 50,000. */
export const FAN_OUT_DELAYS_PATTERN = '^(|\\d{1,9}:\\d{1,5}(,\\d{1,9}:\\d{1,5}){0,15})$';

/** @param text as `FAN_OUT_DELAYS_PATTERN` has it. The steps, the largest number of endpoints first. */
export function parseFanOutDelays(text: string): FanOutDelay[] {
  if (text === '') return [];
  const steps = text.split(',').map((step): FanOutDelay => {
    const [over, seconds] = step.split(':');
    return { over: Number(over), delayMs: Number(seconds) * 1000 };
  });
  return steps.sort((a, b) => b.over - a.over);
}

/** The delay of an event that goes to so many endpoints, in milliseconds. */
export function fanOutDelayMs(steps: readonly FanOutDelay[], endpoints: number): number {
  for (const { over, delayMs } of steps) if (endpoints > over) return delayMs;
  return 0;
}
