/**
 * Keeps the lives of tenants across DELETE. A deletion leaves a tombstone in its transaction. A
 * tenant that is created under the same id continues its life, revision and `config_rev`. So its
 * entity tags and snapshots are newer than those of the deleted tenant, even if clocks differ.
 *
 * Tombstones are never removed. One takes about 100 bytes for each tenant id that was ever
 * deleted.
 */
import type { ClientSession } from 'mongodb';
import { lifeIdOf } from '#domain/tenant.ts';
import type { Configuration, TenantDocument } from '#infra/mongo/configuration.ts';
import type { History } from '#infra/mongo/documents.ts';

export interface TombstonesDeps {
  configuration: Pick<Configuration, 'tenantTombstones' | 'tenantPurges' | 'apiKeys'>;
  history: Pick<History, 'events' | 'deliveries' | 'deadLetters'>;
}

/** The fields of a new tenant that depend on its earlier lives. */
export type LifeFields = Pick<TenantDocument, 'life' | 'unconfirmed' | 'revision' | 'config_rev'>;

export class Tombstones {
  private readonly deps: TombstonesDeps;

  constructor(deps: TombstonesDeps) {
    this.deps = deps;
  }

  /**
   * Ends the life of a tenant and marks its data for removal, in the transaction of its deletion.
   */
  async endLife(tenant: TenantDocument, now: Date, session: ClientSession): Promise<void> {
    const { tenantTombstones, tenantPurges } = this.deps.configuration;
    const { _id, life = 0, revision, config_rev } = tenant;
    await tenantTombstones.replaceOne(
      { _id },
      { life, revision, config_rev, deleted_at: now },
      { session, upsert: true },
    );
    await tenantPurges.updateOne(
      { _id: lifeIdOf({ id: _id, life }) },
      { $set: { deleted_at: now } },
      { session, upsert: true },
    );
  }

  /** Begins the life of a tenant, in the transaction of its creation. */
  async beginLife(tenantId: string, now: Date, session: ClientSession): Promise<LifeFields> {
    const { tenantTombstones } = this.deps.configuration;
    const before = await tenantTombstones.findOne({ _id: tenantId }, { session });
    if (before !== null) {
      return {
        life: before.life + 1,
        unconfirmed: true,
        revision: before.revision + 1,
        config_rev: Math.max(before.config_rev + 1, now.getTime()),
      };
    }
    const first = { revision: 1, config_rev: now.getTime() };
    // Versions before tombstones deleted without one: the data they left behind is of life 0.
    if (!(await this.hasTraces(tenantId, session))) return first;
    return { ...first, life: 1, unconfirmed: true };
  }

  private async hasTraces(tenantId: string, session: ClientSession): Promise<boolean> {
    const { configuration, history } = this.deps;
    const some = { session, projection: { _id: 1 } };
    const { events, deliveries, deadLetters } = history;
    const purge = await configuration.tenantPurges.findOne({ _id: tenantId }, some);
    if (purge !== null) return true;
    const tenant = { tenant: tenantId };
    return (
      (await configuration.apiKeys.findOne(tenant, some)) !== null ||
      (await events.findOne(tenant, some)) !== null ||
      (await deliveries.findOne(tenant, some)) !== null ||
      (await deadLetters.findOne(tenant, some)) !== null
    );
  }
}
