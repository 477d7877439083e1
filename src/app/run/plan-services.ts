/** The services that each role runs, and the order in which they start. */
import type { NatsConnection } from '@nats-io/nats-core';
import type { FastifyInstance } from 'fastify';
import type { Db, MongoClient } from 'mongodb';
import type { Registry } from 'prom-client';
import type { Role } from '#config/schema.ts';
import type { Settings } from '#config/sections.ts';
import type { Clock } from '#domain/clock.ts';
import type { SecretBox } from '#infra/crypto/secret-box.ts';
import {
  createFindCaller,
  type FindCaller,
  type TokenKind,
} from '#infra/http/callers/find-caller.ts';
import { KeyUses } from '#infra/http/callers/key-uses.ts';
import { WrongKeys } from '#infra/http/callers/wrong-keys.ts';
import { createAuthenticator } from '#infra/http/server/authenticate.ts';
import { type History, historyOf } from '#infra/mongo/documents.ts';
import type { LeaseThread } from '#infra/nats/leases/lease-thread.ts';
import { TopologyReconciler } from '#infra/nats/streams/topology-reconciler.ts';
import { newId } from '#domain/ids.ts';
import { type RateDoor, RateShareStore } from '#infra/nats/stores/rate-share-store.ts';
import { RateLimits } from '#infra/rate-limits/rate-limits.ts';
import { LifeView } from '#infra/nats/lives/life-view.ts';
import { createCheckLarge } from '#infra/schema-check/create-check-large.ts';
import { TenantLives } from '#infra/tenant-lives.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { Tracing } from '#infra/telemetry/tracing.ts';
import { createControl } from '#src/control/mod.ts';
import { createProjector } from '#src/control/projector/mod.ts';
import { QueueMetrics } from '#src/control/deliveries/queue-metrics.ts';
import { createDelivery } from '#src/delivery/mod.ts';
import { registerIngress } from '#src/ingress/mod.ts';
import { Broadcaster, createRouter, FaultyFilters } from '#src/router/mod.ts';
import type { CheckLarge } from '#wire/published/admission.ts';
import type { PayloadLinks } from '#wire/webhook/payload-link.ts';
import { AfterConfig } from './after-config.ts';
import { HttpService } from './http-service.ts';
import type { Core } from './join-core.ts';
import type { ReadinessChecks } from './ops-server.ts';
import type { Service } from '#infra/service.ts';

/**
 * The parts that a process creates before its roles. A part is undefined if no role of the process
 * needs it.
 */
export interface ProcessParts extends Core {
  settings: Settings;
  log: Log;
  registry: Registry;
  clock: Clock;
  mongo: MongoClient | undefined;
  app: FastifyInstance | undefined;
  nc: NatsConnection;
  secretBox: SecretBox | undefined;
  payloadLinks: PayloadLinks | undefined;
  checks: ReadinessChecks;
  worker: string;
  /** For the roles that own shards. */
  renewer: LeaseThread;
  tracing: Tracing | undefined;
}

/** The parts that the roles share. */
interface RoleParts extends ProcessParts {
  db: Db | undefined;
  history: History | undefined;
  findCallerBy: (tokens: readonly TokenKind[]) => FindCaller;
  /** Finds API keys alone. */
  findKey: FindCaller;
  keyUses: KeyUses;
  checkLarge: CheckLarge;
  lives: TenantLives;
  view: LifeView;
  rates: RateLimits;
  rateShares: RateShareStore;
  /** Services that end the streams of the API. */
  streams: Service[];
  brokerNow: () => number;
  refreshTenant: (tenant: string, sinceMs?: number) => Promise<void>;
}

