import { tenantNotFound } from '#domain/field-faults.ts';
import type { Configuration } from '#infra/mongo/configuration.ts';

/**
 * Throws if the tenant does not exist, to distinguish this from a missing resource of an existing
 * tenant. Call it only after a look-up found nothing, so that the usual answer costs one query.
 *
 * @throws PosthornError POSTHORN_TENANT_UNKNOWN
 */
export async function checkTenantExists(
  configuration: Pick<Configuration, 'tenants'>,
  tenantId: string,
): Promise<void> {
  const found = await configuration.tenants.countDocuments({ _id: tenantId }, { limit: 1 });
  if (found === 0) throw tenantNotFound(tenantId);
}
