/**
 * Manages the lanes of one shard; runs in the worker that owns the shard (docs/lanes.md).
 *
 * States of a tenant's lane. NATS holds them all, so a new owner finds them:
 *
 * - none: no consumer and no key in LANES. Deliveries go through the shared consumer.
 * - made: a consumer without a key. `announce` ends this state; after a crash the next owner sees
 *   it as `draining`.
 * - active: a consumer and a key. Routers publish to the lane.
 * - draining: a consumer whose key is withdrawn. Stored messages are still delivered. Ends after a
 *   grace period, once the lane is empty.
 *
 * Two rules make every line crash-safe. First, only an ack removes a message stored under a lane's
 * subjects, however consumers come and go. Second, `reconcile` runs at the takeover and every few
 * seconds. It finds keys and stored messages without a consumer and creates the consumer. Every
 * state left by a crash, a manual change or a worker that resumes too late is therefore one of the
 * four above and progresses from there. Each step may be repeated.
 *
 * Limits: `lanesMax` keys and twice as many consumers, because of draining lanes. One `advance`
 * runs at a time.
 */
import { tenantIdOf } from '#domain/tenant.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { RepeatingFault } from '#infra/telemetry/repeating-fault.ts';
import type { LaneBroker } from './lane-broker.ts';
import type { LaneMetrics } from './lane-metrics.ts';
import type { LaneRules } from './lane-rules.ts';
import { type Candidate, TenantDemand, type TenantLoad } from './tenant-demand.ts';

export interface ShardLanesDeps {
  shard: number;
  broker: LaneBroker;
  rules: LaneRules;
  metrics: LaneMetrics;
  /** Whether this worker still owns the shard. Checked before each step. */
  isOwner: () => boolean;
  /** Monotonic milliseconds. */
  now: () => number;
  log: Log;
}

interface Lane {
  /** Undefined until the lane is consumed. */
  reader: { stop: () => void } | undefined;
  knownSinceMs: number;
  /** Current deliveries a second. */
  rate: number;
  /** Undelivered and unacked messages of the consumer at the last check. */
  backlog: number;
  quietSinceMs: number | undefined;
  /** Undefined while LANES has the key. */
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
  private readonly fault: RepeatingFault;
  private readonly lanes = new Map<string, Lane>();
  private readonly demand: TenantDemand;
  private reconcileAtMs = 0;
  private advancing = false;
  private closed = false;

  constructor(deps: ShardLanesDeps) {
    this.deps = deps;
    this.fault = new RepeatingFault(deps.log, 'lanes.look_failed', deps.now);
    this.demand = new TenantDemand(deps.rules);
  }

  get active(): number {
    return this.activeLanes().length;
  }

  get draining(): number {
    return this.lanes.size - this.active;
  }

  /** Advances every lane. Never throws; the next call repairs the effect of a failed one. */
  async advance(loads: ReadonlyMap<string, TenantLoad>, seconds: number): Promise<void> {
    if (this.advancing) return;
    this.advancing = true;
    try {
      await this.advanceOnce(loads, seconds);
    } catch (error) {
      this.fault.failed(error as Error, { shard: this.deps.shard });
      this.reconcileAtMs = 0;
    } finally {
      this.advancing = false;
    }
  }

  /** Stops consuming. The state in NATS stays as it is, for the next owner. */
  close(): void {
    this.closed = true;
    for (const lane of this.lanes.values()) lane.reader?.stop();
    this.lanes.clear();
  }

  private async advanceOnce(
    loads: ReadonlyMap<string, TenantLoad>,
    seconds: number,
  ): Promise<void> {
    for (const [tenant, lane] of this.lanes) {
      lane.rate = (loads.get(tenant)?.received ?? 0) / seconds;
    }
    // Reconcile before promoting: a new owner must not exceed the limit.
    if (this.deps.now() >= this.reconcileAtMs) await this.reconcile();
    for (const candidate of this.demand.evaluate(loads, seconds)) await this.consider(candidate);
    await this.withdrawQuiet();
  }

