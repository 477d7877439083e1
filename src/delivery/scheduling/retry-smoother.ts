import { PARTITIONS, partitionOf } from '#wire/subjects.ts';

/**
 * Spreads this process's retries over time. Deliveries that fail together are due together: after
 * an outage, or when a thousand receivers send the same `Retry-After`. A broker that fires ten
 * thousand schedules in a second delays everything else (nats-server 2.15), and a process cannot
 * send that many in one burst anyway. A retry whose slot is full therefore moves to a later slot,
 * never to an earlier one (ADR 0017).
 *
 * Time is cut into slots. Each tenant has reserved places in every slot, so that a tenant with few
 * retries keeps their times, however many another tenant has. Retries beyond these places share the
 * slot's remaining room, first come, first served.
 */
const SLOT_MS = 100;
/** Ten minutes. The jitter of the retry schedule spreads later retries enough. */
const SLOTS = 6000;
/** Slots left unused at the far end, in case the clock is set back by as much. */
const SLACK = 100;
const SHARED_ROOM = 80;
/**
 * Places reserved for each partition in a slot. Counting by partition instead of by tenant bounds
 * the memory.
 */
const OWN_ROOM = 4;
/** How many slots ahead a reserved place is searched for. */
const OWN_WITHIN = 20;

export class RetrySmoother {
  private readonly now: () => number;
  /** The slot that each place of the ring represents now. */
  private readonly slots = new Float64Array(SLOTS).fill(-1);
  private readonly shared = new Uint16Array(SLOTS);
  /** For a full slot, the next slot that may have shared room. */
  private readonly next = new Float64Array(SLOTS);
  private readonly own = new Uint8Array(SLOTS * PARTITIONS);

  /** @param now the clock of the schedules, milliseconds since 1970 */
  constructor(now: () => number) {
    this.now = now;
  }

  /**
   * Finds a place and takes it.
   *
   * @param wantedMs when the retry is due, milliseconds since 1970
   * @returns `wantedMs`, or the first time after it with room
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

  /**
   * Compresses the path over full slots, so that the next search skips them: ten minutes of slots
   * may be full.
   */
  private shortenWay(from: number, to: number): void {
    for (let slot = from; slot < to;) {
      const place = slot % SLOTS;
      slot = this.next[place] as number;
      this.next[place] = to;
    }
  }

  /** The slot's place in the ring, cleared if an earlier slot used it. */
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
