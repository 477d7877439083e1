import { parseTargetUrl } from './endpoint/target-url/target-url.ts';

/**
 * The tenants of the synthetic probe (OB-6). They are tenants like all others on the whole path; what is different
 * for them is here: they are left out of the list of tenants, and their webhooks may go to the probe's receiver.
 */
const PREFIX = 'posthorn-probe-';

/** @param name of the probe; `n` tells its canaries apart */
export function canaryTenant(name: string, n: number): string {
  return `${PREFIX}${name}-${n}`;
}

/** Matches the ids of tenants that are none of the probe's, as a query of MongoDB on an indexed field. */
export const noCanary = { $not: new RegExp(`^${PREFIX}`) };

/**
 * The one private address that delivery may reach although its network is not allowed: the receiver of the probe, from
 * the probe's own tenants alone. Another tenant with the same URL is refused as for every private address (DL-13).
 */
export class ProbeReceiver {
  private readonly origin: string | undefined;

  /** @param url where the operator says that the receiver is; undefined: there is none */
  constructor(url: string | undefined) {
    this.origin = url === undefined ? undefined : originOf(url);
  }

  /** Whether a tenant's webhooks to this URL go to the probe. */
  isAt(tenant: string, url: string): boolean {
    if (this.origin === undefined || !tenant.startsWith(PREFIX)) return false;
    return originOf(url) === this.origin;
  }
}

function originOf(url: string): string | undefined {
  const parsed = parseTargetUrl(url);
  return parsed.ok ? parsed.url.origin : undefined;
}
