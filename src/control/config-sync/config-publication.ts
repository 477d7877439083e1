import { jetstream } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Db, MongoClient } from 'mongodb';
import type { Clock } from '#domain/clock.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { buckets } from '#wire/subjects.ts';
import { ConfigSync } from './config-sync.ts';
import { ConfigWriter } from './config-writer.ts';
import { CoalescingSync } from './coalescing-sync.ts';
import { PublishWithDeadline } from './publish-with-deadline.ts';
import { SnapshotReader } from './snapshot-reader.ts';

const NATS_TIMEOUT_MS = 2000;

export interface ConfigServers {
  mongo: MongoClient;
  db: Db;
  nc: NatsConnection;
  clock: Clock;
  log: Log;
}

export interface ConfigPublicationDeps extends ConfigServers {
  /** Runs before the first comparison with the bucket. */
  prepare: () => Promise<void>;
}

/**
 * Publishes the configuration from MongoDB to the bucket CONFIG: the process that commits a change
 * publishes it immediately (`publisher`), and the sync follows all changes (`sync`). Both use one
 * queue, so that neither repeats the work of the other.
 */
export function createConfigPublication(deps: ConfigPublicationDeps): {
  sync: ConfigSync;
  publisher: PublishWithDeadline;
} {
  const reader = new SnapshotReader(deps);
  const writer = createConfigWriter(deps, reader);
  const paced = new CoalescingSync({
    sync: (key) => writer.sync(key),
    now: deps.clock.monotonicMs,
  });
  const sync = new ConfigSync({
    ...deps,
    reader,
    readWritten: () => writer.readRevisions(),
    write: (key) => paced.run(key).done,
    markComplete: () => writer.markComplete(),
  });
  return {
    sync,
    publisher: new PublishWithDeadline({ run: (key) => paced.run(key), log: deps.log }),
  };
}

/** Creates the writer that copies keys from MongoDB to the bucket CONFIG. */
export function createConfigWriter(
  deps: ConfigServers,
  reader = new SnapshotReader(deps),
): ConfigWriter {
  const js = jetstream(deps.nc, { timeout: NATS_TIMEOUT_MS });
  return new ConfigWriter({
    openBucket: () => new Kvm(js).open(buckets.config),
    read: (key) => reader.read(key),
    readRevision: (key) => reader.readRevision(key),
    log: deps.log,
  });
}
