/**
 * Gives each delivery to a sequenced endpoint the endpoint's next number (DL-23), before the
 * delivery is published.
 *
 * One number is written at a time for each endpoint, on condition of the one before
 * (`sequence-store.ts`). A router that lost the shard fails that condition, and so gives no number
 * twice. A router that takes over continues from the last stored number.
 *
 * An event that is routed again must find the number that its delivery has. Each stored number
 * names the latest event up to it. An event later than the latest of all has no number yet: the
 * usual case, which reads nothing. Any other event is looked up, first in memory, then in the
 * stream.
 *
 * Crash safety: a crash after the write and before the delivery is published leaves the event
 * unacked. It is routed again, and finds its number by its delivery id.
 *
 * Limits: `limits.sequencesRemembered` endpoints in memory, and of each the newest
 * `limits.sequencedDeliveriesRemembered`. Of each endpoint, the stream keeps
 * `limits.sequencesKept` numbers: an event that is routed again after more is numbered again.
 */
import { PerKeySerialQueue } from '#domain/contention/serial-queue.ts';
import { limits } from '#domain/limits.ts';
import {
  type EventPlace,
  type SequenceStore,
  type StoredSequenceEntry,
  comparePlaces,
  findFirst,
} from '#infra/nats/stores/sequence-store.ts';
import { RecentSequences } from './recent-sequences.ts';

export interface SequenceRequest {
  tenant: string;
  endpoint: string;
  /** Delivery id. */
  delivery: string;
  /** Event id. */
  event: string;
  place: EventPlace;
  /** Whether this router still owns the shard, by the clock. */
  isOwner: () => boolean;
  /** Called once: with the number, or an error, or neither if another router owns the shard. */
  done: (error: Error | undefined, sequence: number | undefined) => void;
}

export class Sequencer {
  private readonly store: Pick<SequenceStore, 'append' | 'last' | 'from'>;
  /** By endpoint; the one that was used last is at the end. */
  private readonly known = new Map<string, RecentSequences>();
  private readonly queue: PerKeySerialQueue<SequenceRequest>;

  constructor(store: Pick<SequenceStore, 'append' | 'last' | 'from'>) {
    this.store = store;
    this.queue = new PerKeySerialQueue({
      start: (request, key) => {
        void this.serve(key, request).finally(() => this.queue.ended(key));
        return false;
      },
      soon: setImmediate,
    });
  }

  /** Gives the delivery its number, after the endpoint's earlier requests. */
  add(request: SequenceRequest): void {
    this.queue.add(`${request.tenant}.${request.endpoint}`, request);
  }

  private async serve(key: string, request: SequenceRequest): Promise<void> {
    let sequence: number | undefined;
    try {
      sequence = await this.number(key, request);
    } catch (error) {
      // The write may be stored or not: the next request reads the last number again.
      this.known.delete(key);
      request.done(error as Error, undefined);
      return;
    }
    request.done(undefined, sequence);
  }

  private async number(key: string, request: SequenceRequest): Promise<number | undefined> {
    const { tenant, endpoint, delivery, event, place } = request;
    while (request.isOwner()) {
      const recent = this.known.get(key) ?? (await this.load(tenant, endpoint));
      this.remember(key, recent);
      const given = await this.find(request, recent);
      if (given !== undefined) return given;
      if (!request.isOwner()) break;
      const sequence = recent.last + 1;
      const latest = recent.latestWith(place);
      const entry = { sequence, delivery, event, latest };
      const seq = await this.store.append(tenant, endpoint, entry, recent.seq);
      if (seq !== undefined) {
        recent.added(entry, seq);
        return sequence;
      }
      // Another router wrote a number in between, perhaps of this very delivery.
      this.known.delete(key);
    }
    return undefined;
  }

  private async load(tenant: string, endpoint: string): Promise<RecentSequences> {
    return new RecentSequences(await this.store.last(tenant, endpoint));
  }

  private remember(key: string, recent: RecentSequences): void {
    this.known.delete(key);
    this.known.set(key, recent);
    if (this.known.size <= limits.sequencesRemembered) return;
    const [oldest] = this.known.keys();
    this.known.delete(oldest as string);
  }

  private find(
    request: SequenceRequest,
    recent: RecentSequences,
  ): number | undefined | Promise<number | undefined> {
    const known = recent.find(request.delivery);
    if (known !== undefined || !recent.mayBeOlder(request.place)) return known;
    return this.search(request, recent.oldest as StoredSequenceEntry);
  }

  /**
   * Searches the stream up to the numbers in memory. An event that was numbered in its order is
   * the first one found; one that was numbered later, as after a delay, is behind it.
   */
  private async search(
    { tenant, endpoint, delivery, place }: SequenceRequest,
    last: StoredSequenceEntry,
  ): Promise<number | undefined> {
    const isAtOrAfter = ({ latest }: { latest: EventPlace }) => comparePlaces(latest, place) >= 0;
    let read: StoredSequenceEntry | undefined = await findFirst(
      this.store,
      { tenant, endpoint },
      last,
      isAtOrAfter,
    );
    while (read !== undefined && read.seq <= last.seq) {
      if (read.entry.delivery === delivery) return read.entry.sequence;
      read = await this.store.from(tenant, endpoint, read.seq + 1);
    }
    return undefined;
  }
}
