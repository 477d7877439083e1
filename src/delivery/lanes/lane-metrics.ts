import { Counter, Gauge, type Registry } from 'prom-client';

/** What lanes tell Prometheus (OB-2). No tenant in a label; shards are at most 64. */
export class LaneMetrics {
  readonly promotions: Counter<'reason'>;
  readonly demotions: Counter<'reason'>;
  readonly healed: Counter<'cause'>;
  private shards: () => ReadonlyMap<number, { active: number; draining: number }> = () => new Map();

  constructor(registry: Registry) {
    const registers = [registry];
    this.promotions = new Counter({
      name: 'posthorn_delivery_lane_promotions_total',
      help: 'Tenants that got a lane of their own, by reason.',
      labelNames: ['reason'],
      registers,
    });
    this.demotions = new Counter({
      name: 'posthorn_delivery_lane_demotions_total',
      help: 'Lanes that were withdrawn, by reason.',
      labelNames: ['reason'],
      registers,
    });
    this.healed = new Counter({
      name: 'posthorn_delivery_lane_healed_total',
      help: 'Consumers of lanes that were missing and were made, by cause.',
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

  /** Says where the numbers of lanes are read. */
  watch(shards: () => ReadonlyMap<number, { active: number; draining: number }>): void {
    this.shards = shards;
  }
}
