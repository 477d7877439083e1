/**
 * The control plane: the API for configuration and history, and the publication of the
 * configuration from MongoDB to CONFIG.
 */
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
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
import { type Configuration, configurationOf } from '#infra/mongo/configuration.ts';
import { healthStoreOf } from '#infra/mongo/endpoint-health.ts';
import { ensureIndexes } from '#infra/mongo/ensure-indexes.ts';
import { type History, historyOf } from '#infra/mongo/documents.ts';
import { BroadcastStore } from '#infra/nats/stores/broadcast-store.ts';
import type { Publisher } from '#infra/nats/publish/publisher.ts';
import type { RecordBatcher } from '#infra/nats/publish/record-batcher.ts';
import type { PayloadStore } from '#infra/payload-store.ts';
import type { TenantLives } from '#infra/tenant-lives.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { Service } from '#infra/service.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import { Admission, type CheckLarge } from '#wire/published/admission.ts';
import type { EndpointGoneRecord } from '#wire/frames/record.ts';
import type { PayloadLinks } from '#wire/webhook/payload-link.ts';
import { ApiKeys } from './resources/api-keys.ts';
import { Broadcasts } from './deliveries/broadcasts.ts';
import type { ConfigurationDeps } from './config-sync/change-tenant.ts';
import { createConfigPublication } from './config-sync/config-publication.ts';
import type { ConfigSync, SyncState } from './config-sync/config-sync.ts';
import { DeliveryActions } from './deliveries/delivery-actions.ts';
import type { AttemptsByEndpoint } from './health/attempts.ts';
import { announceDeadLetters } from './health/announce-dead-letters.ts';
import { disableEndpoint, type DisableDeps } from './health/disable-endpoint.ts';
import { OperationalOutbox } from './health/outbox.ts';
import { HealthReads } from './health/reads.ts';
import { HealthTracker } from './health/tracker.ts';
import { OrderedHeads } from './deliveries/ordered-heads.ts';
import type { Sealer } from './resources/endpoint-secrets.ts';
import { sealStoredHeaders } from './credentials/seal-stored-headers.ts';
import { DeadLetterActions } from './dead-letters/actions.ts';
import { createDeadLetterProjector } from './dead-letters/projector.ts';
import { DeadLetterReads } from './dead-letters/reads.ts';
import { type ApiParts, registerApiRoutes } from './routes/api-routes.ts';
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
import { IdempotentAnswers } from './idempotency/idempotent-answers.ts';
import { RejectedEvents } from './history/rejected-events.ts';
import { tenantIdOf } from '#domain/tenant.ts';
import { registerReferenceRoutes } from './reference/routes.ts';
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
  checkLarge: CheckLarge;
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
  const { settings, mongo, db, nc, config, clock, log } = deps;
  const configuration = configurationOf(db);
  const turns = createChangeTurns(configuration, clock);
  const { sync, publisher } = createConfigPublication({
    mongo,
    db,
    nc,
    clock,
    log,
    prepare: async () => {
      await ensureIndexes(db, settings.historyRetentionSeconds);
      await sealStoredHeaders({ mongo, configuration, turns, clock, secretBox: deps.secretBox });
    },
  });
  const publish = (key: string): Promise<void> => publisher.publish(key);
  const changes: ConfigurationDeps = { mongo, configuration, publish, turns, clock };
  const lives = new CurrentLives(configuration);
  const health = createHealth(deps, changes, lives);
  const automatic = new AutomaticTypes({ configuration, clock });
  const registrar = new EventTypeRegistrar({ types: automatic, config, clock, log });
  const purger = createPurger(deps, configuration, lives);
  const reads = createReads(deps);
  const deadLetters = createDeadLetters(deps, reads, health);
  const parts: ApiParts = {
    lives,
    ...createResources(deps, changes, health.reads, () => purger.wake()),
    eventTypes: new EventTypes({
      ...changes,
      automatic,
      onRemoved: (name) => registrar.forget(name),
    }),
    events: reads.events,
    deliveries: reads.deliveries,
    payloads: reads.payloads,
    explanations: reads.explanations,
    rejected: new RejectedEvents({ jsm: managerOf(nc), config }),
    deadLetterReads: deadLetters.reads,
    deadLetterActions: deadLetters.actions,
    deliveryActions: createDeliveryActions(deps, reads.deliveries, deadLetters.actions),
    broadcasts: new Broadcasts({
      store: new BroadcastStore({ publisher: deps.publisher, jsm: managerOf(nc), clock }),
      clock,
    }),
    answers: new IdempotentAnswers({
      answers: configuration.idempotentAnswers,
      secretBox: deps.secretBox,
      clock,
    }),
  };
  const registerApi = (app: FastifyInstance): void =>
    registerApiRoutes(app, parts, deps.authenticate, log);
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
    disableGoneEndpoint: ({ tenant, endpoint, url }) =>
      disableEndpoint(health.disabling, {
        tenant: tenantIdOf(tenant),
        endpoint,
        url,
        reason: 'gone',
      }),
    trackHealth: (attempts) => health.tracker.apply(attempts),
  };
}

