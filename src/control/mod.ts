/**
 * The control plane: the API for configuration and history, and the publication of the
 * configuration from MongoDB to CONFIG.
 */
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import type { FastifyInstance } from 'fastify';
import type { Db, MongoClient } from 'mongodb';
import type { Registry } from 'prom-client';
import type { ControlSettings, HttpSettings } from '#config/sections.ts';
import type { Clock } from '#domain/clock.ts';
import { ByteBudget } from '#domain/bounds/byte-budget.ts';
import { ProbeReceiver } from '#domain/canary.ts';
import { EgressGuard } from '#domain/endpoint/egress.ts';
import type { Authenticate } from '#infra/http/server/authenticate.ts';
import { applyReadPreconditions } from '#infra/http/protocol/not-modified.ts';
import { configurationOf } from '#infra/mongo/configuration.ts';
import { healthStoreOf } from '#infra/mongo/endpoint-health.ts';
import { ensureIndexes } from '#infra/mongo/ensure-indexes.ts';
import { historyOf } from '#infra/mongo/documents.ts';
import { BroadcastStore } from '#infra/nats/stores/broadcast-store.ts';
import type { Publisher } from '#infra/nats/publish/publisher.ts';
import type { RecordBatcher } from '#infra/nats/publish/record-batcher.ts';
import type { PayloadStore } from '#infra/payload-store.ts';
import type { TenantLives } from '#infra/tenant-lives.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { Service } from '#infra/service.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import type { EndpointGoneRecord } from '#wire/frames/record.ts';
import type { PayloadLinks } from '#wire/webhook/payload-link.ts';
import { requireAccess } from './routes/access.ts';
import { ApiKeys } from './resources/api-keys.ts';
import { Broadcasts } from './deliveries/broadcasts.ts';
import type { ConfigurationDeps } from './config-sync/change-tenant.ts';
import { createConfigPublication } from './config-sync/config-publication.ts';
import type { ConfigSync, SyncState } from './config-sync/config-sync.ts';
import { DeliveryActions } from './deliveries/delivery-actions.ts';
import type { AttemptsByEndpoint } from './health/attempts.ts';
import { createHealth } from './health/create-health.ts';
import { OrderedHeads } from './deliveries/ordered-heads.ts';
import type { Sealer } from './resources/endpoint-secrets.ts';
import { sealStoredHeaders } from './credentials/seal-stored-headers.ts';
import { createDeadLetters } from './dead-letters/create-dead-letters.ts';
import { Endpoints } from './resources/endpoints.ts';
import { EventExplanations } from './history/event-explanations.ts';
import { AutomaticTypes, type SeenType } from './event-types/automatic-types.ts';
import { EventTypeRegistrar } from './event-types/registrar.ts';
import { EventTypes } from './event-types/registry.ts';
import { HeldDeliveries } from './deliveries/held-deliveries.ts';
import { DeliveryReads } from './history/delivery-reads.ts';
import { EventReads } from './history/event-reads.ts';
import { FairSearches } from './history/fair-searches.ts';
import { CurrentLives } from './lives/current-lives.ts';
import { LifeViews } from './lives/life-views.ts';
import { TenantPurger } from './lives/tenant-purger.ts';
import { Tombstones } from './lives/tombstones.ts';
import { PayloadReads } from './history/payload-reads.ts';
import { answerOnce } from './idempotency/answer-once.ts';
import { IdempotentAnswers, type IdempotentAnswersDeps } from './idempotency/idempotent-answers.ts';
import { RejectedEvents } from './history/rejected-events.ts';
import { registerBroadcastRoutes } from './routes/broadcasts.ts';
import { registerApiKeyRoutes } from './routes/api-keys.ts';
import { type DeadLetterParts, registerDeadLetterRoutes } from './routes/dead-letters.ts';
import { registerDeliveryRoutes } from './routes/deliveries.ts';
import { registerEndpointRoutes } from './routes/endpoints.ts';
import { registerEventTypeRoutes } from './routes/event-types.ts';
import { registerEventExplanationRoute, registerEventRoutes } from './routes/events.ts';
import { registerEventPayloadRoute, registerPayloadLinkRoute } from './routes/payloads.ts';
import { registerRejectedEventRoutes } from './routes/rejected-events.ts';
import { registerReferenceRoutes } from './reference/routes.ts';
import { registerSubscriptionRoutes } from './routes/subscriptions.ts';
import { registerTenantRoutes } from './routes/tenants.ts';
import { Subscriptions } from './resources/subscriptions.ts';
import { createChangeTurns } from './config-sync/change-turns.ts';
import { Tenants } from './resources/tenants.ts';

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
  config: ConfigView;
  lives: TenantLives;
  registry: Registry;
  secretBox: Sealer;
  payloads: PayloadStore;
  payloadLinks: PayloadLinks;
  authenticate: Authenticate;
  clock: Clock;
}

