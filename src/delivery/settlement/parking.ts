/**
 * Parks deliveries of one endpoint, each as its own schedule (DL-7, DL-9): deliveries without
 * room in the mailbox, beyond the rate limit, rejected by the circuit, or lacking memory. One
 * endpoint's deliveries therefore never fill the consumer that all tenants share.
 */
import type { Clock } from '#domain/clock.ts';
import { limits } from '#domain/limits.ts';
import type { DeliveryMetrics } from '../delivery-metrics.ts';
import type { EndpointSettings } from '../actors/endpoint-settings.ts';
import { type Mailbox, isHigh } from '../actors/mailbox.ts';
import type { InFlightDelivery } from '../intake/in-flight-delivery.ts';
import type { Settler } from './settle.ts';
import type { LatencyEstimator } from '../scheduling/latency-estimator.ts';

/** Deliveries that would wait longer in the mailbox are parked. */
const WAIT_MAX_MS = 2000;
const PARK_MIN_MS = 500;
const PARK_MAX_MS = 60_000;
/** Shortest wait of a delivery that an open circuit rejects. */
const CIRCUIT_PARK_MIN_MS = 5000;
/**
 * Up to this age of the cause, a parked delivery waits as long as the cause has lasted; after that,
 * a quarter.
 */
const FULL_WAIT_MAX_MS = 60_000;
const QUARTER_WAIT_MAX_MS = 1_800_000;
/**
 * The wait never exceeds the time to return all earlier parked deliveries at this interval: 20 a
 * second.
 */
const RETURN_EVERY_MS = 50;
/**
 * A slot further away than this is assigned again after this time, because the limit may have
 * changed by then.
 */
const SLOT_PARK_MAX_MS = 600_000;
/**
 * Deliveries parked until a slot return this much earlier: schedules fire up to about 100 ms late.
 */
const SLOT_LEAD_MS = 1000;

export interface ParkingDeps {
  settler: Pick<Settler, 'park' | 'parkUnsent'>;
  metrics: Pick<DeliveryMetrics, 'parked'>;
  random: () => number;
  mailbox: Mailbox;
  settings: EndpointSettings;
  turns: LatencyEstimator;
  /** The endpoint's share of the tenant's own limit on concurrent attempts; may be below 1. */
  tenantShare: () => number;
  clock: Clock;
}

export class Parking {
  private readonly deps: ParkingDeps;
  /**
   * Monotonic milliseconds since when the lane has repeatedly brought more than the endpoint's
   * share.
   */
  private excessSinceMs = 0;
  /** Monotonic milliseconds after which an excess starts a new period. */
  private excessUntilMs = 0;
  /** Monotonic milliseconds at which the last delivery parked in turn is due. */
  private lastReturnMs = 0;

  constructor(deps: ParkingDeps) {
    this.deps = deps;
  }

  /**
   * Parks a delivery. The delay has jitter, so that deliveries parked together do not return
   * together.
   */
  park(
    delivery: InFlightDelivery,
    delayMs: number,
    reason: 'mailbox' | 'circuit' | 'memory',
  ): void {
    const { settler, metrics } = this.deps;
    settler.park(delivery, this.spread(delayMs));
    metrics.parked.inc({ reason });
  }

  private spread(delayMs: number): number {
    return Math.max(PARK_MIN_MS, delayMs) * (1 + this.deps.random() * 0.5);
  }

  /** Parks a delivery that a fault of this machine prevented from being sent. */
  parkUnsent(delivery: InFlightDelivery, delayMs: number, triedMs: number): void {
    const { settler, metrics } = this.deps;
    settler.parkUnsent(delivery, this.spread(delayMs), triedMs);
    metrics.parked.inc({ reason: 'local_fault' });
  }

  /** Parks a delivery that the circuit rejected. */
  parkUntilCircuitCloses(delivery: InFlightDelivery): void {
    const { unhealthyMs = 0 } = this.deps.settings.circuit;
    // An ordered endpoint has only one delivery in process, its head.
    const waitMs = delivery.queueHandle === undefined ? this.waitInTurn(unhealthyMs) : 0;
    this.park(delivery, Math.max(CIRCUIT_PARK_MIN_MS, waitMs), 'circuit');
  }

