/** The parts that change, test and verify endpoints (CT-2). */
import { ProbeReceiver } from '#domain/canary.ts';
import { EgressGuard } from '#domain/endpoint/egress.ts';
import type { EndpointDocument } from '#infra/mongo/configuration.ts';
import { healthStoreOf } from '#infra/mongo/endpoint-health.ts';
import { SequenceStore } from '#infra/nats/stores/sequence-store.ts';
import type { EndpointResource } from '#wire/api/endpoint/endpoint.ts';
import type { ConfigurationDeps } from '../config-sync/change-tenant.ts';
import { TestSends } from '../endpoint-requests/test-sends.ts';
import { Verifications } from '../endpoint-requests/verifications.ts';
import { WorkerRequests } from '../endpoint-requests/worker-requests.ts';
import { SecretActions } from '../endpoint-secrets/secret-actions.ts';
import { Pauses } from '../endpoint-status/pauses.ts';
import type { OperationalEventDeps } from '../health/operational-events.ts';
import type { HealthReads } from '../health/reads.ts';
import { CurrentLives } from '../lives/current-lives.ts';
import { Endpoints, type EndpointsDeps } from '../resources/endpoints.ts';
import type { EndpointParts } from '../routes/api-routes.ts';
import { type ControlDeps, managerOf } from './control-deps.ts';

export function createEndpointParts(
  deps: ControlDeps,
  changes: ConfigurationDeps,
  health: HealthReads,
): EndpointParts {
  const { settings, nc, secretBox } = deps;
  const endpoints = new Endpoints({
    ...changes,
    health,
    secretBox,
    guard: new EgressGuard(settings.egress.allow),
    probeReceiver: new ProbeReceiver(settings.egress.probeReceiverUrl),
    publicUrl: settings.publicUrl,
    onRemoved: sequenceRemover(deps),
    announcing: announcingOf(deps, changes),
  });
  const toResource = (endpoint: EndpointDocument): EndpointResource =>
    endpoints.toResource(endpoint);
  const asking = { ...changes, lives: new CurrentLives(changes.configuration) };
  const workers = new WorkerRequests(nc);
  return {
    endpoints,
    testSends: new TestSends({ ...asking, workers }),
    verifications: new Verifications({ ...asking, workers }),
    pauses: new Pauses({ ...changes, toResource }),
    secretActions: new SecretActions({ ...changes, secretBox, toResource }),
  };
}

/**
 * Removes the numbers of deleted endpoints. After a fault they are removed with the tenant's life.
 */
function sequenceRemover({ nc, publisher, clock, log }: ControlDeps): EndpointsDeps['onRemoved'] {
  const store = new SequenceStore({ publisher, jsm: managerOf(nc), now: clock.wallMs });
  return (lifeId, endpoint) => {
    store.forget(lifeId, endpoint).catch((error: unknown) => {
      log.warn({ error: (error as Error).message }, 'endpoint.sequences_not_removed');
    });
  };
}

/** What announces operational events. */
export function announcingOf(
  { settings, db, clock }: ControlDeps,
  { configuration }: ConfigurationDeps,
): OperationalEventDeps {
  const { operatorTenant } = settings;
  const lives = new CurrentLives(configuration);
  return { store: healthStoreOf(db), operatorTenant, lives, clock };
}
