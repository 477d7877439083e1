import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '#domain/clock.ts';
import { fetchWithoutProxy } from '#infra/http/client/fetch-without-proxy.ts';

const POLL_MS = 50;

/**
 * Waits until every URL answers 200.
 *
 * @param urls `/readyz` of each process
 * @throws Error with the last answer of the first unready process, once `deadlineMs` has passed or
 * `signal` is raised
 */
export async function waitUntilReady(
  urls: string[],
  deadlineMs: number,
  signal: AbortSignal,
  clock: Clock,
): Promise<void> {
  const deadline = clock.monotonicMs() + deadlineMs;
  for (const url of urls) {
    for (;;) {
      const fault = await readinessFault(url);
      if (fault === undefined) break;
      if (clock.monotonicMs() > deadline) throw new Error(`not ready in time: ${url}: ${fault}`);
      await delay(POLL_MS, undefined, { signal });
    }
  }
}

async function readinessFault(url: string): Promise<string | undefined> {
  try {
    const { status, text } = await fetchWithoutProxy(url, { timeoutMs: 5000 });
    return status === 200 ? undefined : `${status} ${text.slice(0, 500)}`;
  } catch (error) {
    const cause = (error as Error).cause;
    return cause instanceof Error ? cause.message : (error as Error).message;
  }
}