export interface Control {
  /** Registers the API and its reference. */
  registerRoutes(app: FastifyInstance): void;
  /**
   * Creates the indexes, keeps CONFIG up to date, removes the data of deleted tenants. Starting it
   * waits for no server.
   */
  service: Service;
  /** For `/readyz`: not ready until CONFIG has once held all of MongoDB's configuration. */
  syncState(): SyncState;
  /** Writes the whole bucket CONFIG again, because it was created again. */
  compareConfig(): void;
  registerEventTypes(seen: readonly SeenType[]): Promise<void>;
  disableGoneEndpoint(record: EndpointGoneRecord): Promise<void>;
  trackHealth(attempts: AttemptsByEndpoint): Promise<void>;
}

/**
 * Creates the control plane of a process: its service, its routes, and its interface for the
 * projector.
 */
export function createControl(deps: ControlDeps): Control {
  const { settings, log, mongo, db, nc, clock, config } = deps;
  const [configuration, history] = [configurationOf(db), historyOf(db)];
  const turns = createChangeTurns(configuration, clock);
  const prepare = async (): Promise<void> => {
    await ensureIndexes(db, settings.historyRetentionSeconds);
    await sealStoredHeaders({ mongo, configuration, turns, clock, secretBox: deps.secretBox });
  };
  const { sync, publisher } = createConfigPublication({ mongo, db, nc, clock, log, prepare });
  const publish = (key: string): Promise<void> => publisher.publish(key);
  const shared: ConfigurationDeps = { mongo, configuration, publish, turns, clock };
  const health = createHealth({ ...deps, ...shared, db, history });
  const openManager = () => jetstreamManager(nc, { checkAPI: false, timeout: NATS_TIMEOUT_MS });
  const lives = new CurrentLives(configuration);
  const { shards } = settings;
  const ofTenants = { ...deps, ...shared, ...healthStoreOf(db), history, lives, shards };
  const purger = new TenantPurger({ ...ofTenants, jsm: openManager });
  const endpoints = new Endpoints({
    ...shared,
    health: health.reads,
    secretBox: deps.secretBox,
    guard: new EgressGuard(settings.egress.allow),
    probeReceiver: new ProbeReceiver(settings.egress.probeReceiverUrl),
    publicUrl: settings.publicUrl,
  });
  const automatic = new AutomaticTypes({ configuration, clock });
  const registrar = new EventTypeRegistrar({ types: automatic, config, log, clock });
  const reads = { history, config, searches: new FairSearches() };
  const events = new EventReads(reads);
  const deliveries = new DeliveryReads({ ...reads, events });
  const deadLetters = createDeadLetters({
    ...deps,
    ...reads,
    announce: (letters) => health.announceDeadLetters(letters),
  });
  const payloads = payloadReads(deps, events);
  const parts: ApiParts = {
    ...deadLetters,
    lives,
    tenants: new Tenants({
      ...shared,
      tombstones: new Tombstones({ configuration, history }),
      views: new LifeViews({ nc, jsm: openManager, clock }),
      onRemoved: () => purger.wake(),
    }),
    endpoints,
    subscriptions: new Subscriptions({ ...shared, eventBytesMax: settings.eventBytesMax }),
    payloads,
    explanations: new EventExplanations({ events, payloads, config, clock }),
    eventTypes: new EventTypes({
      ...shared,
      automatic,
      onRemoved: (name) => registrar.forget(name),
    }),
    apiKeys: new ApiKeys(shared),
    events,
    deliveries,
    deliveryActions: new DeliveryActions({
      shards,
      jsm: openManager,
      publisher: deps.publisher,
      deliveries,
      deadLetters: deadLetters.deadLetterActions,
      held: new HeldDeliveries({ ...deps, shards, jsm: openManager }),
      orderedHeads: new OrderedHeads({ nc, shards }),
      config,
    }),
    broadcasts: new Broadcasts({
      store: new BroadcastStore({ publisher: deps.publisher, jsm: openManager, clock }),
      clock,
    }),
    rejected: new RejectedEvents({ jsm: openManager, config }),
  };
  const registerApi = (app: FastifyInstance): void =>
    registerApiRoutes(app, { ...deps, answers: configuration.idempotentAnswers }, parts);
  return {
    registerRoutes(app) {
      registerApi(app);
      const { publicUrl } = settings;
      registerReferenceRoutes(app, { settings: deps.http, clock, log, registerApi, publicUrl });
    },
    service: controlService(sync, purger, [deadLetters.projector, health.outbox]),
    syncState: () => sync.state,
    compareConfig: () => sync.requestComparison(),
    registerEventTypes: (seen) => registrar.register(seen),
    disableGoneEndpoint: (record) => health.disableGone(record),
    trackHealth: (attempts) => health.track(attempts),
  };
}

