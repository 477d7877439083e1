/**
 * The lanes of one shard, kept by the worker that owns it (docs/lanes.md).
 *
 * States of a tenant's lane, as NATS holds them (nothing is true only here, so a new owner finds all of it):
 *
 *   none      no consumer, no key in LANES: its deliveries come by the shared consumer
 *   made      a consumer, no key yet. Left by `announce`; a crash leaves it as `draining` to the next owner
 *   active    a consumer and a key: routers publish to the lane
 *   draining  a consumer, the key withdrawn: what is stored comes still. Left after a grace, once it is empty
 *
 * Two rules make it safe at every line. A message that is stored under a lane's subjects is never removed but by
 * its ack, whatever consumers come and go. And `compare` looks, at the takeover and every few seconds, for keys and
 * stored messages without a consumer, and makes it: so every state that a crash, a hand or a worker that woke too late
 * may leave is one of the four above, and moves on from there. Each step may be repeated.
 *
 * Limits: `lanesMax` keys, twice as many consumers (those that drain). One look runs at a time.
 */
import { tenantIdOf } from '#domain/tenant.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { LaneBroker } from './lane-broker.ts';
import type { LaneMetrics } from './lane-metrics.ts';
import type { LaneRules } from './lane-rules.ts';
import { type Candidate, TenantDemand, type TenantLoad } from './tenant-demand.ts';

export interface ShardLanesDeps {
  shard: number;
  broker: LaneBroker;
  rules: LaneRules;
  metrics: LaneMetrics;
  /** Whether this worker still owns the shard: asked before each step. */
  mayWork: () => boolean;
  /** Monotonic milliseconds. */
  now: () => number;
  log: Log;
}

interface Lane {
  /** Undefined until it is taken from. */
  tap: { stop: () => void } | undefined;
  knownSinceMs: number;
  /** Taken in a second at present. */
  rate: number;
  /** Owed by its consumer when it was last looked at. */
  backlog: number;
  quietSinceMs: number | undefined;
  /** Undefined while its key stands in LANES. */
  withdrawnSinceMs: number | undefined;
}

interface Found {
  announced: boolean;
  /** Undefined: there is no consumer. */
  backlog: number | undefined;
  stored: boolean;
}

export class ShardLanes {
  private readonly deps: ShardLanesDeps;
  private readonly lanes = new Map<string, Lane>();
  private readonly demand: TenantDemand;
  private compareAtMs = 0;
  private looking = false;
  private closed = false;

  constructor(deps: ShardLanesDeps) {
    this.deps = deps;
    this.demand = new TenantDemand(deps.rules);
  }

  get active(): number {
    return this.activeLanes().length;
  }

  get draining(): number {
    return this.lanes.size - this.active;
  }