  /** Reconciles keys, consumers and stored messages, in any state that the last owner left. */
  private async reconcile(): Promise<void> {
    const { broker, now, rules } = this.deps;
    const [backlogs, stored] = await Promise.all([broker.backlogs(), broker.stored()]);
    const announced = broker.announced();
    for (const tenant of new Set([
      ...announced,
      ...backlogs.keys(),
      ...stored,
      ...this.lanes.keys(),
    ])) {
      if (!this.isOwner()) return;
      await this.settle(tenant, {
        announced: announced.has(tenant),
        backlog: backlogs.get(tenant),
        stored: stored.has(tenant),
      });
    }
    this.reconcileAtMs = now() + rules.reconcileEveryMs;
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
    if (this.isOwner()) await this.remove(tenant, lane);
  }

  /**
   * Recreates the missing consumer of a lane. Causes: it was deleted by hand, a crash, or a late
   * message.
   */
  private async makeMissing(tenant: string, found: Found): Promise<boolean> {
    const { shard, broker, log, metrics } = this.deps;
    const known = this.lanes.get(tenant);
    known?.reader?.stop();
    // Clear the reader first: if the answer to `makeConsumer` is lost, the next call finds the
    // consumer and opens it.
    if (known !== undefined) known.reader = undefined;
    if (!found.announced && !found.stored) {
      this.lanes.delete(tenant);
      return false;
    }
    if (known === undefined && !this.hasRoom) {
      // New deliveries use the shared consumer; stored ones wait until another lane is removed.
      if (found.announced) await this.withdraw(tenant, 'limit');
      return false;
    }
    await broker.makeConsumer(tenant);
    const cause = found.announced ? 'consumer_missing' : 'stored_late';
    metrics.healed.inc({ cause });
    log.warn({ shard, tenant_id: tenantIdOf(tenant), cause }, 'lanes.consumer_made');
    return true;
  }

  /** Starts consuming a lane whose consumer exists. */
  private async serve(tenant: string): Promise<Lane> {
    const lane = this.lanes.get(tenant) ?? {
      reader: undefined,
      knownSinceMs: this.deps.now(),
      rate: 0,
      backlog: 0,
      quietSinceMs: undefined,
      withdrawnSinceMs: undefined,
    };
    if (lane.reader !== undefined || this.closed) return lane;
    const reader = await this.deps.broker.open(tenant, () => {
      this.reconcileAtMs = 0;
    });
    // The shard was lost during the opening: another worker consumes the lane.
    if (this.closed) reader.stop();
    else {
      lane.reader = reader;
      this.lanes.set(tenant, lane);
    }
    return lane;
  }

  private async consider({ tenant, reason, pressure }: Candidate): Promise<void> {
    const known = this.lanes.get(tenant);
    if (known !== undefined && known.withdrawnSinceMs === undefined) return;
    if (!this.isOwner() || (known === undefined && !this.hasRoom)) return;
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
    // Create the consumer first. A crash here leaves a consumer without a key; the next owner
    // drains and removes it.
    await broker.makeConsumer(tenant);
    const lane = await this.serve(tenant);
    if (!this.isOwner()) return;
    // Announce the key second: from now on routers publish to the lane. After a crash the next
    // owner finds both.
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
      if (this.isOwner()) await this.withdraw(tenant, 'quiet');
    }
  }

  /**
   * Withdraws the key, so that no new deliveries arrive; a later call of `settle` removes the
   * consumer. A crash after the withdrawal leaves a consumer without a key; the next owner drains
   * and removes it.
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
   * Removes a lane that was just found empty. A message stored after that check, or delivered to
   * the stopped reader, stays in the stream without a consumer until the next `reconcile` finds it.
   */
  private async remove(tenant: string, lane: Lane): Promise<void> {
    lane.reader?.stop();
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

  private isOwner(): boolean {
    return !this.closed && this.deps.isOwner();
  }
}