function payloadReads(deps: ControlDeps, events: EventReads): PayloadReads {
  const budget = new ByteBudget(deps.settings.payloadMemoryBytesMax);
  return new PayloadReads({
    ...deps,
    store: deps.payloads,
    links: deps.payloadLinks,
    events,
    budget,
  });
}

interface ApiParts extends DeadLetterParts {
  lives: CurrentLives;
  tenants: Tenants;
  endpoints: Endpoints;
  subscriptions: Subscriptions;
  eventTypes: EventTypes;
  apiKeys: ApiKeys;
  events: EventReads;
  deliveries: DeliveryReads;
  deliveryActions: DeliveryActions;
  rejected: RejectedEvents;
  broadcasts: Broadcasts;
  payloads: PayloadReads;
  explanations: EventExplanations;
}

/**
 * Registered in a scope of its own, because access checks apply to all routes of a scope. Payload
 * links are outside it.
 */
function registerApiRoutes(
  app: FastifyInstance,
  deps: ControlDeps & Pick<IdempotentAnswersDeps, 'answers'>,
  parts: ApiParts,
): void {
  registerPayloadLinkRoute(app, parts.payloads);
  void app.register((scope, _options, done) => {
    const api = requireAccess(scope, deps.authenticate, parts.lives);
    applyReadPreconditions(scope);
    answerOnce(scope, new IdempotentAnswers(deps), deps.log);
    registerTenantRoutes(api, parts.tenants);
    registerEndpointRoutes(api, parts.endpoints);
    registerSubscriptionRoutes(api, parts.subscriptions);
    registerEventTypeRoutes(api, parts);
    registerApiKeyRoutes(api, parts.apiKeys);
    registerEventRoutes(api, parts);
    registerEventExplanationRoute(api, parts);
    registerEventPayloadRoute(api, parts);
    registerDeliveryRoutes(api, parts);
    registerDeadLetterRoutes(api, parts);
    registerRejectedEventRoutes(api, parts);
    registerBroadcastRoutes(api, parts.broadcasts);
    done();
  });
}

function controlService(sync: ConfigSync, purger: TenantPurger, others: Service[]): Service {
  return {
    name: 'control',
    async start() {
      sync.start();
      purger.start();
      for (const other of others) await other.start();
    },
    async stop(deadlineMs) {
      let timer: NodeJS.Timeout | undefined;
      const deadline = new Promise((resolve) => {
        timer = setTimeout(resolve, deadlineMs);
      });
      await Promise.race([
        Promise.all([sync.stop(), purger.stop(), ...others.map((other) => other.stop(deadlineMs))]),
        deadline,
      ]);
      clearTimeout(timer);
    },
  };
}