  /** Moves every lane on. Never throws; a look that failed is made good by the next. */
  async look(loads: ReadonlyMap<string, TenantLoad>, seconds: number): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    try {
      await this.lookOnce(loads, seconds);
    } catch (error) {
      const { shard, log } = this.deps;
      log.warn({ shard, error: (error as Error).message }, 'lanes.look_failed');
      this.compareAtMs = 0;
    } finally {
      this.looking = false;
    }
  }

  /** Takes no more. Everything else stays as it is in NATS, for the next owner. */
  close(): void {
    this.closed = true;
    for (const lane of this.lanes.values()) lane.tap?.stop();
    this.lanes.clear();
  }

  private async lookOnce(loads: ReadonlyMap<string, TenantLoad>, seconds: number): Promise<void> {
    for (const [tenant, lane] of this.lanes) {
      lane.rate = (loads.get(tenant)?.taken ?? 0) / seconds;
    }
    // First what is there: a new owner must not promote over the limit.
    if (this.deps.now() >= this.compareAtMs) await this.compare();
    for (const candidate of this.demand.look(loads, seconds)) await this.consider(candidate);
    await this.withdrawQuiet();
  }

  /** Brings keys, consumers and stored messages together, whatever the last owner left. */
  private async compare(): Promise<void> {
    const { broker, now, rules } = this.deps;
    const [backlogs, stored] = await Promise.all([broker.backlogs(), broker.stored()]);
    const announced = broker.announced();
    for (const tenant of new Set([
      ...announced,
      ...backlogs.keys(),
      ...stored,
      ...this.lanes.keys(),
    ])) {
      if (!this.mayWork()) return;
      await this.settle(tenant, {
        announced: announced.has(tenant),
        backlog: backlogs.get(tenant),
        stored: stored.has(tenant),
      });
    }
    this.compareAtMs = now() + rules.compareEveryMs;
  }

  private async settle(tenant: string, found: Found): Promise<void> {
    if (found.backlog === undefined && !(await this.makeMissing(tenant, found))) return;
    const lane = await this.serve(tenant);
    lane.backlog = found.backlog ?? 0;
    if (found.announced) {
      lane.withdrawnSinceMs = undefined;
      return;
    }
    const { now, rules } = this.deps;
    lane.withdrawnSinceMs ??= now();
    if (now() - lane.withdrawnSinceMs < rules.graceMs || lane.backlog > 0 || found.stored) return;
    if (this.mayWork()) await this.remove(tenant, lane);
  }

  /** A lane without its consumer: somebody removed it, or a crash came between, or something was stored late. */
  private async makeMissing(tenant: string, found: Found): Promise<boolean> {
    const { shard, broker, log, metrics } = this.deps;
    const known = this.lanes.get(tenant);
    known?.tap?.stop();
    // At once: where the answer to `makeConsumer` is lost, the next look finds the consumer, and takes from it anew.
    if (known !== undefined) known.tap = undefined;
    if (!found.announced && !found.stored) {
      this.lanes.delete(tenant);
      return false;
    }
    if (known === undefined && !this.hasRoom) {
      // Its deliveries come by the shared consumer then; what is stored waits until another lane is gone.
      if (found.announced) await this.withdraw(tenant, 'limit');
      return false;
    }
    await broker.makeConsumer(tenant);
    const cause = found.announced ? 'consumer_missing' : 'stored_late';
    metrics.healed.inc({ cause });
    log.warn({ shard, tenant_id: tenantIdOf(tenant), cause }, 'lanes.consumer_made');
    return true;
  }

  /** Takes from a lane whose consumer is there. */
  private async serve(tenant: string): Promise<Lane> {
    const lane = this.lanes.get(tenant) ?? {
      tap: undefined,
      knownSinceMs: this.deps.now(),
      rate: 0,
      backlog: 0,
      quietSinceMs: undefined,
      withdrawnSinceMs: undefined,
    };
    if (lane.tap !== undefined || this.closed) return lane;
    const tap = await this.deps.broker.open(tenant, () => {
      this.compareAtMs = 0;
    });
    // The shard was lost meanwhile: another worker takes from it.
    if (this.closed) tap.stop();
    else {
      lane.tap = tap;
      this.lanes.set(tenant, lane);
    }
    return lane;
  }

  private async consider({ tenant, reason, pressure }: Candidate): Promise<void> {
    const known = this.lanes.get(tenant);
    if (known !== undefined && known.withdrawnSinceMs === undefined) return;
    if (!this.mayWork() || (known === undefined && !this.hasRoom)) return;
    if (this.active >= this.deps.rules.lanesMax) {
      const quietest = this.quietest();
      if (quietest === undefined || reason !== 'pressure') return;
      if (pressure <= 2 * quietest.pressure) return;
      await this.withdraw(quietest.tenant, 'replaced');
    }
    await this.promote(tenant, reason);
  }

  private async promote(tenant: string, reason: Candidate['reason']): Promise<void> {
    const { shard, broker, log, metrics } = this.deps;
    // First the consumer. A crash after it: a consumer without a key, which the next owner drains and removes.
    await broker.makeConsumer(tenant);
    const lane = await this.serve(tenant);
    if (!this.mayWork()) return;
    // Then the key: from here on routers publish to the lane. A crash after it: the next owner finds both.
    await broker.announce(tenant);
    lane.withdrawnSinceMs = undefined;
    lane.quietSinceMs = undefined;
    lane.knownSinceMs = this.deps.now();
    metrics.promotions.inc({ reason });
    log.info({ shard, tenant_id: tenantIdOf(tenant), reason }, 'lanes.promoted');
  }

  private async withdrawQuiet(): Promise<void> {
    const { now, rules } = this.deps;
    for (const [tenant, lane] of this.activeLanes()) {
      const quiet = lane.rate < rules.quietPerSecond && lane.backlog < rules.quietPerSecond;
      lane.quietSinceMs = quiet ? (lane.quietSinceMs ?? now()) : undefined;
      if (lane.quietSinceMs === undefined || now() - lane.quietSinceMs < rules.quietMs) continue;
      if (this.mayWork()) await this.withdraw(tenant, 'quiet');
    }
  }

  /**
   * First the key, so that nothing new comes; the consumer goes in a later look, by `settle`. A crash after it: a
   * consumer without a key, which the next owner drains and removes.
   */
  private async withdraw(tenant: string, reason: 'quiet' | 'replaced' | 'limit'): Promise<void> {
    const { shard, broker, log, metrics, now } = this.deps;
    await broker.withdraw(tenant);
    const lane = this.lanes.get(tenant);
    if (lane !== undefined) lane.withdrawnSinceMs = now();
    metrics.demotions.inc({ reason });
    log.info({ shard, tenant_id: tenantIdOf(tenant), reason }, 'lanes.withdrawn');
  }

  /**
   * It was empty a moment ago. What is stored after that, or given to the tap that has just stopped, stays in the
   * stream without a consumer: the next `compare` finds it there.
   */
  private async remove(tenant: string, lane: Lane): Promise<void> {
    lane.tap?.stop();
    this.lanes.delete(tenant);
    await this.deps.broker.removeConsumer(tenant);
    this.deps.log.info({ shard: this.deps.shard, tenant_id: tenantIdOf(tenant) }, 'lanes.removed');
  }

  private quietest(): { tenant: string; pressure: number } | undefined {
    const { now, rules } = this.deps;
    let quietest: { tenant: string; pressure: number } | undefined;
    for (const [tenant, lane] of this.activeLanes()) {
      if (now() - lane.knownSinceMs < rules.keptMs) continue;
      const pressure = lane.rate + lane.backlog;
      if (quietest === undefined || pressure < quietest.pressure) quietest = { tenant, pressure };
    }
    return quietest;
  }

  private activeLanes(): [string, Lane][] {
    return [...this.lanes].filter(([, lane]) => lane.withdrawnSinceMs === undefined);
  }

  private get hasRoom(): boolean {
    return this.lanes.size < 2 * this.deps.rules.lanesMax;
  }

  private mayWork(): boolean {
    return !this.closed && this.deps.mayWork();
  }
}
