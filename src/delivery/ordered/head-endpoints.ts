import type { ConfigView, TenantSnapshot } from '#wire/config-snapshot.ts';
import type { HeadEndpoint } from './head-state.ts';

/** Endpoints by id, as queues ask for them: made once for each snapshot of a tenant. */
export class HeadEndpoints {
  private readonly config: Pick<ConfigView, 'tenant'>;
  private readonly byTenant = new WeakMap<TenantSnapshot, Map<string, HeadEndpoint>>();

  constructor(config: Pick<ConfigView, 'tenant'>) {
    this.config = config;
  }

  /** Undefined where it was deleted. */
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
