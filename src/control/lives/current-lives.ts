import { tenantNotFound } from '#domain/field-faults.ts';
import { lifeIdOf } from '#domain/tenant.ts';
import type { Configuration } from '#infra/mongo/configuration.ts';

/**
 * Finds the current life of a tenant: its history is read by the life id, never by the tenant id.
 */
export class CurrentLives {
  private readonly configuration: Pick<Configuration, 'tenants'>;

  constructor(configuration: Pick<Configuration, 'tenants'>) {
    this.configuration = configuration;
  }

  /**
   * Reads the tenant's current life from MongoDB, so that the answer is never an ended life.
   *
   * @returns its life id
   * @throws PosthornError POSTHORN_TENANT_UNKNOWN
   */
  async of(tenantId: string): Promise<string> {
    const lifeId = await this.find(tenantId);
    if (lifeId === undefined) throw tenantNotFound(tenantId);
    return lifeId;
  }

  /** Same as `of`; undefined if there is no such tenant. */
  async find(tenantId: string): Promise<string | undefined> {
    const options = { projection: { life: 1 } };
    const tenant = await this.configuration.tenants.findOne({ _id: tenantId }, options);
    return tenant === null ? undefined : lifeIdOf({ id: tenantId, life: tenant.life });
  }
}