/** Opens the manager on first use: control starts while NATS is down. */
function managerOf(nc: NatsConnection): () => Promise<JetStreamManager> {
  return () => jetstreamManager(nc, { checkAPI: false, timeout: NATS_TIMEOUT_MS });
}

interface Health {
  /** For endpoints that are disabled by the platform. */
  disabling: DisableDeps;
  reads: HealthReads;
  tracker: HealthTracker;
  outbox: OperationalOutbox;
}

/** The parts that track, show and announce the health of endpoints (DL-11). */
function createHealth(
  { settings, db, publisher, log }: ControlDeps,
  changes: ConfigurationDeps,
  lives: CurrentLives,
): Health {
  const { endpointDisableAfterSeconds: disableAfterSeconds, operatorTenant } = settings;
  const store = healthStoreOf(db);
  const history = historyOf(db);
  const disabling: DisableDeps = { ...changes, store, operatorTenant, lives };
  return {
    disabling,
    reads: new HealthReads({ store, history, disableAfterSeconds }),
    tracker: new HealthTracker({ ...disabling, store, history, disableAfterSeconds }),
    outbox: new OperationalOutbox({ store, publisher, log }),
  };
}

/** Removes what deleted tenants left behind. */
function createPurger(
  { settings, db, nc, payloads, clock, log }: ControlDeps,
  configuration: Configuration,
  lives: CurrentLives,
): TenantPurger {
  const { health, outbox } = healthStoreOf(db);
  return new TenantPurger({
    configuration,
    lives,
    history: historyOf(db),
    health,
    outbox,
    payloads,
    jsm: managerOf(nc),
    shards: settings.shards,
    clock,
    log,
  });
}

interface Reads {
  history: History;
  searches: FairSearches;
  events: EventReads;
  deliveries: DeliveryReads;
  payloads: PayloadReads;
  explanations: EventExplanations;
}

/** The parts that read the history. Their searches share the turns of tenants. */
function createReads({ settings, db, config, payloads, payloadLinks, clock }: ControlDeps): Reads {
  const history = historyOf(db);
  const searches = new FairSearches();
  const events = new EventReads({ history, config, searches });
  const payloadReads = new PayloadReads({
    store: payloads,
    links: payloadLinks,
    events,
    config,
    budget: new ByteBudget(settings.payloadMemoryBytesMax),
    clock,
  });
  return {
    history,
    searches,
    events,
    deliveries: new DeliveryReads({ history, config, searches, events }),
    payloads: payloadReads,
    explanations: new EventExplanations({ events, payloads: payloadReads, config, clock }),
  };
}

/** The parts that read, replay, discard and store dead letters (DL-10). */
function createDeadLetters(
  { nc, config, lives, publisher, records, registry, clock, log }: ControlDeps,
  { history, searches }: Reads,
  { disabling }: Health,
): { reads: DeadLetterReads; actions: DeadLetterActions; projector: Service } {
  const reads = new DeadLetterReads({ history, config, searches });
  const { store, operatorTenant, lives: currentLives } = disabling;
  const announcing = { store, operatorTenant, lives: currentLives, config, clock };
  return {
    reads,
    actions: new DeadLetterActions({ history, searches, reads, config, publisher, records, clock }),
    projector: createDeadLetterProjector({
      clock,
      nc,
      history,
      lives,
      registry,
      log,
      announce: (letters) => announceDeadLetters(announcing, letters),
    }),
  };
}

/** The parts that change tenants, endpoints, subscriptions and API keys. */
function createResources(
  { settings, db, nc, config, secretBox, checkLarge, clock }: ControlDeps,
  changes: ConfigurationDeps,
  health: HealthReads,
  onTenantRemoved: () => void,
): Pick<ApiParts, 'tenants' | 'endpoints' | 'subscriptions' | 'apiKeys'> {
  const { configuration } = changes;
  return {
    tenants: new Tenants({
      ...changes,
      tombstones: new Tombstones({ configuration, history: historyOf(db) }),
      views: new LifeViews({ nc, jsm: managerOf(nc), clock }),
      onRemoved: onTenantRemoved,
    }),
    endpoints: new Endpoints({
      ...changes,
      health,
      secretBox,
      guard: new EgressGuard(settings.egress.allow),
      probeReceiver: new ProbeReceiver(settings.egress.probeReceiverUrl),
      publicUrl: settings.publicUrl,
    }),
    subscriptions: new Subscriptions({
      ...changes,
      eventBytesMax: settings.eventBytesMax,
      admission: new Admission({ config, policy: settings.eventTypePolicy, checkLarge }),
    }),
    apiKeys: new ApiKeys(changes),
  };
}

function createDeliveryActions(
  { settings, nc, config, publisher }: ControlDeps,
  deliveries: DeliveryReads,
  deadLetters: DeadLetterActions,
): DeliveryActions {
  const { shards } = settings;
  const jsm = managerOf(nc);
  return new DeliveryActions({
    shards,
    jsm,
    publisher,
    deliveries,
    deadLetters,
    held: new HeldDeliveries({ shards, jsm, publisher }),
    orderedHeads: new OrderedHeads({ nc, shards }),
    config,
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
