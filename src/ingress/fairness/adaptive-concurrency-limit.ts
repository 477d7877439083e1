import { isCanaryTenant } from '#domain/canary.ts';
import { AimdController, type AimdControllerDeps } from '#domain/contention/aimd-controller.ts';
import { TenantEvenness } from './tenant-evenness.ts';

/** At this many concurrent requests of each tenant there is no limit. */
const MANY = 64;
const FIRST = 16;

/**
 * Limits the concurrent requests of one tenant. Unlimited while the event loop is calm; lower and
 * lower while it is busy and a tenant publishes much less than another, behind which it would wait.
 * Tenants that publish alike may use the whole process, as may a tenant that is alone.
 */
export class AdaptiveConcurrencyLimit {
  private readonly pace: AimdController;
  private readonly evenness: TenantEvenness;

  constructor(deps: AimdControllerDeps) {
    this.pace = new AimdController(deps, { start: MANY, least: 1, most: MANY, fromMost: FIRST });
    this.evenness = new TenantEvenness(deps.now);
  }

  /** Records the arrival of a tenant's request. The synthetic probe needs no protection. */
  recordArrival(tenant: string): void {
    if (!isCanaryTenant(tenant)) this.evenness.record(tenant);
  }

  /** At least 1; infinite if there is no limit. */
  current(): number {
    const level = this.pace.current(this.evenness.isEven());
    return level === MANY ? Number.POSITIVE_INFINITY : level;
  }
}
