import { isPosthornError } from '#domain/errors.ts';
import { changeTenant, type ConfigurationDeps } from '../config-sync/change-tenant.ts';
import type { Sealer } from '../resources/endpoint-secrets.ts';
import { sealedHeaders } from './endpoint-credentials.ts';

/**
 * Seals header fields that were stored in plain text, one tenant at a time. Idempotent, and safe in
 * several processes concurrently. The next comparison updates the bucket CONFIG.
 */
export async function sealStoredHeaders(
  deps: Omit<ConfigurationDeps, 'publish'> & { secretBox: Sealer },
): Promise<void> {
  const { endpoints } = deps.configuration;
  const inPlainText = { headers: { $exists: true, $ne: {} } };
  for (const tenant of await endpoints.distinct('tenant', inPlainText)) {
    try {
      await changeTenant({ ...deps, publish: notNow }, tenant, async ({ session, size }) => {
        size.isBounded = false;
        const found = await endpoints.find({ tenant, ...inPlainText }, { session }).toArray();
        for (const endpoint of found) {
          const { _id, headers } = endpoint;
          const sealed = sealedHeaders(deps.secretBox, _id, headers);
          await endpoints.updateOne({ _id }, { $set: sealed }, { session });
          size.replaced('endpoints', endpoint, { ...endpoint, ...sealed });
        }
      });
    } catch (error) {
      // The tenant was deleted in between.
      if (!isPosthornError(error) || error.code !== 'POSTHORN_TENANT_UNKNOWN') throw error;
    }
  }
}

async function notNow(): Promise<void> {}