  /**
   * Parks a delivery that the endpoint's rate limit delays too long, until just before its slot. A
   * new delivery queues behind the parked ones; a returning one does not.
   *
   * @returns whether the delivery was parked
   */
  parkUntilSlot(delivery: InFlightDelivery): boolean {
    const { settler, metrics, mailbox } = this.deps;
    const { limiter } = this.deps.settings;
    if (limiter === undefined) return false;
    const ahead = mailbox.aheadOf(delivery);
    // A high-priority delivery overtakes parked ones and takes none of their slots. So does the
    // head of an ordered endpoint, because the deliveries behind it wait in their queue.
    const overtakes = isHigh(delivery) || delivery.queueHandle !== undefined;
    const waitMs =
      delivery.head.hop === 0 && !overtakes
        ? limiter.waitBehindParkedMs(ahead)
        : limiter.waitMs(ahead);
    if (waitMs <= WAIT_MAX_MS) return false;
    const slotMs = Math.min(overtakes ? waitMs : limiter.reserveSlotMs(ahead), SLOT_PARK_MAX_MS);
    settler.park(delivery, slotMs - SLOT_LEAD_MS);
    metrics.parked.inc({ reason: 'rate' });
    return true;
  }

  /**
   * Parks a delivery that could not start soon or that finds the mailbox full. Returns whether it
   * did.
   */
  parkWithoutRoom(delivery: InFlightDelivery): boolean {
    const { mailbox } = this.deps;
    const waitMs = this.expectedWaitMs(mailbox.aheadOf(delivery));
    const isFull = mailbox.lengthBeside(delivery) >= limits.mailboxMessagesMax;
    if (waitMs <= WAIT_MAX_MS && !isFull) return false;
    this.park(delivery, Math.min(waitMs, PARK_MAX_MS), 'mailbox');
    return true;
  }

  /**
   * Parks the lane's deliveries beyond `laneShare`. A slow endpoint must not fill the tenant's
   * lane, because the tenant's other endpoints share it.
   */
  parkExcess(laneShare: number): void {
    const { mailbox } = this.deps;
    const beyond = mailbox.takeLaneBeyond(laneShare);
    if (beyond.length === 0) return;
    const { unhealthyMs } = this.deps.settings.circuit;
    const leastMs = Math.max(
      Math.min(this.expectedWaitMs(mailbox.length), PARK_MAX_MS),
      // Rejections by the circuit are instant and say nothing about the duration of attempts.
      unhealthyMs === undefined ? 0 : CIRCUIT_PARK_MIN_MS,
    );
    const lastedMs = Math.max(this.excessMs(), unhealthyMs ?? 0);
    let waitMs = leastMs;
    for (const delivery of beyond) {
      if (this.parkUntilSlot(delivery)) continue;
      waitMs = Math.max(leastMs, this.waitInTurn(lastedMs));
      this.park(delivery, waitMs, 'mailbox');
    }
    // By then, the last of them has returned.
    this.excessUntilMs = this.deps.clock.monotonicMs() + 2 * Math.max(waitMs, WAIT_MAX_MS);
  }

  /** The wait of the next parked delivery: behind the earlier ones, but at most `maxWaitMs`. */
  private waitInTurn(lastedMs: number): number {
    const nowMs = this.deps.clock.monotonicMs();
    const behindMs = Math.max(0, this.lastReturnMs + RETURN_EVERY_MS - nowMs);
    const waitMs = Math.min(behindMs, maxWaitMs(lastedMs));
    this.lastReturnMs = nowMs + waitMs;
    return waitMs;
  }

  private excessMs(): number {
    const nowMs = this.deps.clock.monotonicMs();
    if (nowMs > this.excessUntilMs) this.excessSinceMs = nowMs;
    return nowMs - this.excessSinceMs;
  }

  /**
   * Expected wait in the mailbox behind `ahead` deliveries, by the current duration of attempts.
   */
  private expectedWaitMs(ahead: number): number {
    if (ahead === 0) return 0;
    const { settings, turns, tenantShare } = this.deps;
    return (ahead / Math.min(settings.bulkhead.capacity, tenantShare())) * turns.expectedMs;
  }
}

/**
 * The longest wait for a cause that has lasted `lastedMs`. The backlog grows with that time, so the
 * wait grows with it too: parked deliveries then return at most about three times as often as new
 * ones arrive. An endpoint that recovers gets its backlog within about the length of its outage.
 */
function maxWaitMs(lastedMs: number): number {
  return Math.max(
    Math.min(lastedMs, FULL_WAIT_MAX_MS),
    Math.min(lastedMs / 4, QUARTER_WAIT_MAX_MS),
  );
}
