/**
 * Reports stored filters that do not compile. Their subscriptions match nothing, so each is logged,
 * and every event that it could not judge is counted. Filters are validated when they are stored; a
 * faulty one was written by another version of the program or directly in the database.
 *
 * Bound: remembers the last `limits.faultyFiltersKept` logged subscriptions.
 */
import { createHash } from 'node:crypto';
import { Counter, type Registry } from 'prom-client';
import type { CompiledFilter } from '#domain/filter/compile-filter.ts';
import { validateFilter } from '#domain/filter/validate-filter.ts';
import { limits } from '#domain/limits.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { SubscriptionSnapshot } from '#wire/config-snapshot.ts';

const FAULTS_LOGGED = 5;

export class FaultyFilters {
  private readonly log: Log;
  private readonly unjudged: Counter;
  /** By subscription: digest of the logged filter, as a snapshot holds no revision for each. */
  private readonly logged = new Map<string, string>();

  constructor(deps: { log: Log; registry: Registry }) {
    this.log = deps.log;
    this.unjudged = new Counter({
      name: 'posthorn_router_faulty_filter_events_total',
      help: 'Events that a stored filter could not judge, as it does not compile.',
      registers: [deps.registry],
    });
  }

  /**
   * Logs the subscription once for each of its revisions.
   *
   * @returns a filter to use instead: it matches no event, and counts each
   */
  report(tenant: string, subscription: SubscriptionSnapshot, error: unknown): CompiledFilter {
    const { id, endpointId } = subscription;
    const revision = createHash('sha256').update(JSON.stringify(subscription)).digest('base64');
    const key = `${tenant}/${id}`;
    if (this.logged.get(key) !== revision) {
      this.logged.delete(key);
      this.logged.set(key, revision);
      const [oldest] = this.logged.keys();
      if (this.logged.size > limits.faultyFiltersKept) this.logged.delete(oldest as string);
      const facts = { tenant_id: tenant, subscription_id: id, endpoint_id: endpointId };
      const faults = validateFilter(subscription.filter).slice(0, FAULTS_LOGGED);
      this.log.error({ ...facts, err: error, faults }, 'router.filter_faulty');
    }
    return () => {
      this.unjudged.inc();
      return false;
    };
  }
}
