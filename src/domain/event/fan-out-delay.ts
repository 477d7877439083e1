/**
 * One step of the setting that delays events with many endpoints (RT-6), so that in-flight
 * deliveries finish before their fan-out.
 */
export interface FanOutDelay {
  /** Applies to events with more endpoints than this. */
  over: number;
  delayMs: number;
}

/** Steps in the settings: `100000:30` is 30 s over 100,000 endpoints; a comma separates steps. */
export const FAN_OUT_DELAYS_PATTERN = '^(|\\d{1,9}:\\d{1,5}(,\\d{1,9}:\\d{1,5}){0,15})$';

/** Parses a text that matches `FAN_OUT_DELAYS_PATTERN`. Returns the steps, most endpoints first. */
export function parseFanOutDelays(text: string): FanOutDelay[] {
  if (text === '') return [];
  const steps = text.split(',').map((step): FanOutDelay => {
    const [over, seconds] = step.split(':');
    return { over: Number(over), delayMs: Number(seconds) * 1000 };
  });
  return steps.sort((a, b) => b.over - a.over);
}

/** Returns the delay of an event with so many endpoints, in milliseconds. */
export function fanOutDelayMs(steps: readonly FanOutDelay[], endpoints: number): number {
  for (const { over, delayMs } of steps) if (endpoints > over) return delayMs;
  return 0;
}
