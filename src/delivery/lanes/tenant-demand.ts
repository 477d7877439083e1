import type { LaneRules } from './lane-rules.ts';

/** A tenant's deliveries in one evaluation period. */
export interface TenantLoad {
  /** Deliveries received through any consumer. */
  taken: number;
  /** The part of `taken` that was parked or found a long mailbox. */
  pressed: number;
}

export type PromotionReason = 'pressure' | 'rate';

export interface Candidate {
  tenant: string;
  reason: PromotionReason;
  /** Need for a lane: deliveries a second, counting those without room twice. */
  pressure: number;
}

/** Selects the tenants that should get a lane, by their load in the last periods. */
export class TenantDemand {
  private readonly rules: Pick<LaneRules, 'pressedPerSecond' | 'busyPerSecond' | 'busyPeriods'>;
  private busy = new Map<string, number>();

  constructor(rules: Pick<LaneRules, 'pressedPerSecond' | 'busyPerSecond' | 'busyPeriods'>) {
    this.rules = rules;
  }

  /**
   * Evaluates one period. @param seconds length of the period. @returns candidates, highest
   * pressure first
   */
  evaluate(loads: ReadonlyMap<string, TenantLoad>, seconds: number): Candidate[] {
    const { pressedPerSecond, busyPerSecond, busyPeriods } = this.rules;
    const busy = new Map<string, number>();
    const candidates: Candidate[] = [];
    for (const [tenant, { taken, pressed }] of loads) {
      const pressure = (taken + pressed) / seconds;
      if (taken >= busyPerSecond * seconds) busy.set(tenant, (this.busy.get(tenant) ?? 0) + 1);
      if (pressed >= pressedPerSecond * seconds)
        candidates.push({ tenant, reason: 'pressure', pressure });
      else if ((busy.get(tenant) ?? 0) >= busyPeriods) {
        candidates.push({ tenant, reason: 'rate', pressure });
      }
    }
    this.busy = busy;
    return candidates.sort((a, b) => b.pressure - a.pressure);
  }
}
