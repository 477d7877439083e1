/**
 * Puts deliveries of one endpoint off, each as a schedule of its own (DL-7, DL-9): what its mailbox has no room for, what
 * its rate lets go only later, and what its circuit or the memory turned away. So the consumer that all tenants share is
 * never full of one endpoint's deliveries.
 */
import { limits } from '#domain/limits.ts';
import type { DeliveryMetrics } from './delivery-metrics.ts';
import type { EndpointSettings } from './endpoint-settings.ts';
import { type Mailbox, isHigh } from './mailbox.ts';
import type { OwedDelivery } from './owed-delivery.ts';
import type { Settler } from './settle.ts';
import type { TurnClock } from './turn-clock.ts';

/** What would wait longer in the mailbox is parked. */
const WAIT_MAX_MS = 2000;
const PARK_MIN_MS = 500;
const PARK_MAX_MS = 60_000;
/**
 * What is put off while the circuit is not closed waits for as long as that has lasted already, up to a minute, or for a
 * quarter of it, up to half an hour. So a receiver that is back has all of it soon, and what comes by in vain is about
 * three times what comes anew: not each of the deliveries that are owed to it by then, every few seconds.
 */
const TROUBLE = { leastMs: 5000, wholeMaxMs: 60_000, quarterMaxMs: 1_800_000 };
/** A slot further away than this is looked for anew then: the limit may be another by then. */
const SLOT_PARK_MAX_MS = 600_000;
/** What is parked until its slot comes back this much earlier, as schedules fire up to some 100 ms late. */
const SLOT_LEAD_MS = 1000;

export interface ParkingDeps {
  settler: Pick<Settler, 'park'>;
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

  constructor(deps: ParkingDeps) {
    this.deps = deps;
  }

  /** Spread, so that what is parked together does not come back together. */
  park(owed: OwedDelivery, delayMs: number, reason: 'mailbox' | 'circuit' | 'memory'): void {
    const { settler, metrics, random } = this.deps;
    settler.park(owed, Math.max(PARK_MIN_MS, delayMs) * (1 + random() * 0.5));
    metrics.parked.inc({ reason });
  }

  /** Parks what the circuit turned away. The head of an ordered endpoint is alone, and looks often. */
  untilMended(owed: OwedDelivery): void {
    const isAlone = owed.place !== undefined;
    this.park(owed, isAlone ? TROUBLE.leastMs : this.troubleMs(), 'circuit');
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
    for (const owed of mailbox.takeLaneBeyond(laneShare)) {
      if (this.untilSlot(owed)) continue;
      const waitMs = Math.min(this.expectedWaitMs(mailbox.length), PARK_MAX_MS);
      const isTroubled = this.deps.settings.troubledMs !== undefined;
      // What the circuit turns away takes no time, and says nothing of what attempts take.
      this.park(owed, isTroubled ? Math.max(waitMs, this.troubleMs()) : waitMs, 'mailbox');
    }
  }

  private troubleMs(): number {
    const lastedMs = this.deps.settings.troubledMs ?? 0;
    const { leastMs, wholeMaxMs, quarterMaxMs } = TROUBLE;
    return Math.max(leastMs, Math.min(lastedMs, wholeMaxMs), Math.min(lastedMs / 4, quarterMaxMs));
  }

  /** How long a delivery that comes now would stand in the mailbox, by what attempts take at present. */
  private expectedWaitMs(ahead: number): number {
    if (ahead === 0) return 0;
    const { settings, turns, tenantShare } = this.deps;
    return (ahead / Math.min(settings.inFlightMax, tenantShare())) * turns.expectedMs;
  }
}
