import { limits } from '#domain/limits.ts';

/** The origins of one tenant that need the lenient client. */
export interface OriginMemory {
  has: (origin: string) => boolean;
  add: (origin: string) => void;
}

/** After this time undici is tried again: the receiver may have been repaired. */
const KEPT_MS = 6 * 3_600_000;

/**
 * Remembers, in memory and separately for each tenant, the origins that need the lenient client:
 * one tenant's receiver does not affect another tenant's deliveries.
 *
 * Limits: `limits.lenientOriginsPerTenantMax`, and `limits.lenientOriginsMax` in all; the oldest
 * origin of the tenant with the most is dropped. A dropped origin costs one failed attempt.
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
    // Moves the origin to the end: the first one is the oldest.
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
