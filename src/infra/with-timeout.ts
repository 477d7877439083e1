import { setTimeout as delay } from 'node:timers/promises';

/**
 * Resolves when the work is done, or after `ms` at the latest; passes on an error thrown before
 * that.
 */
export async function withTimeout(ms: number, work: Promise<unknown>): Promise<void> {
  const done = new AbortController();
  const tooLate = delay(ms, undefined, { signal: done.signal }).catch(() => undefined);
  try {
    await Promise.race([work, tooLate]);
  } finally {
    done.abort();
  }
}
