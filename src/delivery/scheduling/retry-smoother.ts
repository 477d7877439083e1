import { PARTITIONS, partitionOf } from '#wire/subjects.ts';

/**
 * How many retries of this process are due when. What fails at one time is due at one time: an outage that ends, a
 * `Retry-After` that a thousand receivers share. A broker that fires ten thousand schedules in a second keeps all
 * else waiting (nats-server, 2.15), and a process sends so many no sooner by having them at once. So a retry that
 * finds its moment taken is put a little later, never earlier (ADR 0017).
 *
 * Time is cut into slots. In each one a tenant has places of its own, so that whoever has few retries keeps their
 * time however many another has; who has more of them shares what room the slots have, first come, first served.
 */
const SLOT_MS = 100;
/** Ten minutes; what is due later is spread enough by the schedule's own jitter. */
const SLOTS = 6000;
/** Behind the last slot: the clock may be set back by so much. */
const SLACK = 100;
const SHARED_ROOM = 80;
/** A partition stands for its tenants: what is counted stays small, however many there are. */
const OWN_ROOM = 4;
/** How far a tenant looks for a place of its own. */
const OWN_WITHIN = 20;

export class RetryCalendar {
  private readonly now: () => number;
  /** Which slot each place of the ring stands for now. */
  private readonly slots = new Float64Array(SLOTS).fill(-1);
  private readonly shared = new Uint16Array(SLOTS);
  /** The first slot that may have shared room, for a slot that has none. */
  private readonly next = new Float64Array(SLOTS);
  private readonly own = new Uint8Array(SLOTS * PARTITIONS);

  /** @param now the clock that the schedules go by, milliseconds since 1970 */
  constructor(now: () => number) {
    this.now = now;
  }

  /**
   * Finds a place and takes it.
   * @param wantedMs when the retry is due, milliseconds since 1970
   * @returns that time, or the first one after it with room
   */
  take(tenant: string, wantedMs: number): number {
    const wanted = Math.floor(wantedMs / SLOT_MS);
    const first = Math.floor(this.now() / SLOT_MS);
    const last = first + SLOTS - SLACK;
    if (wanted < first || wanted > last) return wantedMs;
    const slot = this.findSlot(partitionOf(tenant), wanted, last);
    return wantedMs + (slot - wanted) * SLOT_MS;
  }

  private findSlot(partition: number, wanted: number, last: number): number {
    if (this.takeOwn(partition, wanted)) return wanted;
    if (this.shared[this.placeOf(wanted)] !== SHARED_ROOM) return this.takeShared(wanted, last);
    const end = Math.min(wanted + OWN_WITHIN, last);
    for (let slot = wanted + 1; slot <= end; slot++) {
      if (this.takeOwn(partition, slot)) return slot;
    }
    return this.takeShared(wanted, last);
  }

  private takeOwn(partition: number, slot: number): boolean {
    const place = this.placeOf(slot) * PARTITIONS + partition;
    const taken = this.own[place] as number;
    if (taken === OWN_ROOM) return false;
    this.own[place] = taken + 1;
    return true;
  }

  private takeShared(wanted: number, last: number): number {
    let slot = wanted;
    while (slot < last && this.shared[this.placeOf(slot)] === SHARED_ROOM) {
      slot = this.next[slot % SLOTS] as number;
    }
    slot = Math.min(slot, last);
    this.shortenWay(wanted, slot);
    const place = this.placeOf(slot);
    if (this.shared[place] !== SHARED_ROOM) this.shared[place] = (this.shared[place] as number) + 1;
    return slot;
  }

  /** What was walked over is not walked again: ten minutes may be full. */
  private shortenWay(from: number, to: number): void {
    for (let slot = from; slot < to;) {
      const place = slot % SLOTS;
      slot = this.next[place] as number;
      this.next[place] = to;
    }
  }

  /** Its place in the ring, emptied where an earlier slot had it. */
  private placeOf(slot: number): number {
    const place = slot % SLOTS;
    if (this.slots[place] !== slot) {
      this.slots[place] = slot;
      this.shared[place] = 0;
      this.next[place] = slot + 1;
      this.own.fill(0, place * PARTITIONS, (place + 1) * PARTITIONS);
    }
    return place;
  }
}
