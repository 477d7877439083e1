/**
 * The control plane: the API for configuration and history, and the publication of the
 * configuration from MongoDB to CONFIG.
 */
import type { FastifyInstance } from 'fastify';
import { configurationOf } from '#infra/mongo/configuration.ts';
import { ensureIndexes } from '#infra/mongo/ensure-indexes.ts';
import { BroadcastStore } from '#infra/nats/stores/broadcast-store.ts';
import type { Service } from '#infra/service.ts';
import type { EndpointGoneRecord } from '#wire/frames/record.ts';
import { Broadcasts } from './deliveries/broadcasts.ts';
import type { ConfigurationDeps } from './config-sync/change-tenant.ts';
import { createConfigPublication } from './config-sync/config-publication.ts';
import type { ConfigSync, SyncState } from './config-sync/config-sync.ts';
import type { AttemptsByEndpoint } from './health/attempts.ts';
import type { ChangedMinute } from './metrics/changed-cells.ts';
import { createIssues, createMetrics } from './composition/create-metrics-parts.ts';
import { disableEndpoint } from './health/disable-endpoint.ts';
import { sealStoredHeaders } from './credentials/seal-stored-headers.ts';
import { type ApiParts, registerApiRoutes } from './routes/api-routes.ts';
import type { SeenType } from './event-types/automatic-types.ts';
import { KeyUseWriter } from './keys/key-use-writer.ts';
import { CurrentLives } from './lives/current-lives.ts';
import { createDryPublishes } from './dry-publish/create-dry-publishes.ts';
import { createLiveTail } from './tail/create-live-tail.ts';
import { TenantPurger } from './lives/tenant-purger.ts';
import { PauseEnder } from './endpoint-status/pause-ender.ts';
import { IdempotentAnswers } from './idempotency/idempotent-answers.ts';
import { RejectedEvents } from './history/rejected-events.ts';
import { Polls } from './poll/polls.ts';
import { tenantIdOf } from '#domain/tenant.ts';
import { registerReferenceRoutes } from './reference/routes.ts';
import { createChangeTurns } from './config-sync/change-turns.ts';
import { createReplays } from './composition/create-replay-parts.ts';
import { createEventTypeParts } from './composition/create-event-type-parts.ts';
import { type ControlDeps, managerOf } from './composition/control-deps.ts';
import {
  createHealth,
  createPurger,
  createResources,
  createSessions,
} from './composition/create-configuration-parts.ts';
import {
  createDeadLetters,
  createDeliveryActions,
  createReads,
  createReconciliations,
  createSearch,
} from './composition/create-history-parts.ts';

export interface Control {
  /** Registers the API and its reference. */
  registerRoutes(app: FastifyInstance): void;
  /**
   * Creates the indexes, keeps CONFIG up to date, removes the data of deleted tenants. Starting it
   * waits for no server.
   */
  service: Service;
  /** Ends its streams; stopped before the port of the API. */
  liveTail: Service;
  /** For `/readyz`: not ready until CONFIG has once held all of MongoDB's configuration. */
  syncState(): SyncState;
  /** Writes the whole bucket CONFIG again, because it was created again. */
  compareConfig(): void;
  registerEventTypes(seen: readonly SeenType[]): Promise<void>;
  disableGoneEndpoint(record: EndpointGoneRecord): Promise<void>;
  trackHealth(attempts: AttemptsByEndpoint): Promise<void>;
  markMetrics(minutes: readonly ChangedMinute[]): Promise<void>;
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
  const metrics = createMetrics(deps, lives);
  const eventTypes = createEventTypeParts(deps, changes);
  const purger = createPurger(deps, configuration, lives);
  const reads = createReads(deps);
  const issues = createIssues(deps, reads, health);
  const deadLetters = createDeadLetters(deps, reads, health);
  const deliveryActions = createDeliveryActions(deps, reads.deliveries, deadLetters.actions);
  const replays = createReplays(deps, reads.history, deliveryActions, lives);
  const liveTail = createLiveTail(deps);
  const parts: ApiParts = {
    lives,
    liveTail,
    ...createSessions(deps, changes),
    dryPublishes: createDryPublishes(deps),
    ...createResources(deps, changes, health.reads, () => purger.wake()),
    ...eventTypes.parts,
    metrics: metrics.reads,
    search: createSearch(deps, reads, lives),
    history: reads.history,
    issues: issues.issues,
    events: reads.events,
    deliveries: reads.deliveries,
    polls: new Polls({ nc, config, shards: settings.shards, clock }),
    reconciliations: createReconciliations(deps, reads, configuration, lives),
    payloads: reads.payloads,
    explanations: reads.explanations,
    rejected: new RejectedEvents({ jsm: managerOf(nc), config }),
    deadLetterReads: deadLetters.reads,
    deadLetterActions: deadLetters.actions,
    deliveryActions,
    ...replays.parts,
    broadcasts: createBroadcasts(deps),
    answers: new IdempotentAnswers({
      answers: configuration.idempotentAnswers,
      secretBox: deps.secretBox,
      clock,
    }),
  };
  const registerApi = (app: FastifyInstance): void => registerApiRoutes(app, parts, deps, log);
  return {
    registerRoutes(app) {
      registerApi(app);
      const { publicUrl } = settings;
      registerReferenceRoutes(app, { settings: deps.http, clock, log, registerApi, publicUrl });
    },
    liveTail,
    service: controlService(sync, purger, [
      deadLetters.projector,
      health.outbox,
      ...replays.services,
      new KeyUseWriter({ nc, configuration, clock, log }),
      new PauseEnder({ ...changes, log }),
      metrics.rollup,
      issues.counter,
    ]),
    syncState: () => sync.state,
    compareConfig: () => sync.requestComparison(),
    registerEventTypes: (seen) => eventTypes.registrar.register(seen),
    disableGoneEndpoint: ({ tenant, endpoint, url }) =>
      disableEndpoint(health.disabling, {
        tenant: tenantIdOf(tenant),
        endpoint,
        url,
        reason: 'gone',
      }),
    trackHealth: (attempts) => health.tracker.apply(attempts),
    markMetrics: (minutes) => metrics.marker.markMinutes(minutes),
  };
}

function createBroadcasts({ nc, publisher, clock }: ControlDeps): Broadcasts {
  return new Broadcasts({
    store: new BroadcastStore({ publisher, jsm: managerOf(nc), clock }),
    clock,
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
