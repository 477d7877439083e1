import { parseTargetUrl } from './endpoint/target-url/target-url.ts';

/**
 * The tenants of the synthetic probe (OB-6). They take the same path as all tenants, with two
 * exceptions: lists of tenants leave them out, and their webhooks may go to the probe's receiver.
 */
const PREFIX = 'posthorn-probe-';

/** @param name of the probe; `n` distinguishes its canaries */
export function canaryTenant(name: string, n: number): string {
  return `${PREFIX}${name}-${n}`;
}

export function isCanaryTenant(tenant: string): boolean {
  return tenant.startsWith(PREFIX);
}

/** Excludes the probe's tenants in a MongoDB query on an indexed field. */
export const noCanary = { $not: new RegExp(`^${PREFIX}`) };

/**
 * The receiver of the probe: the only private address that delivery may reach outside the allowed
 * networks, and only for the probe's own tenants. The same URL of another tenant is rejected like
 * every private address (DL-13).
 */
export class ProbeReceiver {
  private readonly origin: string | undefined;

  /** @param url the operator's URL of the receiver; undefined: there is none */
  constructor(url: string | undefined) {
    this.origin = url === undefined ? undefined : originOf(url);
  }

  /** Whether a tenant's webhooks to this URL go to the probe. */
  isAt(tenant: string, url: string): boolean {
    if (this.origin === undefined || !isCanaryTenant(tenant)) return false;
    return originOf(url) === this.origin;
  }
}

function originOf(url: string): string | undefined {
  const parsed = parseTargetUrl(url);
  return parsed.ok ? parsed.url.origin : undefined;
}
