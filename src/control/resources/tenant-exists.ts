import { PosthornError } from '#domain/errors.ts';
import type { Configuration } from '#infra/mongo/configuration.ts';

/**
 * Tells a tenant without what was asked for from a tenant that is not there. Asked only once nothing was
 * found, so that the usual answer costs one query.
 *
 * @throws PosthornError POSTHORN_TENANT_UNKNOWN
 */
export async function checkTenantExists(
  configuration: Pick<Configuration, 'tenants'>,
  tenantId: string,
): Promise<void> {
  const found = await configuration.tenants.countDocuments({ _id: tenantId }, { limit: 1 });
  if (found === 0) throw new PosthornError('POSTHORN_TENANT_UNKNOWN');
}
