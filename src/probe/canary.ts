/**
 * A canary: a tenant of a known shard with one endpoint, whose receiver is in this process.
 *
 * `prepare` deletes the endpoints of earlier processes and their pending deliveries, so that a
 * probe that restarts repeatedly leaves no backlog. The endpoint's secret is created here and
 * stored nowhere else.
 */
import { randomBytes } from 'node:crypto';
import { canaryTenant } from '#domain/canary.ts';
import { shardOf } from '#wire/subjects.ts';
import { type ApiClient, ApiRefusal } from './api-client.ts';

/** Not `posthorn.…`: tenants cannot publish the platform's own types. */
export const PROBE_EVENT_TYPE = 'posthorn_probe.ping';

const YEAR_SECONDS = 365 * 24 * 3600;
/** A quarter of an hour in all: after that, an undelivered event becomes a dead letter. */
const RETRY_DELAYS_SECONDS = [1, 5, 25, 125, 625];

/** Returns the id of one tenant for each shard; the same ids at every start. */
export function canaryTenants(name: string, shards: number): string[] {
  const tenants: string[] = [];
  let missing = shards;
  for (let n = 0; missing > 0; n++) {
    const tenant = canaryTenant(name, n);
    const shard = shardOf(tenant, shards);
    if (tenants[shard] !== undefined) continue;
    tenants[shard] = tenant;
    missing--;
  }
  return tenants;
}

export interface CanaryDeps {
  api: ApiClient;
  tenant: string;
  /** URL of the probe's receiver; the tenant's id is appended as the path. */
  receiverUrl: string;
}

export class Canary {
  readonly tenant: string;
  private readonly deps: CanaryDeps;
  private endpoint: string | undefined;
  private currentSecret = '';

  constructor(deps: CanaryDeps) {
    this.deps = deps;
    this.tenant = deps.tenant;
  }

  get isPrepared(): boolean {
    return this.endpoint !== undefined;
  }

  /** Secret that signs webhooks to the endpoint: `whsec_…`. */
  get secret(): string {
    return this.currentSecret;
  }

  /** Creates tenant and endpoint, and replaces existing endpoints. @throws as ApiClient */
  async prepare(): Promise<void> {
    const { api, tenant, receiverUrl } = this.deps;
    this.endpoint = undefined;
    const path = `/v1/tenants/${tenant}`;
    // Accept the probe's event type even if the platform's default rejects unknown types.
    const settings = { name: 'Synthetic probe', event_type_policy: 'auto' };
    await api.control('PUT', path, settings);
    const list = (await api.control('GET', `${path}/endpoints`)) as { data: { id: string }[] };
    for (const { id } of list.data) await api.control('DELETE', `${path}/endpoints/${id}`);
    const secret = `whsec_${randomBytes(32).toString('base64')}`;
    const made = (await api.control('POST', `${path}/endpoints`, {
      url: `${receiverUrl}/${tenant}`,
      description: 'Receiver of the synthetic probe; recreated at each start',
      event_types: [PROBE_EVENT_TYPE],
      secret,
      retry: { delays_seconds: RETRY_DELAYS_SECONDS },
      disable_after_seconds: YEAR_SECONDS,
    })) as { id: string };
    this.currentSecret = secret;
    this.endpoint = made.id;
  }

  /** Whether the endpoint exists and is active. @throws as ApiClient, except for 404 */
  async isInPlace(): Promise<boolean> {
    const { api, tenant } = this.deps;
    try {
      const path = `/v1/tenants/${tenant}/endpoints/${this.endpoint}`;
      const { status } = (await api.control('GET', path)) as { status: string };
      return status === 'active';
    } catch (error) {
      if (error instanceof ApiRefusal && error.status === 404) return false;
      throw error;
    }
  }
}
