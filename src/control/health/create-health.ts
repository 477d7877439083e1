import type { Db } from 'mongodb';
import type { ControlSettings } from '#config/sections.ts';
import { healthStoreOf } from '#infra/mongo/endpoint-health.ts';
import type { DeadLetterDocument, History } from '#infra/mongo/documents.ts';
import type { Publisher } from '#infra/nats/publish/publisher.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import type { EndpointGoneRecord } from '#wire/frames/record.ts';
import type { ConfigurationDeps } from '../config-sync/change-tenant.ts';
import { announceDeadLetters } from './announce-dead-letters.ts';
import type { AttemptsByEndpoint } from './attempts.ts';
import { tenantIdOf } from '#domain/tenant.ts';
import { CurrentLives } from '../lives/current-lives.ts';
import { disableEndpoint } from './disable-endpoint.ts';
import { OperationalOutbox } from './outbox.ts';
import { HealthReads } from './reads.ts';
import { HealthTracker } from './tracker.ts';

export interface HealthDeps extends ConfigurationDeps {
  settings: Pick<ControlSettings, 'endpointDisableAfterSeconds' | 'operatorTenant'>;
  db: Db;
  history: History;
  config: Pick<ConfigView, 'tenant' | 'currentTenant'>;
  publisher: Publisher;
  log: Log;
}

/** The parts of the control plane that handle the health of endpoints. */
export interface Health {
  reads: HealthReads;
  outbox: OperationalOutbox;
  track(attempts: AttemptsByEndpoint): Promise<void>;
  disableGone(record: EndpointGoneRecord): Promise<void>;
  announceDeadLetters(letters: readonly DeadLetterDocument[]): Promise<void>;
}

/** Creates the parts that track, show and announce the health of endpoints (DL-11). */
export function createHealth(deps: HealthDeps): Health {
  const { settings, history } = deps;
  const store = healthStoreOf(deps.db);
  const disableAfterSeconds = settings.endpointDisableAfterSeconds;
  const { operatorTenant } = settings;
  const lives = new CurrentLives(deps.configuration);
  const shared = { ...deps, store, operatorTenant, lives };
  const tracker = new HealthTracker({ ...shared, disableAfterSeconds });
  return {
    reads: new HealthReads({ store, history, disableAfterSeconds }),
    outbox: new OperationalOutbox(shared),
    track: (attempts) => tracker.apply(attempts),
    disableGone: ({ tenant, endpoint, url }) =>
      disableEndpoint(shared, { tenant: tenantIdOf(tenant), endpoint, url, reason: 'gone' }),
    announceDeadLetters: (letters) => announceDeadLetters(shared, letters),
  };
}
