import { AimdController, type AimdControllerDeps } from '#domain/contention/aimd-controller.ts';

/** At this many concurrent requests of each tenant there is no limit. */
const MANY = 64;
const FIRST = 16;
/** A tenant counts as alone this long after another tenant's last request. */
const ALONE_AFTER_MS = 10_000;

/**
 * Limits the concurrent requests of one tenant. Unlimited while the event loop is calm; lower and
 * lower while it is busy and more than one tenant publishes. A tenant that is alone may use the
 * whole process.
 *
 * Tenants that all publish at full speed lose nothing: one request of each keeps a process busy.
 */
export class AdaptiveConcurrencyLimit {
  private readonly deps: AimdControllerDeps;
  private readonly pace: AimdController;
  private lastTenant: string | undefined;
  private mixedAtMs = Number.NEGATIVE_INFINITY;

  constructor(deps: AimdControllerDeps) {
    this.deps = deps;
    this.pace = new AimdController(deps, { start: MANY, least: 1, most: MANY, fromMost: FIRST });
  }

  /** Records the arrival of a tenant's request. */
  recordArrival(tenant: string): void {
    if (tenant === this.lastTenant) return;
    if (this.lastTenant !== undefined) this.mixedAtMs = this.deps.now();
    this.lastTenant = tenant;
  }

  /** At least 1; infinite if there is no limit. */
  current(): number {
    const alone = this.deps.now() - this.mixedAtMs > ALONE_AFTER_MS;
    const level = this.pace.current(alone);
    return level === MANY ? Number.POSITIVE_INFINITY : level;
  }
}
