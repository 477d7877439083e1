import type { Clock } from '#domain/clock.ts';
import { FairShares } from '#domain/contention/fair-shares.ts';
import type { ConsumedEvent } from '../in-flight-event.ts';

/** A nak'ed event that is not redelivered this long after its delay was removed from the stream. */
const REDELIVERY_LATE_MS = 30_000;

interface RestingEvent {
  tenant: string;
  /** When it arrived first, in ticks of `BehindTenants`. */
  tick: number;
  /** Overdue from here on, by the monotonic clock. */
  lateMs: number;
}

/**
 * The places in the window of a shard's consumer (`max_ack_pending`), shared by its tenants. A
 * nak'ed event keeps its place until it is redelivered, because the server counts it as unacked.
 */
export class WindowShares {
  private readonly shares: FairShares;
  private readonly clock: Clock;
  /** Nak'ed events by sequence. */
  private readonly resting = new Map<number, RestingEvent>();

  constructor(places: number, clock: Clock) {
    this.shares = new FairShares(places);
    this.clock = clock;
  }

  /** Gives the event a place; false if its tenant holds its share already. */
  tryTake(event: ConsumedEvent): boolean {
    const hasOne = this.resting.size > 0 && this.resting.delete(event.seq);
    event.hasPlace = hasOne || this.shares.tryTake(event.tenant) || this.tryTakeLate(event.tenant);
    return event.hasPlace;
  }

  /** The event is no longer in flight. */
  end(event: ConsumedEvent, restMs: number | undefined): void {
    if (!event.hasPlace) return this.giveRested(event.seq);
    if (restMs === undefined) this.shares.give(event.tenant);
    else {
      const lateMs = this.clock.monotonicMs() + restMs + REDELIVERY_LATE_MS;
      this.resting.set(event.seq, { tenant: event.tenant, tick: event.firstTick, lateMs });
    }
  }

  /** When a nak'ed event arrived first; undefined: it was not nak'ed. */
  firstTickOf(seq: number): number | undefined {
    return this.resting.size === 0 ? undefined : this.resting.get(seq)?.tick;
  }

  /** Tenants with a nak'ed event that arrived first at or before a tick. */
  restingSince(tick: number): Set<string> {
    this.giveLate();
    const tenants = new Set<string>();
    for (const rest of this.resting.values()) if (rest.tick <= tick) tenants.add(rest.tenant);
    return tenants;
  }

  /**
   * Sequences of a tenant's nak'ed events, which are read again from now on.
   *
   * @param tick their time counts from here on, until they are redelivered
   */
  readAgain(tenant: string, tick: number): number[] {
    const seqs: number[] = [];
    for (const [seq, rest] of this.resting) {
      if (rest.tenant !== tenant) continue;
      rest.tick = tick;
      seqs.push(seq);
    }
    return seqs;
  }

  /** A nak'ed event was redelivered, and acked without a place of its own. */
  private giveRested(seq: number): void {
    const rest = this.resting.get(seq);
    if (rest === undefined) return;
    this.resting.delete(seq);
    this.shares.give(rest.tenant);
  }

  private tryTakeLate(tenant: string): boolean {
    return this.giveLate() && this.shares.tryTake(tenant);
  }

  /** Purged events are never redelivered: frees their places. Returns whether there were any. */
  private giveLate(): boolean {
    const nowMs = this.clock.monotonicMs();
    let isFreed = false;
    for (const [seq, rest] of this.resting) {
      if (rest.lateMs > nowMs) continue;
      this.resting.delete(seq);
      this.shares.give(rest.tenant);
      isFreed = true;
    }
    return isFreed;
  }
}
