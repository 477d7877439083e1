/** Manages tenants (CT-1): their settings and their deletion. */
import type { ClientSession } from 'mongodb';
import { noCanary } from '#domain/canary.ts';
import { tenantNotFound } from '#domain/field-faults.ts';
import { lifeIdOf } from '#domain/tenant.ts';
import type { TenantDocument } from '#infra/mongo/configuration.ts';
import type {
  TenantChange as TenantSettingsChange,
  TenantListQuery,
  TenantResource,
  TenantSettings,
} from '#wire/api/tenant.ts';
import { boundList, type CursorPosition, type Page, toPage } from '#wire/pagination.ts';
import { checkPreconditions, type Preconditions } from '#wire/revision.ts';
import { configKeys } from '#wire/subjects.ts';
import { lastExpiry } from '../sessions/portal-tokens.ts';
import { addRevocation, tenantRevocation } from '../sessions/session-store.ts';
import { changeInTurn, type ConfigurationDeps, newRevision } from '../config-sync/change-tenant.ts';
import { afterCursor, timeOrder, timeSort } from '../history/time-order.ts';
import type { LifeViews } from '../lives/life-views.ts';
import type { Tombstones } from '../lives/tombstones.ts';
import { turnKeys } from '../config-sync/change-turns.ts';
import { storedRate } from './stored-rate.ts';

const SORT = timeSort('tenants');

export interface TenantsDeps extends ConfigurationDeps {
  tombstones: Pick<Tombstones, 'beginLife' | 'endLife'>;
  views: Pick<LifeViews, 'confirm'>;
  /** Called after a tenant was deleted: its history can be removed. */
  onRemoved: () => void;
}

export class Tenants {
  private readonly deps: TenantsDeps;

  constructor(deps: TenantsDeps) {
    this.deps = deps;
  }

  /**
   * Creates the tenant, or replaces its settings; settings that are left out get their defaults. A
   * tenant that was deleted starts its next life, and is answered once no process acts for an
   * earlier one. A crash before that leaves it `unconfirmed`: the same request, sent again, waits
   * again.
   *
   * @throws PosthornError POSTHORN_PRECONDITION_FAILED, POSTHORN_TENANT_NOT_READY
   */
  async put(
    id: string,
    settings: TenantSettings,
    preconditions: Preconditions = {},
  ): Promise<{ created: boolean; tenant: TenantResource }> {
    const { configuration, tombstones, clock, publish } = this.deps;
    const put = await changeInTurn(this.deps, turnKeys.tenant(id), async (session) => {
      const now = new Date(clock.wallMs());
      const known = await configuration.tenants.findOne({ _id: id }, { session });
      checkPreconditions(preconditions, known?.revision);
      const fields = {
        name: settings.name ?? null,
        weight: settings.weight ?? 1,
        in_flight_max: settings.in_flight_max ?? null,
        event_type_policy: settings.event_type_policy ?? null,
        subscription_approval: settings.subscription_approval ?? 'none',
        rate_limit: settings.rate_limit ? storedRate(settings.rate_limit, known?.rate_limit) : null,
        updated_at: now,
      };
      if (known === null) {
        const made = {
          _id: id,
          ...fields,
          ...(await tombstones.beginLife(id, now, session)),
          created_at: now,
        };
        await configuration.tenants.insertOne(made, { session });
        return { created: true, tenant: made };
      }
      const tenant = await this.update(id, fields, session);
      // Its creation was not answered yet.
      const created = known.unconfirmed === true;
      return { created, tenant };
    });
    await publish(configKeys.tenant(id));
    if (put.tenant.unconfirmed === true) await this.confirm(put.tenant);
    return { created: put.created, tenant: toResource(put.tenant) };
  }

  /**
   * Changes the given settings and keeps the others; null removes a setting.
   *
   * @throws PosthornError POSTHORN_TENANT_UNKNOWN, POSTHORN_PRECONDITION_FAILED
   */
  async change(
    id: string,
    body: TenantSettingsChange,
    preconditions: Preconditions,
  ): Promise<TenantResource> {
    const { configuration, clock, publish } = this.deps;
    const changed = await changeInTurn(this.deps, turnKeys.tenant(id), async (session) => {
      const known = await configuration.tenants.findOne({ _id: id }, { session });
      if (known === null) throw tenantNotFound(id);
      checkPreconditions(preconditions, known.revision);
      const { rate_limit: rate, ...settings } = body;
      const fields: Partial<TenantDocument> = { ...settings };
      if (rate !== undefined) {
        fields.rate_limit = rate === null ? null : storedRate(rate, known.rate_limit);
      }
      return this.update(id, { ...fields, updated_at: new Date(clock.wallMs()) }, session);
    });
    await publish(configKeys.tenant(id));
    return toResource(changed);
  }

