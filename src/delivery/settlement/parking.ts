/**
 * Puts deliveries of one endpoint off, each as a schedule of its own (DL-7, DL-9): what its mailbox has no room for, what
 * its rate lets go only later, and what its circuit or the memory turned away. So the consumer that all tenants share is
 * never full of one endpoint's deliveries.
 */
import { limits } from '#domain/limits.ts';
import type { DeliveryMetrics } from '../delivery-metrics.ts';
import type { EndpointSettings } from '../actors/endpoint-settings.ts';
import { type Mailbox, isHigh } from '../actors/mailbox.ts';
import type { OwedDelivery } from '../intake/in-flight-delivery.ts';
import type { Settler } from './settle.ts';
import type { TurnClock } from '../scheduling/latency-estimator.ts';

/** What would wait longer in the mailbox is parked. */
const WAIT_MAX_MS = 2000;
const PARK_MIN_MS = 500;
const PARK_MAX_MS = 60_000;
/** What a circuit that is not closed puts off, however short that has lasted. */
const CIRCUIT_PARK_MIN_MS = 5000;
/** Up to here what is put off waits for as long as the reason has lasted, and then for a quarter of that. */
const WHOLE_MAX_MS = 60_000;
const QUARTER_MAX_MS = 1_800_000;
/** But no longer than it takes to have all that was put off before come by at this rate, 20 a second. */
const COME_BY_EVERY_MS = 50;
/** A slot further away than this is looked for anew then: the limit may be another by then. */
const SLOT_PARK_MAX_MS = 600_000;
/** What is parked until its slot comes back this much earlier, as schedules fire up to some 100 ms late. */
const SLOT_LEAD_MS = 1000;

export interface ParkingDeps {
  settler: Pick<Settler, 'park' | 'putOff'>;
  metrics: Pick<DeliveryMetrics, 'parked'>;
  random: () => number;
  mailbox: Mailbox;
  settings: EndpointSettings;
  turns: TurnClock;
  /** How many of the endpoint's attempts may run at once by the tenant's own limit; maybe less than 1. */
  tenantShare: () => number;
}

export class Parking {
  private readonly deps: ParkingDeps;
  /** Monotonic milliseconds: since when a lane has brought more than the endpoint's share again and again. */
  private crowdedSinceMs = 0;
  /** Later than this it is another time. */
  private crowdedUntilMs = 0;
  /** Monotonic milliseconds: when the last of those that come by again is due. */
  private comeByMs = 0;

  constructor(deps: ParkingDeps) {
    this.deps = deps;
  }

  /** Spread, so that what is parked together does not come back together. */
  park(owed: OwedDelivery, delayMs: number, reason: 'mailbox' | 'circuit' | 'memory'): void {
    const { settler, metrics } = this.deps;
    settler.park(owed, this.spread(delayMs));
    metrics.parked.inc({ reason });
  }

  private spread(delayMs: number): number {
    return Math.max(PARK_MIN_MS, delayMs) * (1 + this.deps.random() * 0.5);
  }

  /** Parks what a fault of this machine kept from being sent. */
  putOff(owed: OwedDelivery, delayMs: number, triedMs: number): void {
    const { settler, metrics } = this.deps;
    settler.putOff(owed, this.spread(delayMs), triedMs);
    metrics.parked.inc({ reason: 'local_fault' });
  }

  /** Parks what the circuit turned away. */
  untilMended(owed: OwedDelivery): void {
    const { troubledMs = 0 } = this.deps.settings;
    // The head of an ordered endpoint is alone.
    const waitMs = owed.place === undefined ? this.inTurn(troubledMs) : 0;
    this.park(owed, Math.max(CIRCUIT_PARK_MIN_MS, waitMs), 'circuit');
  }

