import type { ClientSession, MongoClient } from 'mongodb';
import { PosthornError } from '#domain/errors.ts';
import type { Configuration, TenantDocument } from '#infra/mongo/configuration.ts';
import { runTransaction } from '#infra/mongo/transaction.ts';
import { configKeys } from '#wire/subjects.ts';
import { keepTenantSize, SizeChange } from './tenant-size.ts';
import { type ChangeTurns, turnKeys } from './change-turns.ts';

/** What every change of the configuration needs. */
export interface ConfigurationDeps {
  mongo: MongoClient;
  configuration: Configuration;
  /** Brings a key of the bucket CONFIG up to date, within a short time, or leaves it to the sync. */
  publish: (key: string) => Promise<void>;
  turns: Pick<ChangeTurns, 'run'>;
  /** Milliseconds since 1970. */
  clock: () => number;
}

export interface TenantChange {
  session: ClientSession;
  /** As it is after this change. */
  tenant: TenantDocument;
  now: Date;
  /** To be told of endpoints and subscriptions that are written or removed. */
  size: SizeChange;
}

/**
 * Changes something of a tenant when its turn among the tenant's changes has come: one transaction that also makes its `config_rev` grow (which puts the
 * changes of a tenant in one order, and lets the snapshot's readers tell old from new), then the snapshot
 * is published. `change` may run several times: see `runTransaction`.
 *
 * @throws PosthornError POSTHORN_TENANT_UNKNOWN, POSTHORN_LIMIT_EXCEEDED, POSTHORN_OVERLOADED, and whatever `change` throws
 */
export async function changeTenant<T>(
  deps: ConfigurationDeps,
  tenantId: string,
  change: (context: TenantChange) => Promise<T>,
): Promise<T> {
  const { configuration, clock } = deps;
  // A change that waits for its turn must not reach the next life of its tenant.
  const asked = await configuration.tenants.findOne({ _id: tenantId }, { projection: { life: 1 } });
  if (asked === null) throw new PosthornError('POSTHORN_TENANT_UNKNOWN');
  const result = await changeInTurn(deps, turnKeys.tenant(tenantId), async (session) => {
    const now = new Date(clock());
    const tenant = await configuration.tenants.findOneAndUpdate(
      { _id: tenantId, life: asked.life ?? { $exists: false } },
      [{ $set: newRevision(now) }],
      { session, returnDocument: 'after' },
    );
    if (tenant === null) throw new PosthornError('POSTHORN_TENANT_UNKNOWN');
    const size = new SizeChange();
    const changed = await change({ session, tenant, now, size });
    await keepTenantSize(configuration, tenant, size, session);
    return changed;
  });
  await deps.publish(configKeys.tenant(tenantId));
  return result;
}

/**
 * Runs one transaction when its turn among the changes of `turnKey` has come.
 *
 * @param change may run several times: see `runTransaction`
 */
export function changeInTurn<T>(
  deps: Pick<ConfigurationDeps, 'mongo' | 'turns'>,
  turnKey: string,
  change: (session: ClientSession) => Promise<T>,
): Promise<T> {
  return deps.turns.run(turnKey, () => runTransaction(deps.mongo, change));
}

/**
 * The fields of a tenant's document that grow with every change, as aggregation expressions. `config_rev`: one
 * more, and not less than the clock, so that a tenant that is deleted and made again begins above where it ended,
 * and so does one from a backup once it changes. `size` stays while it was kept up to the change before this one;
 * one that somebody passed by (an older version, in an upgrade) goes, and is measured when it is needed.
 */
export function newRevision(now: Date): Record<'config_rev' | 'size', object> {
  const next = { $max: [{ $add: ['$config_rev', 1] }, now.getTime()] };
  const isKept = { $eq: ['$size.rev', '$config_rev'] };
  return {
    config_rev: next,
    size: { $cond: [isKept, { $mergeObjects: ['$size', { rev: next }] }, '$$REMOVE'] },
  };
}
