import { Counter, Gauge, type Registry } from 'prom-client';

/**
 * Prometheus metrics of lanes (OB-2). No label contains a tenant; `shard` has at most 64 values.
 */
export class LaneMetrics {
  readonly promotions: Counter<'reason'>;
  readonly demotions: Counter<'reason'>;
  readonly healed: Counter<'cause'>;
  private shards: () => ReadonlyMap<number, { active: number; draining: number }> = () => new Map();

  constructor(registry: Registry) {
    const registers = [registry];
    this.promotions = new Counter({
      name: 'posthorn_delivery_lane_promotions_total',
      help: 'Tenants that got a lane, by reason.',
      labelNames: ['reason'],
      registers,
    });
    this.demotions = new Counter({
      name: 'posthorn_delivery_lane_demotions_total',
      help: 'Lanes withdrawn, by reason.',
      labelNames: ['reason'],
      registers,
    });
    this.healed = new Counter({
      name: 'posthorn_delivery_lane_healed_total',
      help: 'Missing lane consumers that were recreated, by cause.',
      labelNames: ['cause'],
      registers,
    });
    const lanes: Gauge = new Gauge({
      name: 'posthorn_delivery_lanes',
      help: 'Lanes of the shards that this process owns.',
      labelNames: ['shard', 'state'],
      registers,
      collect: (): void => {
        lanes.reset();
        for (const [shard, { active, draining }] of this.shards()) {
          lanes.set({ shard, state: 'active' }, active);
          lanes.set({ shard, state: 'draining' }, draining);
        }
      },
    });
  }

  /** Sets the source of the lane counts. */
  watch(shards: () => ReadonlyMap<number, { active: number; draining: number }>): void {
    this.shards = shards;
  }
}