  /**
   * Parks what the endpoint's rate lets go only later, to just before its slot. A new delivery stands behind
   * those that are parked; one that comes back from there does not.
   *
   * @returns whether it was parked
   */
  untilSlot(owed: OwedDelivery): boolean {
    const { settler, metrics, mailbox } = this.deps;
    const { limiter } = this.deps.settings;
    if (limiter === undefined) return false;
    const ahead = mailbox.aheadOf(owed);
    // One of high priority goes before those that are parked too, and takes none of their slots; so does the head
    // of an ordered endpoint, whose others wait in their queue.
    const overtakes = isHigh(owed) || owed.place !== undefined;
    const waitMs =
      owed.head.hop === 0 && !overtakes ? limiter.waitBehindParkedMs(ahead) : limiter.waitMs(ahead);
    if (waitMs <= WAIT_MAX_MS) return false;
    const slotMs = Math.min(overtakes ? waitMs : limiter.reserveSlotMs(ahead), SLOT_PARK_MAX_MS);
    settler.park(owed, slotMs - SLOT_LEAD_MS);
    metrics.parked.inc({ reason: 'rate' });
    return true;
  }

  /** Parks what could not run soon, or finds the mailbox full; says whether it did. */
  withoutRoom(owed: OwedDelivery): boolean {
    const { mailbox } = this.deps;
    const waitMs = this.expectedWaitMs(mailbox.aheadOf(owed));
    const isFull = mailbox.lengthBeside(owed) >= limits.mailboxMessagesMax;
    if (waitMs <= WAIT_MAX_MS && !isFull) return false;
    this.park(owed, Math.min(waitMs, PARK_MAX_MS), 'mailbox');
    return true;
  }

  /** An endpoint that does not keep up must not fill the tenant's lane: the tenant's others wait behind it. */
  beyondShare(laneShare: number): void {
    const { mailbox } = this.deps;
    const beyond = mailbox.takeLaneBeyond(laneShare);
    if (beyond.length === 0) return;
    const { troubledMs } = this.deps.settings;
    const leastMs = Math.max(
      Math.min(this.expectedWaitMs(mailbox.length), PARK_MAX_MS),
      // Those that the circuit turns away take no time, and say nothing of what attempts take.
      troubledMs === undefined ? 0 : CIRCUIT_PARK_MIN_MS,
    );
    const lastedMs = Math.max(this.crowdedMs(), troubledMs ?? 0);
    let waitMs = leastMs;
    for (const owed of beyond) {
      if (this.untilSlot(owed)) continue;
      waitMs = Math.max(leastMs, this.inTurn(lastedMs));
      this.park(owed, waitMs, 'mailbox');
    }
    // By then the last of them is back.
    this.crowdedUntilMs = performance.now() + 2 * Math.max(waitMs, WAIT_MAX_MS);
  }

  /** The wait of the next one that comes by again, behind the others, and no longer than in proportion. */
  private inTurn(lastedMs: number): number {
    const nowMs = performance.now();
    const behindMs = Math.max(0, this.comeByMs + COME_BY_EVERY_MS - nowMs);
    const waitMs = Math.min(behindMs, inProportion(lastedMs));
    this.comeByMs = nowMs + waitMs;
    return waitMs;
  }

  private crowdedMs(): number {
    const nowMs = performance.now();
    if (nowMs > this.crowdedUntilMs) this.crowdedSinceMs = nowMs;
    return nowMs - this.crowdedSinceMs;
  }

  /** How long a delivery that comes now would stand in the mailbox, by what attempts take at present. */
  private expectedWaitMs(ahead: number): number {
    if (ahead === 0) return 0;
    const { settings, turns, tenantShare } = this.deps;
    return (ahead / Math.min(settings.inFlightMax, tenantShare())) * turns.expectedMs;
  }
}

/**
 * How long to put off at most what was put off for `lastedMs`. Deliveries that are owed grow with that time, so what comes by in
 * vain stays in proportion to what comes anew (about three times as much), and an endpoint that keeps up again has all of
 * them within about the time that it did not.
 */
function inProportion(lastedMs: number): number {
  return Math.max(Math.min(lastedMs, WHOLE_MAX_MS), Math.min(lastedMs / 4, QUARTER_MAX_MS));
}
