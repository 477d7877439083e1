import { Backoff, type BackoffRange } from '#domain/contention/backoff.ts';

export interface RetryOptions extends BackoffRange {
  /** Called after each failed try. An error that it throws ends the retries. */
  onFailure: (error: unknown) => void;
}

export interface RetryWhileOptions extends RetryOptions {
  /** Its abort ends the retries and a delay in progress; the first try is always made. */
  signal?: AbortSignal;
  /** Checked before each try; absent: always true. */
  isWanted?: () => boolean;
}

/**
 * Runs the work until it succeeds, with exponential back-off between tries. There is no limit of
 * tries: it suits work without which the process is of no use.
 *
 * @throws errors of `onFailure`
 */
export async function retry<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  const done = await retryWhile(work, options);
  return (done as { value: T }).value;
}

/**
 * Runs the work until it succeeds, is no longer wanted or is aborted, with exponential back-off
 * between tries.
 *
 * @returns the result; undefined if it ended without one
 * @throws errors of `onFailure`
 */
export async function retryWhile<T>(
  work: () => Promise<T>,
  { onFailure, signal, isWanted = () => true, ...range }: RetryWhileOptions,
): Promise<{ value: T } | undefined> {
  const backoff = new Backoff(range);
  while (isWanted()) {
    try {
      return { value: await work() };
    } catch (error) {
      onFailure(error);
    }
    await pause(backoff.next(), signal);
    if (signal?.aborted === true) return undefined;
  }
  return undefined;
}

/** Waits for a time, or until the signal aborts. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end);
  });
}
