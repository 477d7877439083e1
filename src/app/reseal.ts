import { jetstream } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import type { MongoClient } from 'mongodb';
import type { Settings } from '#config/sections.ts';
import { systemClock } from '#infra/system-clock.ts';
import { ConfigError, PosthornError } from '#domain/errors.ts';
import { SecretBox } from '#infra/crypto/secret-box.ts';
import { configurationOf } from '#infra/mongo/configuration.ts';
import { mongoSettingFault } from '#infra/mongo/connection-fault.ts';
import { createMongoClient } from '#infra/mongo/documents.ts';
import { isMongoUnavailable } from '#infra/mongo/unavailable.ts';
import { connectNats } from '#infra/nats/connection.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { createConfigWriter } from '#src/control/config-sync/config-publication.ts';
import {
  isSnapshotCurrent,
  type Resealing,
  resealEndpoints,
} from '#src/control/credentials/reseal-endpoints.ts';
import { createChangeTurns } from '#src/control/config-sync/change-turns.ts';
import type { TenantSnapshot } from '#wire/config-snapshot.ts';
import { buckets, configKeys, inboxPrefixOf } from '#wire/subjects.ts';

const NATS_TIMEOUT_MS = 5000;

/**
 * Seals every secret in MongoDB under `POSTHORN_MASTER_KEY` and updates the bucket CONFIG.
 * Afterwards the data plane needs no other key. Idempotent: it may be killed and run again. It may
 * run alongside a working system once all processes have all the keys.
 *
 * @returns how many endpoints were sealed again
 * @throws ConfigError if a setting is missing or refused, or a secret is sealed under a key that is
 * not configured
 * @throws PosthornError POSTHORN_MONGODB_UNAVAILABLE
 */
export async function reseal(settings: Settings, log: Log): Promise<number> {
  const { natsUrl, mongodbUrl, secretBox } = requireSettings(settings);
  const mongo = createMongoClient(mongodbUrl, 'posthorn reseal', settings.mongodb.caPath);
  // It has the rights of control, which publishes the configuration.
  const login = { ...settings.nats.login, inboxPrefix: inboxPrefixOf(['control']) };
  const nc = await connectNats(natsUrl, 'posthorn reseal', log, login);
  try {
    const db = mongo.db(settings.mongodb.database);
    const configuration = configurationOf(db);
    const turns = createChangeTurns(configuration, systemClock);
    const done = await whileReachable(mongo, () =>
      resealEndpoints({ mongo, configuration, turns, clock: systemClock, secretBox }),
    );
    log.info({ endpoints: done.endpoints, failed: done.failed }, 'reseal.endpoints_done');
    refuseUnopened(done);
    const js = jetstream(nc, { timeout: NATS_TIMEOUT_MS });
    const bucket = await new Kvm(js).open(buckets.config);
    const writer = createConfigWriter({ mongo, db, nc, clock: systemClock, log });
    const written = await whileReachable(mongo, () =>
      updateConfigBucket(bucket, secretBox, writer),
    );
    log.info({ tenants: written }, 'reseal.config_done');
    return done.endpoints;
  } finally {
    await nc.close();
    await mongo.close();
  }
}

/**
 * Writes the snapshots that differ from MongoDB and returns their tenants. Empty if control wrote
 * them first.
 */
async function updateConfigBucket(
  bucket: KV,
  secretBox: SecretBox,
  writer: { sync: (key: string) => Promise<number> },
): Promise<number> {
  const keys: string[] = [];
  for await (const key of await bucket.keys(configKeys.tenant('*'))) keys.push(key);
  let written = 0;
  for (const key of keys) {
    const entry = await bucket.get(key);
    if (entry?.operation !== 'PUT') continue;
    const { endpoints } = entry.json<TenantSnapshot>();
    if (isSnapshotCurrent(endpoints, secretBox)) continue;
    await writer.sync(key);
    written++;
  }
  return written;
}

function refuseUnopened({ failed, faults }: Resealing): void {
  if (failed === 0) return;
  throw new ConfigError([
    `POSTHORN_MASTER_KEYS_OTHER: a key is missing; ${failed} endpoint(s) were not changed`,
    ...faults,
  ]);
}

async function whileReachable<T>(mongo: MongoClient, work: () => Promise<T>): Promise<T> {
  try {
    await mongo.connect();
    return await work();
  } catch (error) {
    const fault = mongoSettingFault(error);
    if (fault !== undefined) throw new ConfigError([fault]);
    if (!isMongoUnavailable(error)) throw error;
    const detail = `not finished, run it again: ${(error as Error).message}`;
    throw new PosthornError('POSTHORN_MONGODB_UNAVAILABLE', { detail, cause: error });
  }
}

function requireSettings(settings: Settings): {
  natsUrl: string;
  mongodbUrl: string;
  secretBox: SecretBox;
} {
  const { url: natsUrl } = settings.nats;
  const { url: mongodbUrl } = settings.mongodb;
  const { master: masterKey, otherMasters } = settings.keys;
  const faults: string[] = [];
  if (natsUrl === undefined) faults.push('POSTHORN_NATS_URL: is required for reseal');
  if (mongodbUrl === undefined) faults.push('POSTHORN_MONGODB_URL: is required for reseal');
  if (masterKey === undefined) faults.push('POSTHORN_MASTER_KEY: is required for reseal');
  if (natsUrl === undefined || mongodbUrl === undefined || masterKey === undefined) {
    throw new ConfigError(faults);
  }
  return { natsUrl, mongodbUrl, secretBox: new SecretBox(masterKey, otherMasters) };
}
