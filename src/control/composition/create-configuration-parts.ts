/** The parts that change the configuration, keep the health of endpoints, and end tenants. */
import type { Configuration } from '#infra/mongo/configuration.ts';
import { healthStoreOf } from '#infra/mongo/endpoint-health.ts';
import { historyOf } from '#infra/mongo/documents.ts';
import { issueStoreOf } from '#infra/mongo/issues/issues.ts';
import { metricCellsOf } from '#infra/mongo/metrics/metric-cells.ts';
import { replayStoreOf } from '#infra/mongo/replays/replay-store.ts';
import { Admission } from '#wire/published/admission.ts';
import { ApiKeys } from '../keys/api-keys.ts';
import type { ConfigurationDeps } from '../config-sync/change-tenant.ts';
import type { DisableDeps } from '../health/disable-endpoint.ts';
import { OperationalOutbox } from '../health/outbox.ts';
import { HealthReads } from '../health/reads.ts';
import { HealthTracker } from '../health/tracker.ts';
import type { ApiParts, EndpointParts } from '../routes/api-routes.ts';
import { CurrentLives } from '../lives/current-lives.ts';
import { LifeViews } from '../lives/life-views.ts';
import { TenantPurger } from '../lives/tenant-purger.ts';
import { Tombstones } from '../lives/tombstones.ts';
import { PortalTokens } from '../sessions/portal-tokens.ts';
import { SessionStore } from '../sessions/session-store.ts';
import { Subscriptions } from '../resources/subscriptions.ts';
import { Tenants } from '../resources/tenants.ts';
import { type ControlDeps, managerOf } from './control-deps.ts';
import { announcingOf, createEndpointParts } from './create-endpoint-parts.ts';

export interface Health {
  /** For endpoints that are disabled by the platform. */
  disabling: DisableDeps;
  reads: HealthReads;
  tracker: HealthTracker;
  outbox: OperationalOutbox;
}

/** The parts that track, show and announce the health of endpoints (DL-11). */
export function createHealth(
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
export function createPurger(
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
    metricCells: metricCellsOf(db),
    replays: replayStoreOf(db),
    issueStore: issueStoreOf(db),
    payloads,
    jsm: managerOf(nc),
    shards: settings.shards,
    clock,
    log,
  });
}

/** The parts that change tenants, endpoints, subscriptions and API keys. */
export function createResources(
  deps: ControlDeps,
  changes: ConfigurationDeps,
  health: HealthReads,
  onTenantRemoved: () => void,
): EndpointParts & Pick<ApiParts, 'tenants' | 'subscriptions' | 'apiKeys'> {
  const { settings, db, nc, config, checkLarge, clock } = deps;
  const { configuration } = changes;
  return {
    tenants: new Tenants({
      ...changes,
      tombstones: new Tombstones({ configuration, history: historyOf(db) }),
      views: new LifeViews({ nc, jsm: managerOf(nc), clock }),
      onRemoved: onTenantRemoved,
    }),
    ...createEndpointParts(deps, changes, health),
    subscriptions: new Subscriptions({
      ...changes,
      announcing: announcingOf(deps, changes),
      eventBytesMax: settings.eventBytesMax,
      admission: new Admission({ config, policy: settings.eventTypePolicy, checkLarge }),
    }),
    apiKeys: new ApiKeys(changes),
  };
}

/** The sessions of portals and operators. */
export function createSessions(
  { settings, mongo, config, clock }: ControlDeps,
  { configuration, publish }: ConfigurationDeps,
): Pick<ApiParts, 'sessions' | 'portalTokens'> {
  const sessions = new SessionStore({ configuration, revocations: config, publish, clock });
  const { publicUrl } = settings;
  return {
    sessions,
    portalTokens: new PortalTokens({ mongo, configuration, store: sessions, publicUrl, clock }),
  };
}
