/**
 * Under load, limits the concurrent requests of each tenant; further ones wait before their bodies
 * are read. Otherwise a tenant that publishes on 64 connections gets 64 slots in the process's
 * queue ahead of every other tenant.
 *
 * Without load it admits every request immediately and counts nothing.
 */
export interface TenantConcurrencyLimiterDeps {
  limit: {
    recordArrival: (tenant: string) => void;
    /** Concurrent requests allowed to one tenant now: at least 1, infinite without a limit. */
    current: () => number;
  };
}

interface TenantSlots {
  active: number;
  waiting: LimitedRequest[];
}

export interface LimitedRequest {
  /** Called once when the request is admitted; never if the request ended before. */
  start: () => void;
  /** Registers a callback for the end of the request: answered or aborted. */
  onLeave: (left: () => void) => void;
}

export class TenantConcurrencyLimiter {
  private readonly deps: TenantConcurrencyLimiterDeps;
  private readonly tenants = new Map<string, TenantSlots>();

  constructor(deps: TenantConcurrencyLimiterDeps) {
    this.deps = deps;
  }

  /** Waiting requests. Each holds a connection, so the server's connection limit bounds them. */
  get waiting(): number {
    let count = 0;
    for (const { waiting } of this.tenants.values()) count += waiting.length;
    return count;
  }

  enter(tenant: string, request: LimitedRequest): void {
    const { limit } = this.deps;
    limit.recordArrival(tenant);
    const most = limit.current();
    const known = this.tenants.get(tenant);
    // A new request must not overtake those of its tenant that already wait.
    if (known === undefined && most === Number.POSITIVE_INFINITY) {
      request.start();
      return;
    }
    const slots = known ?? { active: 0, waiting: [] };
    if (known === undefined) this.tenants.set(tenant, slots);
    request.onLeave(() => this.leave(tenant, slots, request));
    if (slots.active < most) this.admit(slots, request);
    else slots.waiting.push(request);
  }

  private admit(slots: TenantSlots, request: LimitedRequest): void {
    slots.active++;
    request.start();
  }

  private leave(tenant: string, slots: TenantSlots, request: LimitedRequest): void {
    const at = slots.waiting.indexOf(request);
    if (at >= 0) slots.waiting.splice(at, 1);
    else slots.active--;
    const most = this.deps.limit.current();
    while (slots.active < most && slots.waiting.length > 0) {
      this.admit(slots, slots.waiting.shift() as LimitedRequest);
    }
    if (slots.active === 0 && slots.waiting.length === 0) this.tenants.delete(tenant);
  }
}