/** Lists the services of the roles in start order. The servers that accept requests come last. */
export function planServices(roles: readonly Role[], given: ProcessParts): Service[] {
  const parts = shareParts(roles, given);
  const { app, settings, clock, log } = parts;
  // The view stops after the roles, because they use it until then.
  const services: Service[] = [keepTopology(roles, parts), parts.view];
  if (app !== undefined) services.push(parts.rateShares, parts.rates, parts.keyUses);
  if (roles.includes('control')) services.push(...planControl(parts));
  if (ownsShards(roles)) services.push(parts.renewer);
  if (roles.includes('delivery')) services.push(...planDelivery(parts));
  if (roles.includes('router')) services.push(...planRouter(parts));
  if (roles.includes('ingress')) services.push(...planIngress(parts));
  if (app !== undefined) {
    services.push(new HttpService({ app, clock, ...settings.api }));
  }
  // Stopped first: a stream keeps its connection open.
  services.push(...parts.streams);
  log.debug({ services: services.map((service) => service.name) }, 'service.planned');
  return services;
}

/** Whether one of the roles works on shards, under leases. */
export function ownsShards(roles: readonly Role[]): boolean {
  return roles.includes('delivery') || roles.includes('router');
}

function shareParts(roles: readonly Role[], parts: ProcessParts): RoleParts {
  const { settings, nc, leases, config, mongo, brokerClock, registry, clock, log } = parts;
  const db = mongo?.db(settings.mongodb.database);
  const me = newId('req', clock.wallMs());
  const doors = rateDoorsOf(roles);
  const rateShares = new RateShareStore({ nc, me, doors, clock, log });
  return {
    ...parts,
    db,
    history: db && historyOf(db),
    lives: new TenantLives({ config, registry, clock, log }),
    // A unique id: a process that restarts under the name of a killed one must not take over its
    // lease.
    view: new LifeView({ nc, leases, config, me, clock, log }),
    rateShares,
    streams: [],
    rates: new RateLimits({ shares: rateShares, registry, clock }),
    ...findCallers(parts),
    checkLarge: createCheckLarge({ eventBytesMax: settings.ingress.eventBytesMax, clock, log }),
    brokerNow: brokerClock.now,
    refreshTenant: (id, sinceMs) => config.refreshTenant(id, sinceMs),
  };
}

function findCallers(parts: ProcessParts): Pick<RoleParts, 'findCallerBy' | 'findKey' | 'keyUses'> {
  const { settings, config, nc, clock, log } = parts;
  const { bootstrap: bootstrapKey, wrongPerMinute: perMinute } = settings.keys;
  const keyUses = new KeyUses({ nc, clock, log });
  const given = {
    authenticate: createAuthenticator({ config, bootstrapKey, clock }),
    uses: keyUses,
    wrongKeys: new WrongKeys({ perMinute, clock }),
  };
  return {
    findCallerBy: (tokens) => createFindCaller({ ...given, tokens }),
    findKey: createFindCaller({ ...given, tokens: [] }),
    keyUses,
  };
}

function planControl(parts: RoleParts): Service[] {
  const { settings, nc, jsm, config, mongo, db, app, history, lives } = parts;
  const { secretBox, payloadLinks, registry, brokerNow, clock, log } = parts;
  const { shards } = settings.streams;
  const services: Service[] = [];
  if (mongo && db && history && app && secretBox && payloadLinks) {
    const control = createControl({
      settings: settings.control,
      http: settings.http,
      mongo,
      db,
      nc,
      publisher: parts.publisher,
      records: parts.records,
      config,
      lives,
      secretBox,
      payloads: parts.payloads,
      payloadLinks,
      findCallerBy: parts.findCallerBy,
      checkLarge: parts.checkLarge,
      rates: parts.rates,
      registry,
      clock,
      log,
    });
    control.registerRoutes(app);
    config.onBucketRecreated(() => control.compareConfig());
    parts.checks['config'] = () => control.syncState() !== 'starting';
    services.push(control.service);
    parts.streams.push(control.liveTail);
    services.push(
      createProjector({
        shards,
        nc,
        history,
        lives,
        registry,
        clock,
        log,
        registerEventTypes: (seen) => control.registerEventTypes(seen),
        disableGoneEndpoint: (record) => control.disableGoneEndpoint(record),
        trackHealth: (attempts) => control.trackHealth(attempts),
        markMetrics: (minutes) => control.markMetrics(minutes),
      }),
    );
  }
  services.push(new QueueMetrics({ jsm, shards, registry, brokerNow, clock, log }));
  return services;
}

