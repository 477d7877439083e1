import { type Api, inParallel } from './api.ts';

export interface TenantsPlan {
  /** Of their ids: `<prefix>-<number>`. */
  prefix: string;
  tenants: number;
  /** Of each. */
  endpoints: number;
  /** So many tenants at a time. */
  atOnce: number;
  /** Each endpoint's URL is below it: `/<tenant>/<endpoint>`. */
  url: string;
  /** What every endpoint wants; absent: everything. */
  eventTypes?: string[];
}

/** @throws Error with the API's answer if it does not create one */
export async function makeTenants(api: Api, plan: TenantsPlan): Promise<void> {
  const { prefix, tenants, endpoints, atOnce, eventTypes } = plan;
  const wanted = eventTypes === undefined ? {} : { event_types: eventTypes };
  await inParallel(tenants, atOnce, async (t) => {
    const path = `/v1/tenants/${prefix}-${t}`;
    await api.call('PUT', path, { name: `${prefix} ${t}` });
    for (let e = 0; e < endpoints; e++) {
      await api.call('POST', `${path}/endpoints`, { url: `${plan.url}/${t}/${e}`, ...wanted });
    }
  });
}
