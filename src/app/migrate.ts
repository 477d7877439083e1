import { setTimeout as delay } from 'node:timers/promises';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { Settings } from '#config/sections.ts';
import { ConfigError, type ErrorCode, PosthornError } from '#domain/errors.ts';
import { mongoSettingFault } from '#infra/mongo/connection-fault.ts';
import { createMongoClient } from '#infra/mongo/documents.ts';
import { ensureIndexes } from '#infra/mongo/ensure-indexes.ts';
import { connectNats } from '#infra/nats/connection.ts';
import { ensureTopology } from '#infra/nats/streams/streams.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { inboxPrefixOf } from '#wire/subjects.ts';

const RETRY_AFTER_MS = 1000;
const REQUEST_TIMEOUT_MS = 5000;

export interface MigrateDeps {
  log: Log;
  /** Longest wait for NATS, and again for MongoDB, in milliseconds. */
  deadlineMs: number;
}

/**
 * Creates or updates the streams, their consumers, the buckets and the indexes that this version
 * needs. Idempotent: resources that are already right do not change. Run it before a roll-out: the
 * new version then finds all it needs, and a change that cannot be made stops the roll-out. End the
 * process afterwards: a connection attempt may still be open.
 *
 * @throws ConfigError if a setting is missing or refused by NATS or MongoDB, or the streams were
 * created with other settings
 * @throws PosthornError POSTHORN_NATS_UNAVAILABLE, POSTHORN_MONGODB_UNAVAILABLE: not done by the
 * deadline
 */
export async function migrate(settings: Settings, deps: MigrateDeps): Promise<void> {
  const { url: natsUrl } = settings.nats;
  const { url: mongodbUrl } = settings.mongodb;
  const faults: string[] = [];
  if (natsUrl === undefined) faults.push('POSTHORN_NATS_URL: is required for migrate');
  if (mongodbUrl === undefined) faults.push('POSTHORN_MONGODB_URL: is required for migrate');
  if (natsUrl === undefined || mongodbUrl === undefined) throw new ConfigError(faults);
  const { log } = deps;
  await untilDone('POSTHORN_NATS_UNAVAILABLE', deps, () => migrateNats(natsUrl, settings, log));
  log.info('migrate.streams_done');
  await untilDone('POSTHORN_MONGODB_UNAVAILABLE', deps, () => migrateMongodb(mongodbUrl, settings));
  log.info('migrate.indexes_done');
}

async function migrateNats(url: string, settings: Settings, log: Log): Promise<void> {
  const login = { ...settings.nats.login, inboxPrefix: inboxPrefixOf(['migrate']) };
  const nc = await connectNats(url, 'posthorn migrate', log, login);
  try {
    const jsm = await jetstreamManager(nc, { checkAPI: false, timeout: REQUEST_TIMEOUT_MS });
    await ensureTopology(jetstream(nc, { timeout: REQUEST_TIMEOUT_MS }), jsm, settings.streams);
  } finally {
    await nc.close();
  }
}

async function migrateMongodb(url: string, settings: Settings): Promise<void> {
  const mongo = createMongoClient(url, 'posthorn migrate', settings.mongodb.caPath);
  try {
    await mongo.connect().catch((error: unknown) => {
      const fault = mongoSettingFault(error);
      throw fault === undefined ? error : new ConfigError([fault]);
    });
    const { database, historyRetentionSeconds } = settings.mongodb;
    await ensureIndexes(mongo.db(database), historyRetentionSeconds);
  } finally {
    await mongo.close();
  }
}

/** Retries temporary faults, such as a stream without a leader. A wrong setting is not retried. */
async function untilDone(
  code: ErrorCode,
  { log, deadlineMs }: MigrateDeps,
  work: () => Promise<void>,
): Promise<void> {
  let last: unknown;
  let over = false;
  const late = delay(deadlineMs, undefined, { ref: false }).then(() => {
    over = true;
    const detail = `not done within ${deadlineMs / 1000} s: ${describe(last)}`;
    throw new PosthornError(code, { detail, cause: last });
  });
  const tries = async () => {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (error instanceof ConfigError || over) throw error;
        last = error;
        log.warn({ error: describe(error), code }, 'migrate.not_yet');
        await delay(RETRY_AFTER_MS);
      }
    }
  };
  await Promise.race([tries(), late]);
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : 'no answer';
}
