/** The ingress plane: accepts events over HTTP and NATS and stores them in JetStream. */
import type { JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import type { FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import type { IngressSettings } from '#config/sections.ts';
import type { Clock } from '#domain/clock.ts';
import { ConfigError } from '#domain/errors.ts';
import { newId } from '#domain/ids.ts';
import type { FindCaller } from '#infra/http/callers/find-caller.ts';
import { loopUtilization } from '#infra/loop-utilization.ts';
import type { History } from '#infra/mongo/documents.ts';
import { BroadcastStore } from '#infra/nats/stores/broadcast-store.ts';
import type { ConfigStore } from '#infra/nats/stores/config-store.ts';
import { DedupStore } from '#infra/nats/stores/dedup-store.ts';
import type { StorageSettings } from '#infra/nats/streams/storage-usage.ts';
import type { Publisher } from '#infra/nats/publish/publisher.ts';
import { JsonTurns } from '#infra/json-turns.ts';
import type { RateLimits } from '#infra/rate-limits/rate-limits.ts';
import type { PayloadStore } from '#infra/payload-store.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { Tracing } from '#infra/telemetry/tracing.ts';
import type { Service } from '#infra/service.ts';
import { AcceptBroadcast } from './accept/accept-broadcast.ts';
import { AcceptEvent } from './accept/accept-event.ts';
import { AccountKey } from './auth-callout/account-key.ts';
import { AdaptiveConcurrencyLimit } from './fairness/adaptive-concurrency-limit.ts';
import { AuthCallout } from './auth-callout/auth-callout.ts';
import { Admission, type CheckLarge } from '#wire/published/admission.ts';
import { Deduplication } from './idempotency/deduplication.ts';
import { EventResults } from './accept/event-results.ts';
import { TenantConcurrencyLimiter } from './fairness/tenant-concurrency-limiter.ts';
import { Idempotency } from './idempotency/idempotency.ts';
import { LargePayloads } from './accept/large-payloads.ts';
import { NatsService } from './nats/nats-service.ts';
import { RefusalLog } from './http/refusal-log.ts';
import { RequestRates } from './http/request-rates.ts';
import { Rejections } from './nats/rejections.ts';
import { type IngressRoutesDeps, registerIngressRoutes } from './http/routes.ts';
import { registerNotificationsRoute } from './notifications/routes.ts';
import { StoredEvents } from './idempotency/stored-events.ts';
import { StorageGate } from './storage/storage-gate.ts';
import { TenantWindow } from './fairness/tenant-window.ts';
import type { LifeView } from '#infra/nats/lives/life-view.ts';

export interface IngressDeps {
  settings: IngressSettings;
  nc: NatsConnection;
  jsm: JetStreamManager;
  view: LifeView;
  config: ConfigStore;
  /** How much JetStream may store. */
  storage: StorageSettings;
  publisher: Publisher;
  payloads: PayloadStore;
  /** Absent if the process has no MongoDB: idempotency then spans JetStream's window. */
  history: History | undefined;
  findCaller: FindCaller;
  /** Finds API keys alone, for connections over NATS. */
  findKey: FindCaller;
  checkLarge: CheckLarge;
  /** The rate limits of keys and tenants. */
  rates: Pick<RateLimits, 'admit'>;
  registry: Registry;
  clock: Clock;
  /** Absent: no spans. */
  tracing?: Tracing | undefined;
  log: Log;
}

/** Registers the routes; the returned services handle producers over NATS. */
export function registerIngress(app: FastifyInstance, deps: IngressDeps): Service[] {
  const { settings, nc, config, publisher, findKey, registry, tracing, clock, log } = deps;
  const { eventBytesMax, publishTimeoutMs } = settings;
  const turns = new JsonTurns();
  const storage = new StorageGate({ jsm: deps.jsm, settings: deps.storage, registry, clock, log });
  const { accept, acceptBroadcast, results } = createAcceptance(deps, turns, storage);
  const limiter = new TenantConcurrencyLimiter({
    limit: new AdaptiveConcurrencyLimit({
      utilization: loopUtilization(),
      now: clock.monotonicMs,
    }),
  });
  const tenant = (id: string) => config.currentTenant(id);
  const lookUpTenant = (id: string) => config.lookUpTenant(id);
  const routes: IngressRoutesDeps = {
    findCaller: deps.findCaller,
    accept,
    acceptBroadcast,
    results,
    limiter,
    tenant,
    lookUpTenant,
    rates: new RequestRates(deps.rates),
    turns,
    eventBytesMax,
    tracing,
    clock,
    log,
  };
  registerIngressRoutes(app, routes);
  const { notifications } = settings;
  if (notifications !== undefined) registerNotificationsRoute(app, routes, notifications);
  const key = accountKey(settings);
  const natsService = new NatsService({
    nc,
    accept,
    results,
    limiter,
    keys: key === undefined ? undefined : config,
    rejections: new Rejections({ config, publisher, registry, publishTimeoutMs, clock, log }),
    tenant,
    lookUpTenant,
    rates: deps.rates,
    turns,
    eventBytesMax,
    tracing,
    clock,
    log,
  });
  if (key === undefined) return [storage, natsService];
  const account = settings.natsAuthAccount;
  const authCallout = { nc, findKey, config, key, account, eventBytesMax, clock, log };
  return [storage, natsService, new AuthCallout(authCallout)];
}

/** The parts that accept an event, by whichever way it came. */
function createAcceptance(
  deps: IngressDeps,
  turns: JsonTurns,
  storage: StorageGate,
): { accept: AcceptEvent; acceptBroadcast: AcceptBroadcast; results: EventResults } {
  const { settings, nc, jsm, config, publisher, registry, tracing, clock, log } = deps;
  const { eventBytesMax, publishTimeoutMs } = settings;
  const idempotency = new Idempotency({ history: deps.history, registry });
  const dedupStore = new DedupStore({
    publisher,
    jsm,
    me: newId('req', clock.wallMs()),
    clock,
  });
  const admission = new Admission({
    config,
    policy: settings.eventTypePolicy,
    checkLarge: deps.checkLarge,
  });
  const payloads = new LargePayloads({
    store: deps.payloads,
    thresholdBytes: settings.payloadThresholdBytes,
    memoryBytesMax: settings.payloadMemoryBytesMax,
    messageBytesMax: () => nc.info?.max_payload ?? Number.POSITIVE_INFINITY,
  });
  const refusals = new RefusalLog({ log, now: clock.monotonicMs });
  const results = new EventResults({ registry, refusals });
  const accept = new AcceptEvent({
    admission,
    idempotency,
    payloads,
    deduplication: new Deduplication({ config, dedupStore, idempotency, turns }),
    publisher,
    window: new TenantWindow({ publisher, window: settings.publishWindow, clock }),
    stored: new StoredEvents({ jsm, shards: settings.shards }),
    results,
    view: deps.view,
    storage,
    tracing,
    eventBytesMax,
    publishTimeoutMs,
    clock,
  });
  const acceptBroadcast = new AcceptBroadcast({
    admission,
    store: new BroadcastStore({ publisher, jsm: async () => jsm, clock }),
    payloads,
    storage,
    results,
    tracing,
    eventBytesMax,
    publishTimeoutMs,
    clock,
  });
  return { accept, acceptBroadcast, results };
}

/** @throws ConfigError if the seed is damaged */
function accountKey({ natsAuthSeed: seed }: IngressSettings): AccountKey | undefined {
  if (seed === undefined) return undefined;
  try {
    return new AccountKey(seed);
  } catch (error) {
    throw new ConfigError([`POSTHORN_NATS_AUTH_SEED: ${(error as Error).message}`]);
  }
}
