/**
 * One canary: a tenant of a known shard with one endpoint, at the receiver of this process.
 *
 * What an earlier process left is deleted, and with it all that was still owed to its endpoint: a probe that is
 * restarted over and over leaves nothing behind that piles up. Its secret is made here and kept nowhere else.
 */
import { randomBytes } from 'node:crypto';
import { canaryTenant } from '#domain/canary.ts';
import { shardOf } from '#wire/subjects.ts';
import { type ApiClient, ApiRefusal } from './api-client.ts';

/** Not `posthorn.…`: those are the platform's own, which nobody may publish. */
export const PROBE_EVENT_TYPE = 'posthorn_probe.ping';

const YEAR_SECONDS = 365 * 24 * 3600;
/** A quarter of an hour: what the probe does not receive by then becomes a dead letter, and waits no more. */
const RETRY_DELAYS_SECONDS = [1, 5, 25, 125, 625];

/** For each shard the id of a tenant that belongs to it; the same ones at every start. */
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
  /** The probe's receiver; the path that is added says whose webhook it is. */
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

  /** Signs what is sent to the endpoint: `whsec_…`. */
  get secret(): string {
    return this.currentSecret;
  }

  /** Makes tenant and endpoint, in place of all that were there. @throws as ApiClient */
  async prepare(): Promise<void> {
    const { api, tenant, receiverUrl } = this.deps;
    this.endpoint = undefined;
    const path = `/v1/tenants/${tenant}`;
    // Its type is taken wherever unknown ones are refused.
    const settings = { name: 'Synthetic probe', event_type_policy: 'auto' };
    await api.control('PUT', path, settings);
    const list = (await api.control('GET', `${path}/endpoints`)) as { data: { id: string }[] };
    for (const { id } of list.data) await api.control('DELETE', `${path}/endpoints/${id}`);
    const secret = `whsec_${randomBytes(32).toString('base64')}`;
    const made = (await api.control('POST', `${path}/endpoints`, {
      url: `${receiverUrl}/${tenant}`,
      description: 'Receiver of the synthetic probe; made anew at each of its starts',
      event_types: [PROBE_EVENT_TYPE],
      secret,
      retry: { delays_seconds: RETRY_DELAYS_SECONDS },
      disable_after_seconds: YEAR_SECONDS,
    })) as { id: string };
    this.currentSecret = secret;
    this.endpoint = made.id;
  }

  /** Whether the endpoint is as it was made. @throws as ApiClient, unless it is gone */
  async isInPlace(): Promise<boolean> {
    const { api, tenant } = this.deps;
    try {
      const path = `/v1/tenants/${tenant}/endpoints/${this.endpoint}`;
      const { state } = (await api.control('GET', path)) as { state: string };
      return state === 'active';
    } catch (error) {
      if (error instanceof ApiRefusal && error.status === 404) return false;
      throw error;
    }
  }
}