  private async update(
    id: string,
    fields: Partial<TenantDocument> & { updated_at: Date },
    session: ClientSession,
  ): Promise<TenantDocument> {
    const revision = { $add: ['$revision', 1] };
    const changes = { ...literals(fields), revision, ...newRevision(fields.updated_at) };
    const options = { session, returnDocument: 'after' } as const;
    const { tenants } = this.deps.configuration;
    return (await tenants.findOneAndUpdate({ _id: id }, [{ $set: changes }], options)) as never;
  }

  /**
   * A crash after the wait leaves the tenant unconfirmed, which costs the next request another
   * wait.
   */
  private async confirm({ _id, life }: TenantDocument): Promise<void> {
    await this.deps.views.confirm(lifeIdOf({ id: _id, life }));
    await this.deps.configuration.tenants.updateOne(
      { _id, life: life as number },
      { $unset: { unconfirmed: '' } },
    );
  }

  async get(id: string): Promise<TenantResource> {
    const tenant = await this.deps.configuration.tenants.findOne({ _id: id });
    if (tenant === null) throw tenantNotFound(id);
    return toResource(tenant);
  }

  /** Lists tenants without those of the probe, which are not customers. */
  async list(query: TenantListQuery): Promise<Page<TenantResource>> {
    const { limit, order } = query;
    const list = boundList(SORT, '', query);
    const tenants = await this.deps.configuration.tenants
      .find({ $and: [{ _id: noCanary }, ...afterCursor(list, query, 'created_at')] })
      .sort(timeOrder('created_at', order))
      .limit(limit + 1)
      .toArray();
    return toPage(tenants, limit, list, positionOf, toResource);
  }

  /**
   * Deletes the tenant with its endpoints and subscriptions, revokes its keys, and leaves a
   * tombstone, in one transaction. Its data is removed afterwards, which may take long
   * (`lives/tenant-purger.ts`). A crash after the transaction is harmless: the sync publishes the
   * deletion, and any control process removes the data.
   */
  async remove(id: string, preconditions: Preconditions): Promise<void> {
    const { configuration, tombstones, clock, publish } = this.deps;
    const revoked = await changeInTurn(this.deps, turnKeys.tenant(id), async (session) => {
      const now = new Date(clock.wallMs());
      const tenant = await configuration.tenants.findOneAndDelete({ _id: id }, { session });
      if (tenant === null) throw tenantNotFound(id);
      checkPreconditions(preconditions, tenant.revision);
      await configuration.endpoints.deleteMany({ tenant: id }, { session });
      await configuration.subscriptions.deleteMany({ tenant: id }, { session });
      const ofLife = { tenant: lifeIdOf({ id, life: tenant.life }) };
      await configuration.automaticEventTypes.deleteMany(ofLife, { session });
      // They show deleted resources, and would be shown to a later tenant with this id too.
      await configuration.idempotentAnswers.deleteMany({ tenant: id }, { session });
      await configuration.sessions.deleteMany({ tenant: id }, { session });
      const revoked = { name: tenantRevocation(ofLife.tenant), expiresAt: lastExpiry(now) };
      await addRevocation(configuration, { ...revoked, nowMs: now.getTime() }, session);
      const ofTenant = { tenant: id, revoked_at: null };
      const keys = await configuration.apiKeys.find(ofTenant, { session }).toArray();
      await configuration.apiKeys.updateMany(
        ofTenant,
        { $set: { revoked_at: now }, $inc: { revision: 1 } },
        { session },
      );
      await tombstones.endLife(tenant, now, session);
      return [
        configKeys.revocation(revoked.name),
        ...keys.map((key) => configKeys.apiKey(key._id)),
      ];
    });
    // In parallel: each may take a second while NATS is unavailable, and a tenant has any number of
    // keys.
    await Promise.all([configKeys.tenant(id), ...revoked].map(publish));
    this.deps.onRemoved();
  }
}

function positionOf({ created_at, _id }: TenantDocument): CursorPosition {
  return [created_at.getTime(), _id];
}

/** In a pipeline, a text that begins with `$` would be evaluated as an expression. */
function literals(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, { $literal: value }]),
  );
}

function toResource(tenant: TenantDocument): TenantResource {
  return {
    id: tenant._id,
    name: tenant.name,
    weight: tenant.weight,
    in_flight_max: tenant.in_flight_max ?? null,
    event_type_policy: tenant.event_type_policy,
    subscription_approval: tenant.subscription_approval ?? 'none',
    rate_limit: tenant.rate_limit ?? null,
    revision: tenant.revision,
    created_at: tenant.created_at.toISOString(),
    updated_at: tenant.updated_at.toISOString(),
  };
}