function planDelivery(parts: RoleParts): Service[] {
  const { config, log, secretBox, payloadLinks } = parts;
  if (secretBox === undefined || payloadLinks === undefined) return [];
  const delivery = createDelivery({
    settings: parts.settings.delivery,
    nc: parts.nc,
    js: parts.quick.js,
    jsm: parts.quick.jsm,
    config,
    lives: parts.lives,
    refreshTenant: parts.refreshTenant,
    publisher: parts.publisher,
    records: parts.records,
    secretBox,
    payloads: parts.payloads,
    payloadLinks,
    leases: parts.leases,
    renewer: parts.renewer,
    ordered: parts.ordered,
    lanes: parts.lanes,
    worker: parts.worker,
    brokerNow: parts.brokerNow,
    clock: parts.clock,
    registry: parts.registry,
    tracing: parts.tracing,
    log,
  });
  return [new AfterConfig({ service: delivery, config, log })];
}

function planRouter(parts: RoleParts): Service[] {
  const { config, publisher, payloads, registry, brokerNow, clock, tracing, log } = parts;
  const settings = parts.settings.router;
  const faultyFilters = new FaultyFilters({ registry, log });
  const router = createRouter({
    settings,
    nc: parts.nc,
    js: parts.quick.js,
    jsm: parts.quick.jsm,
    config,
    lives: parts.lives,
    lanes: parts.lanes,
    refreshTenant: parts.refreshTenant,
    publisher,
    records: parts.records,
    payloads,
    faultyFilters,
    storage: parts.settings.streams,
    leases: parts.leases,
    renewer: parts.renewer,
    worker: parts.worker,
    brokerNow,
    clock,
    registry,
    tracing,
    log,
  });
  const broadcaster = new Broadcaster({
    settings,
    js: parts.js,
    jsm: parts.jsm,
    config,
    lifeIds: () => config.lifeIds(),
    catchUp: () => config.catchUp(),
    publisher,
    payloads,
    faultyFilters,
    brokerNow,
    clock,
    registry,
    tracing,
    log,
  });
  return [router, broadcaster].map((service) => new AfterConfig({ service, config, log }));
}

function planIngress(parts: RoleParts): Service[] {
  const { app, ingressPublisher } = parts;
  if (app === undefined) return [];
  // A separate in-flight window: a fan-out that fills the other one must not cause 503 for
  // producers.
  return registerIngress(app, {
    settings: parts.settings.ingress,
    storage: parts.settings.streams,
    nc: parts.nc,
    jsm: parts.jsm,
    view: parts.view,
    config: parts.config,
    publisher: ingressPublisher,
    payloads: parts.payloads,
    history: parts.history,
    findCaller: parts.findCallerBy([]),
    findKey: parts.findKey,
    checkLarge: parts.checkLarge,
    rates: parts.rates,
    registry: parts.registry,
    clock: parts.clock,
    tracing: parts.tracing,
    log: parts.log,
  });
}

/** Where a process counts requests against rate limits. */
function rateDoorsOf(roles: readonly Role[]): RateDoor[] {
  const doors: RateDoor[] = [];
  if (roles.includes('ingress')) doors.push('events');
  if (roles.includes('control')) doors.push('api');
  return doors;
}

/** Each process maintains the consumers that its roles read from. */
function keepTopology(roles: readonly Role[], parts: ProcessParts): Service {
  const keeper = new TopologyReconciler({
    js: parts.js,
    jsm: parts.jsm,
    settings: parts.settings.streams,
    log: parts.log,
    reads: ({ reader }) => roles.includes(reader),
  });
  return { name: 'topology', start: () => keeper.start(), stop: () => keeper.stop() };
}
