import { setTimeout as delay } from 'node:timers/promises';

/**
 * Far above any expected time, for slow machines, and below the 30 s after which JetStream
 * redelivers a lost message.
 */
const DEADLINE_MS = 20_000;

export interface WaitOptions {
  /** Name of the condition, for the message. */
  what?: string;
  deadlineMs?: number;
  intervalMs?: number;
}

/**
 * Polls until `condition` returns a value other than false, null or undefined, and returns it. An
 * error of the condition counts as "not yet", and is shown if the deadline passes.
 *
 * @throws Error that names the condition, with the last error as its cause
 */
export async function waitUntil<T>(
  condition: () => T | Promise<T>,
  options: WaitOptions = {},
): Promise<Exclude<T, false | null | undefined>> {
  const { what = condition.toString(), deadlineMs = DEADLINE_MS, intervalMs = 10 } = options;
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    let last: unknown;
    let cause: Error | undefined;
    try {
      last = await condition();
      if (last !== false && last !== null && last !== undefined) {
        return last as Exclude<T, false | null | undefined>;
      }
    } catch (error) {
      cause = error as Error;
    }
    if (performance.now() > deadline) {
      const seen = cause?.message ?? String(last);
      throw new Error(`after ${deadlineMs} ms still not: ${what} (last: ${seen})`, { cause });
    }
    await delay(intervalMs);
  }
}
