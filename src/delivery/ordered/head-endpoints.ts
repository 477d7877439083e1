import type { ConfigView, TenantSnapshot } from '#wire/config-snapshot.ts';
import type { HeadEndpoint } from './head-state.ts';

/** Looks up endpoints by id for the queues; builds the index once per tenant snapshot. */
export class HeadEndpoints {
  private readonly config: Pick<ConfigView, 'tenant'>;
  private readonly byTenant = new WeakMap<TenantSnapshot, Map<string, HeadEndpoint>>();

  constructor(config: Pick<ConfigView, 'tenant'>) {
    this.config = config;
  }

  /** Undefined if the endpoint was deleted. */
  get(tenant: string, id: string): HeadEndpoint | undefined {
    const snapshot = this.config.tenant(tenant);
    if (snapshot === undefined) return undefined;
    let endpoints = this.byTenant.get(snapshot);
    if (endpoints === undefined) {
      endpoints = new Map(
        snapshot.endpoints.map(({ id, state, ordered }) => [
          id,
          { state, blocks: ordered?.onExhausted === 'block' },
        ]),
      );
      this.byTenant.set(snapshot, endpoints);
    }
    return endpoints.get(id);
  }
}
