import { LoopPace, type LoopPaceDeps } from '#infra/loop-pace.ts';

/** Where so many of each tenant may be at work there is no limit. */
const MANY = 64;
const FIRST = 16;
/** After another tenant's request, for so long a tenant is not taken to be alone. */
const ALONE_AFTER_MS = 10_000;

/**
 * How many requests of one tenant may be at work at once: no limit while the event loop is calm, fewer and fewer
 * while it is busy and more than one tenant publishes. A tenant that is alone may use all there is.
 *
 * Tenants who all publish as fast as they can lose nothing: one request of each is enough to keep a process busy.
 */
export class AtWorkLimit {
  private readonly deps: LoopPaceDeps;
  private readonly pace: LoopPace;
  private lastTenant: string | undefined;
  private mixedAtMs = Number.NEGATIVE_INFINITY;

  constructor(deps: LoopPaceDeps) {
    this.deps = deps;
    this.pace = new LoopPace(deps, { start: MANY, least: 1, most: MANY, fromMost: FIRST });
  }

  /** A request of this tenant came. */
  saw(tenant: string): void {
    if (tenant === this.lastTenant) return;
    if (this.lastTenant !== undefined) this.mixedAtMs = this.deps.now();
    this.lastTenant = tenant;
  }

  /** At least 1; infinite where there is no limit. */
  current(): number {
    const alone = this.deps.now() - this.mixedAtMs > ALONE_AFTER_MS;
    const level = this.pace.current(alone);
    return level === MANY ? Number.POSITIVE_INFINITY : level;
  }
}
