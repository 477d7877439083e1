import { lifeOf, tenantIdOf } from '#domain/tenant.ts';
import type { ConfigView, TenantSnapshot } from '#wire/config-snapshot.ts';

/** The configuration as a map that a test writes, by tenant id. */
export function mapConfig(tenants: ReadonlyMap<string, TenantSnapshot>): ConfigView {
  return {
    tenant(lifeId) {
      const snapshot = tenants.get(tenantIdOf(lifeId));
      return (snapshot?.life ?? 0) === lifeOf(lifeId) ? snapshot : undefined;
    },
    currentTenant: (id) => tenants.get(id),
    eventType: () => undefined,
    apiKey: () => undefined,
  };
}
