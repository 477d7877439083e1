import { setTimeout as delay } from 'node:timers/promises';

/** Far more than anything takes, for a slow machine; less than after what JetStream gives again what was lost (30 s). */
const DEADLINE_MS = 20_000;

export interface WaitOptions {
  /** What is waited for, for the message. */
  what?: string;
  deadlineMs?: number;
  intervalMs?: number;
}

/**
 * Polls until `condition` gives something other than false, null or undefined, and gives that. What the
 * condition throws counts as "not yet", and is shown if the deadline passes.
 *
 * @throws Error that names what was waited for, with the last error as its cause
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
