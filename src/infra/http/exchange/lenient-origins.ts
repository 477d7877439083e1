import { limits } from '#domain/limits.ts';

/** The origins of one tenant that the lenient client sends to. */
export interface OriginMemory {
  has: (origin: string) => boolean;
  add: (origin: string) => void;
}

/** A receiver that was repaired is sent to by undici again after this time. */
const KEPT_MS = 6 * 3_600_000;

/**
 * Remembers, in memory, which origins answer so that only the lenient client reads it. Each tenant has its own: what
 * one tenant's receiver answers does not slow another's deliveries, nor push its origins out.
 *
 * Limits: `limits.lenientOriginsPerTenantMax`, then `limits.lenientOriginsMax` in all; the oldest goes, of the tenant
 * that has the most. An origin that was forgotten costs one attempt that fails.
 */
export class LenientOrigins {
  private readonly now: () => number;
  private readonly tenants = new Map<string, Map<string, number>>();
  private size = 0;

  /** @param now monotonic, in milliseconds */
  constructor(now: () => number) {
    this.now = now;
  }

  of(tenant: string): OriginMemory {
    return {
      has: (origin) => this.has(tenant, origin),
      add: (origin) => this.add(tenant, origin),
    };
  }

  private has(tenant: string, origin: string): boolean {
    const origins = this.tenants.get(tenant);
    const untilMs = origins?.get(origin);
    if (untilMs === undefined) return false;
    if (this.now() < untilMs) return true;
    this.delete(tenant, origin);
    return false;
  }

  private add(tenant: string, origin: string): void {
    // Again at the end: the order is that of their ages.
    this.delete(tenant, origin);
    const held = this.tenants.get(tenant)?.size ?? 0;
    if (held >= limits.lenientOriginsPerTenantMax) this.dropOldest(tenant);
    else if (this.size >= limits.lenientOriginsMax) this.dropOldest(this.largest());
    const origins = this.tenants.get(tenant) ?? new Map<string, number>();
    this.tenants.set(tenant, origins.set(origin, this.now() + KEPT_MS));
    this.size++;
  }

  private delete(tenant: string, origin: string): void {
    const origins = this.tenants.get(tenant);
    if (origins?.delete(origin) !== true) return;
    this.size--;
    if (origins.size === 0) this.tenants.delete(tenant);
  }

  private dropOldest(tenant: string): void {
    for (const origin of this.tenants.get(tenant)?.keys() ?? []) {
      this.delete(tenant, origin);
      return;
    }
  }

  private largest(): string {
    let most = 0;
    let largest = '';
    for (const [tenant, { size }] of this.tenants) {
      if (size <= most) continue;
      most = size;
      largest = tenant;
    }
    return largest;
  }
}
