import type { ClientSession, MongoClient } from 'mongodb';
import { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import type { Configuration, TenantDocument } from '#infra/mongo/configuration.ts';
import { runTransaction } from '#infra/mongo/transaction.ts';
import { configKeys } from '#wire/subjects.ts';

/** What every change of the configuration needs. */
export interface ConfigurationDeps {
  mongo: MongoClient;
  configuration: Configuration;
  /** Brings a key of the bucket CONFIG up to date, within a short time, or leaves it to the sync. */
  publish: (key: string) => Promise<void>;
  /** Milliseconds since 1970. */
  clock: () => number;
}

export interface TenantChange {
  session: ClientSession;
  /** As it is after this change. */
  tenant: TenantDocument;
  now: Date;
}

/**
 * Changes something of a tenant: one transaction that also makes its `config_rev` grow (which puts the
 * changes of a tenant in one order, and lets the snapshot's readers tell old from new), then the snapshot
 * is published. `change` may run several times: see `runTransaction`.
 *
 * @throws PosthornError POSTHORN_TENANT_UNKNOWN, and whatever `change` throws
 */
export async function changeTenant<T>(
  deps: ConfigurationDeps,
  tenantId: string,
  change: (context: TenantChange) => Promise<T>,
): Promise<T> {
  const { mongo, configuration, clock } = deps;
  const result = await runTransaction(mongo, async (session) => {
    const now = new Date(clock());
    const tenant = await configuration.tenants.findOneAndUpdate(
      { _id: tenantId },
      [{ $set: { config_rev: nextConfigRev(now) } }],
      { session, returnDocument: 'after' },
    );
    if (tenant === null) throw new PosthornError('POSTHORN_TENANT_UNKNOWN');
    return change({ session, tenant, now });
  });
  await deps.publish(configKeys.tenant(tenantId));
  return result;
}

/**
 * The next `config_rev`, as an aggregation expression: one more, and not less than the clock. So a tenant that
 * is deleted and made again begins above where it ended, and so does one from a backup once it changes.
 */
export function nextConfigRev(now: Date): object {
  return { $max: [{ $add: ['$config_rev', 1] }, now.getTime()] };
}

/**
 * Keeps a tenant's configuration within what fits into one snapshot (SE-5); asked after whatever makes it
 * grow, in the same transaction.
 *
 * @throws PosthornError POSTHORN_LIMIT_EXCEEDED
 */
export async function checkTenantSize(
  configuration: Configuration,
  tenantId: string,
  session: ClientSession,
): Promise<void> {
  const measure = [
    { $match: { tenant: tenantId } },
    { $group: { _id: null, count: { $sum: 1 }, bytes: { $sum: { $bsonSize: '$$ROOT' } } } },
  ];
  type Size = { count: number; bytes: number };
  const nothing: Size = { count: 0, bytes: 0 };
  const { endpoints, subscriptions } = configuration;
  const [ofEndpoints = nothing] = await endpoints.aggregate<Size>(measure, { session }).toArray();
  const [ofSubscriptions = nothing] = await subscriptions
    .aggregate<Size>(measure, { session })
    .toArray();
  const bytes = ofEndpoints.bytes + ofSubscriptions.bytes;
  const faults: string[] = [];
  if (ofEndpoints.count > limits.endpointsPerTenantMax) {
    faults.push(`a tenant has at most ${limits.endpointsPerTenantMax} endpoints`);
  }
  if (ofSubscriptions.count > limits.subscriptionsPerTenantMax) {
    faults.push(`a tenant has at most ${limits.subscriptionsPerTenantMax} subscriptions`);
  }
  if (bytes > limits.tenantConfigBytesMax) {
    faults.push(`the tenant's configuration takes at most ${limits.tenantConfigBytesMax} bytes`);
  }
  if (faults.length > 0) {
    throw new PosthornError('POSTHORN_LIMIT_EXCEEDED', { detail: faults.join('; ') });
  }
}
