import type { LaneRules } from './lane-rules.ts';

/** What a tenant got in a look. */
export interface TenantLoad {
  /** Deliveries taken, by whatever consumer. */
  taken: number;
  /** Of them, those that found no room soon. */
  pressed: number;
}

export type PromotionReason = 'pressure' | 'rate';

export interface Candidate {
  tenant: string;
  reason: PromotionReason;
  /** How much it needs a lane: deliveries in a second, those that found no room twice. */
  pressure: number;
}

/** Says which tenants should have a lane, by what they got in the last looks. */
export class TenantDemand {
  private readonly rules: Pick<LaneRules, 'pressedPerSecond' | 'busyPerSecond' | 'busyLooks'>;
  private busy = new Map<string, number>();

  constructor(rules: Pick<LaneRules, 'pressedPerSecond' | 'busyPerSecond' | 'busyLooks'>) {
    this.rules = rules;
  }

  /** Once for each look. @param seconds since the one before. @returns the one under most pressure first */
  look(loads: ReadonlyMap<string, TenantLoad>, seconds: number): Candidate[] {
    const { pressedPerSecond, busyPerSecond, busyLooks } = this.rules;
    const busy = new Map<string, number>();
    const candidates: Candidate[] = [];
    for (const [tenant, { taken, pressed }] of loads) {
      const pressure = (taken + pressed) / seconds;
      if (taken >= busyPerSecond * seconds) busy.set(tenant, (this.busy.get(tenant) ?? 0) + 1);
      if (pressed >= pressedPerSecond * seconds)
        candidates.push({ tenant, reason: 'pressure', pressure });
      else if ((busy.get(tenant) ?? 0) >= busyLooks) {
        candidates.push({ tenant, reason: 'rate', pressure });
      }
    }
    this.busy = busy;
    return candidates.sort((a, b) => b.pressure - a.pressure);
  }
}
