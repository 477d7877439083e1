/**
 * How many requests of one tenant may be at work at once, so that the event loop keeps a pause. An event passes
 * through some six turns of the loop; in one that never rests a turn takes as long as all that came meanwhile.
 *
 * No limit -> limited, when the loop is busy while more than one tenant publishes; then fewer and fewer while it is
 * busy, one more at each look while it is calm (additive increase, multiplicative decrease: Chiu and Jain, 1989)
 * -> no limit, when there is room for many. Never all at once: a burst would bring back what was to be kept away.
 *
 * Tenants who all publish as fast as they can lose nothing: one request of each is enough to keep a process busy.
 */
const LOOK_EVERY_MS = 50;
const BUSY_ABOVE = 0.8;
const CALM_BELOW = 0.7;
const FIRST = 16;
const FEWER = 0.7;
const MANY = 64;
/** After another tenant's request, for so long a tenant is not taken to be alone: alone it may use all there is. */
const ALONE_AFTER_MS = 10_000;

export interface AtWorkLimitDeps {
  /** Share of the time since the last call in which the event loop worked, 0 to 1. */
  utilization: () => number;
  /** Monotonic milliseconds. */
  now: () => number;
}

export class AtWorkLimit {
  private readonly deps: AtWorkLimitDeps;
  private lookedAtMs: number;
  private lastTenant: string | undefined;
  private mixedAtMs = Number.NEGATIVE_INFINITY;
  private limit = Number.POSITIVE_INFINITY;

  constructor(deps: AtWorkLimitDeps) {
    this.deps = deps;
    this.lookedAtMs = deps.now();
  }

  /** A request of this tenant came. */
  saw(tenant: string): void {
    if (tenant === this.lastTenant) return;
    if (this.lastTenant !== undefined) this.mixedAtMs = this.deps.now();
    this.lastTenant = tenant;
  }

  /** At least 1; infinite where there is no limit. Looks at the loop when asked, by no timer. */
  current(): number {
    const nowMs = this.deps.now();
    if (nowMs - this.lookedAtMs < LOOK_EVERY_MS) return this.limit;
    this.lookedAtMs = nowMs;
    const utilization = this.deps.utilization();
    const alone = nowMs - this.mixedAtMs > ALONE_AFTER_MS;
    if (utilization > BUSY_ABOVE && !alone) this.lower();
    else if (utilization < CALM_BELOW || alone) this.raise();
    return this.limit;
  }

  private lower(): void {
    this.limit = this.limit > MANY ? FIRST : Math.max(1, Math.floor(this.limit * FEWER));
  }

  private raise(): void {
    this.limit = this.limit >= MANY ? Number.POSITIVE_INFINITY : this.limit + 1;
  }
}
