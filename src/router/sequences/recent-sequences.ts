import { limits } from '#domain/limits.ts';
import {
  type EventPlace,
  type SequenceEntry,
  type StoredSequenceEntry,
  comparePlaces,
} from '#infra/nats/stores/sequence-store.ts';

/**
 * The last number of an endpoint, and the newest numbers that this router gave. It holds every
 * number after `oldest`, and so decides about most events without a read.
 */
export class RecentSequences {
  /** The number below which memory knows nothing; undefined: it knows all. */
  oldest: StoredSequenceEntry | undefined;
  /** The last number; 0: none was given yet. */
  last: number;
  /** Sequence in SEQ of the message with the last number; 0: none. */
  seq: number;
  private latest: EventPlace | undefined;
  /** By delivery id, in the order of the numbers. */
  private readonly given = new Map<string, StoredSequenceEntry>();

  /** @param stored the last number in the stream */
  constructor(stored: StoredSequenceEntry | undefined) {
    this.oldest = stored;
    this.last = stored?.entry.sequence ?? 0;
    this.seq = stored?.seq ?? 0;
    this.latest = stored?.entry.latest;
  }

  /** The number of a delivery, if this router gave it. */
  find(delivery: string): number | undefined {
    return this.given.get(delivery)?.entry.sequence;
  }

  /** Whether the event may have a number that memory does not know. */
  mayBeOlder(place: EventPlace): boolean {
    return this.oldest !== undefined && comparePlaces(place, this.oldest.entry.latest) <= 0;
  }

  /** The latest place of all numbered events and this one. */
  latestWith(place: EventPlace): EventPlace {
    const { latest } = this;
    return latest !== undefined && comparePlaces(latest, place) > 0 ? latest : place;
  }

  /** Adds the number that was written. */
  added(entry: SequenceEntry, seq: number): void {
    this.last = entry.sequence;
    this.seq = seq;
    this.latest = entry.latest;
    this.given.set(entry.delivery, { entry, seq });
    if (this.given.size <= limits.sequencedDeliveriesRemembered) return;
    const [[delivery, dropped]] = this.given as unknown as [[string, StoredSequenceEntry]];
    this.given.delete(delivery);
    this.oldest = dropped;
  }
}
