import type { ClientSession, MongoClient } from 'mongodb';
import type { Clock } from '#domain/clock.ts';
import { tenantNotFound } from '#domain/field-faults.ts';
import type { Configuration, TenantDocument } from '#infra/mongo/configuration.ts';
import { runTransaction } from '#infra/mongo/transaction.ts';
import { configKeys } from '#wire/subjects.ts';
import { type ChangeClaim, withClaim } from '../idempotency/change-claim.ts';
import { keepTenantSize, SizeChange } from './tenant-size.ts';
import { type ChangeTurns, turnKeys } from './change-turns.ts';

/** Dependencies of every change of the configuration. */
export interface ConfigurationDeps {
  mongo: MongoClient;
  configuration: Configuration;
  /** Brings a key of the bucket CONFIG up to date within a short time, or leaves it to the sync. */
  publish: (key: string) => Promise<void>;
  turns: Pick<ChangeTurns, 'run'>;
  clock: Clock;
}

export interface TenantChange {
  session: ClientSession;
  /** The tenant as this change leaves it. */
  tenant: TenantDocument;
  now: Date;
  /** Collects the endpoints and subscriptions that the change writes or removes. */
  size: SizeChange;
}

/**
 * Changes the configuration of a tenant, in turn with its other changes. One transaction applies
 * the change and increments the tenant's `config_rev`; then the snapshot is published. The revision
 * orders the changes of a tenant, so that readers of the snapshot can distinguish old from new. The
 * function `change` may run several times: see `runTransaction`.
 *
 * @param claim of the request's `Idempotency-Key`; undefined: it has none
 * @throws PosthornError POSTHORN_TENANT_UNKNOWN, POSTHORN_LIMIT_EXCEEDED, POSTHORN_OVERLOADED, and
 * errors of `change`
 */
export async function changeTenant<T>(
  deps: ConfigurationDeps,
  tenantId: string,
  change: (context: TenantChange) => Promise<T>,
  claim?: ChangeClaim<T>,
): Promise<T> {
  const { configuration, clock } = deps;
  // A change that waits for its turn must not reach the next life of its tenant.
  const requested = await configuration.tenants.findOne(
    { _id: tenantId },
    { projection: { life: 1 } },
  );
  if (requested === null) throw tenantNotFound(tenantId);
  const inTenant = async (session: ClientSession): Promise<T> => {
    const now = new Date(clock.wallMs());
    const tenant = await configuration.tenants.findOneAndUpdate(
      { _id: tenantId, life: requested.life ?? { $exists: false } },
      [{ $set: newRevision(now) }],
      { session, returnDocument: 'after' },
    );
    if (tenant === null) throw tenantNotFound(tenantId);
    const size = new SizeChange();
    const changed = await change({ session, tenant, now, size });
    await keepTenantSize(configuration, tenant, size, session);
    return changed;
  };
  const result = await changeInTurn(deps, turnKeys.tenant(tenantId), withClaim(claim, inTenant));
  await deps.publish(configKeys.tenant(tenantId));
  return result;
}

/**
 * Runs one transaction in turn with the other changes of `turnKey`.
 *
 * @param change may run several times: see `runTransaction`
 */
export function changeInTurn<T>(
  deps: Pick<ConfigurationDeps, 'mongo' | 'turns' | 'clock'>,
  turnKey: string,
  change: (session: ClientSession) => Promise<T>,
): Promise<T> {
  return deps.turns.run(turnKey, () => runTransaction(deps.mongo, deps.clock, change));
}

/**
 * Computes the fields of a tenant's document that grow with every change, as aggregation
 * expressions.
 *
 * - `config_rev` grows by one and is at least the clock. So it stays above the earlier revisions of
 *   a tenant that is deleted and created again, or restored from a backup and changed.
 * - The `size` is kept if the change before this one maintained it. A change by an older version,
 *   during an upgrade, does not: then `size` is removed, and measured when it is needed.
 */
export function newRevision(now: Date): Record<'config_rev' | 'size', object> {
  const next = { $max: [{ $add: ['$config_rev', 1] }, now.getTime()] };
  const isKept = { $eq: ['$size.rev', '$config_rev'] };
  return {
    config_rev: next,
    size: { $cond: [isKept, { $mergeObjects: ['$size', { rev: next }] }, '$$REMOVE'] },
  };
}
