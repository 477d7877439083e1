import type { Clock } from '#domain/clock.ts';
import { shardOf } from '#wire/subjects.ts';
import type { LaneRules } from './lane-rules.ts';
import type { LaneMetrics } from './lane-metrics.ts';
import { ShardLanes, type ShardLanesDeps } from './shard-lanes.ts';
import type { LaneBroker } from './lane-broker.ts';
import type { TenantLoad } from './tenant-demand.ts';

export interface LaneControllerDeps {
  shards: number;
  broker: (shard: number) => LaneBroker;
  rules: LaneRules;
  metrics: LaneMetrics;
  owns: (shard: number) => boolean;
  /** Reports each tenant's load since the last call. */
  takeLoads: (take: (tenant: string, load: TenantLoad) => void) => void;
  log: ShardLanesDeps['log'];
  clock: Clock;
}

/** Reconciles the lanes of the shards that this worker owns, every second. */
export class LaneController {
  private readonly deps: LaneControllerDeps;
  private readonly shards = new Map<number, ShardLanes>();
  private timer: NodeJS.Timeout | undefined;
  private evaluatedMs: number;

  constructor(deps: LaneControllerDeps) {
    this.deps = deps;
    this.evaluatedMs = deps.clock.monotonicMs();
    deps.metrics.watch(() => this.shards);
  }

  start(): void {
    this.timer = setInterval(() => this.tick(), this.deps.rules.evaluateEveryMs);
    this.timer.unref();
  }

  /** Takes over the lanes of a shard and consumes all that exist. */
  async open(shard: number): Promise<void> {
    const { broker, rules, metrics, owns, clock, log } = this.deps;
    const lanes = new ShardLanes({
      shard,
      broker: broker(shard),
      rules,
      metrics,
      isOwner: () => owns(shard),
      now: clock.monotonicMs,
      log,
    });
    this.shards.set(shard, lanes);
    await lanes.advance(new Map(), 1);
  }

  /** Stops consuming the lanes of a shard. */
  close(shard: number): void {
    this.shards.get(shard)?.close();
    this.shards.delete(shard);
  }

  stop(): void {
    clearInterval(this.timer);
    for (const shard of this.shards.keys()) this.close(shard);
  }

  private tick(): void {
    const nowMs = this.deps.clock.monotonicMs();
    const seconds = (nowMs - this.evaluatedMs) / 1000;
    this.evaluatedMs = nowMs;
    const loads = new Map<number, Map<string, TenantLoad>>();
    for (const shard of this.shards.keys()) loads.set(shard, new Map());
    this.deps.takeLoads((tenant, load) => {
      loads.get(shardOf(tenant, this.deps.shards))?.set(tenant, load);
    });
    for (const [shard, lanes] of this.shards) {
      void lanes.advance(loads.get(shard) as Map<string, TenantLoad>, seconds);
    }
  }
}
