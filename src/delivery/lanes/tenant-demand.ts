import type { LaneRules } from './lane-rules.ts';

/** A tenant's deliveries in one evaluation period. */
export interface TenantLoad {
  /** Deliveries received through any consumer. */
  received: number;
  /** Number of `received` that were parked, or that waited behind a long mailbox. */
  congested: number;
}

export type PromotionReason = 'pressure' | 'rate';

export interface Candidate {
  tenant: string;
  reason: PromotionReason;
  /** Need for a lane: deliveries a second, counting congested ones twice. */
  pressure: number;
}

/** Selects the tenants that should get a lane, by their load in the last periods. */
export class TenantDemand {
  private readonly rules: Pick<LaneRules, 'congestedPerSecond' | 'busyPerSecond' | 'busyPeriods'>;
  private busy = new Map<string, number>();

  constructor(rules: Pick<LaneRules, 'congestedPerSecond' | 'busyPerSecond' | 'busyPeriods'>) {
    this.rules = rules;
  }

  /**
   * Evaluates one period. Returns the candidates, highest pressure first.
   *
   * @param seconds length of the period
   */
  evaluate(loads: ReadonlyMap<string, TenantLoad>, seconds: number): Candidate[] {
    const { congestedPerSecond, busyPerSecond, busyPeriods } = this.rules;
    const busy = new Map<string, number>();
    const candidates: Candidate[] = [];
    for (const [tenant, { received, congested }] of loads) {
      const pressure = (received + congested) / seconds;
      if (received >= busyPerSecond * seconds) busy.set(tenant, (this.busy.get(tenant) ?? 0) + 1);
      if (congested >= congestedPerSecond * seconds)
        candidates.push({ tenant, reason: 'pressure', pressure });
      else if ((busy.get(tenant) ?? 0) >= busyPeriods) {
        candidates.push({ tenant, reason: 'rate', pressure });
      }
    }
    this.busy = busy;
    return candidates.sort((a, b) => b.pressure - a.pressure);
  }
}
