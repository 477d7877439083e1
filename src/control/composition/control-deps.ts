import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Db, MongoClient } from 'mongodb';
import type { Registry } from 'prom-client';
import type { ControlSettings, HttpSettings } from '#config/sections.ts';
import type { Clock } from '#domain/clock.ts';
import type { FindCaller, TokenKind } from '#infra/http/callers/find-caller.ts';
import type { Publisher } from '#infra/nats/publish/publisher.ts';
import type { RecordBatcher } from '#infra/nats/publish/record-batcher.ts';
import type { PayloadStore } from '#infra/payload-store.ts';
import type { RateLimits } from '#infra/rate-limits/rate-limits.ts';
import type { TenantLives } from '#infra/tenant-lives.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { ConfigView, Revocations } from '#wire/config-snapshot.ts';
import type { CheckLarge } from '#wire/published/admission.ts';
import type { PayloadLinks } from '#wire/webhook/payload-link.ts';
import type { Sealer } from '../resources/endpoint-secrets.ts';

const NATS_TIMEOUT_MS = 2000;

export interface ControlDeps {
  settings: ControlSettings;
  /** Of the public port. */
  http: HttpSettings;
  log: Log;
  mongo: MongoClient;
  db: Db;
  nc: NatsConnection;
  publisher: Publisher;
  records: RecordBatcher;
  config: ConfigView & Revocations;
  lives: TenantLives;
  registry: Registry;
  secretBox: Sealer;
  payloads: PayloadStore;
  payloadLinks: PayloadLinks;
  /** Creates the function that finds callers, by tokens of these kinds too. */
  findCallerBy: (tokens: readonly TokenKind[]) => FindCaller;
  checkLarge: CheckLarge;
  /** The rate limits of keys and tenants. */
  rates: Pick<RateLimits, 'admit'>;
  clock: Clock;
}

/** Opens the manager on first use: control starts while NATS is down. */
export function managerOf(nc: NatsConnection): () => Promise<JetStreamManager> {
  return () => jetstreamManager(nc, { checkAPI: false, timeout: NATS_TIMEOUT_MS });
}
