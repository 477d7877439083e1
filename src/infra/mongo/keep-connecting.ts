import { setTimeout as delay } from 'node:timers/promises';
import type { MongoClient } from 'mongodb';
import type { Log } from '#infra/telemetry/log.ts';

const RETRY_AFTER_MS = 1000;

/**
 * Connects a client for the first time, however long that takes: one whose first connect failed never tries
 * again by itself; once connected, it does. Nobody waits for this: what needs MongoDB fails meanwhile.
 */
export async function keepConnecting(
  mongo: Pick<MongoClient, 'connect'>,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await mongo.connect();
      return;
    } catch (error) {
      log.warn({ error: (error as Error).message }, 'mongodb.not_connected');
      await delay(RETRY_AFTER_MS, undefined, { signal }).catch(() => {});
    }
  }
}
