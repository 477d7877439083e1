import { setTimeout as delay } from 'node:timers/promises';

/** Resolves when the work is done, at the latest after so long; what is thrown by then is thrown. */
export async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const done = new AbortController();
  const tooLate = delay(ms, undefined, { signal: done.signal }).catch(() => undefined);
  try {
    await Promise.race([work, tooLate]);
  } finally {
    done.abort();
  }
}
