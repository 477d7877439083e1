import type { MongoClient } from 'mongodb';
import { ConfigError } from '#domain/errors.ts';
import { retryWhile } from '#infra/retry.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { mongoSettingFault } from './connection-fault.ts';

const RETRY_DELAYS = { firstMs: 1000, maxMs: 1000 };
const CODE = 'POSTHORN_MONGODB_UNAVAILABLE';

export interface ConnectWithRetryOptions {
  log: Log;
  signal: AbortSignal;
  /** Whether a wrong setting ends it; otherwise it logs the fault and retries. */
  isNeeded: boolean;
}

/**
 * Connects a client for the first time, retrying without limit: the driver reconnects by itself
 * only after its first connect. Callers do not wait for this; operations that need MongoDB fail
 * until it has connected.
 *
 * @throws ConfigError that names the setting
 */
export async function connectWithRetry(
  mongo: Pick<MongoClient, 'connect'>,
  { log, signal, isNeeded }: ConnectWithRetryOptions,
): Promise<void> {
  await retryWhile(() => mongo.connect(), {
    ...RETRY_DELAYS,
    signal,
    isWanted: () => !signal.aborted,
    onFailure: (error) => {
      const fault = mongoSettingFault(error);
      if (fault === undefined) {
        log.warn({ code: CODE, error: (error as Error).message }, 'mongodb.not_connected');
      } else {
        log.error({ code: CODE, error: fault }, 'mongodb.refused');
        if (isNeeded) throw new ConfigError([fault]);
      }
    },
  });
}
