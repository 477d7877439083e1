/** Reads the health of an endpoint for the API (CT-2, DL-11, DL-18). */
import type { EndpointDocument } from '#infra/mongo/configuration.ts';
import type { EndpointHealthDocument, HealthStore } from '#infra/mongo/endpoint-health.ts';
import type { History } from '#infra/mongo/documents.ts';
import type { EndpointHealth } from '#wire/api/endpoint/endpoint-health.ts';
import { healthStatusOf } from './health-status.ts';
import { failingSince } from './transitions.ts';

const COUNTED_MAX = 100_000;

export interface HealthReadsDeps {
  store: Pick<HealthStore, 'health'>;
  history: Pick<History, 'deliveries'>;
  disableAfterSeconds: number;
}

export class HealthReads {
  private readonly deps: HealthReadsDeps;

  constructor(deps: HealthReadsDeps) {
    this.deps = deps;
  }

  async get(endpoint: EndpointDocument): Promise<EndpointHealth> {
    const { store, history } = this.deps;
    const held = { endpoint: endpoint._id, 'state.status': 'held' as const };
    const [health, heldCount] = await Promise.all([
      store.health.findOne({ _id: endpoint._id }),
      history.deliveries.countDocuments(held, { limit: COUNTED_MAX }),
    ]);
    return { ...this.toResource(health, endpoint), held_count: heldCount };
  }

  private toResource(
    health: EndpointHealthDocument | null,
    endpoint: EndpointDocument,
  ): Omit<EndpointHealth, 'held_count'> {
    if (health === null) {
      const nothing = { failing_since: null, disables_at: null, last_success_at: null };
      return { status: 'unknown', ...nothing, last_failure: null };
    }
    const { facts, rules, shown } = healthStatusOf(health, endpoint, this.deps.disableAfterSeconds);
    const sinceMs = failingSince(facts, rules);
    return {
      status: sinceMs === null ? 'healthy' : 'failing',
      failing_since: sinceMs === null ? null : new Date(sinceMs).toISOString(),
      last_success_at: health.last_success_at?.toISOString() ?? null,
      ...shown,
    };
  }
}
