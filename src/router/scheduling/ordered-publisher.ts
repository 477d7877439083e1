/**
 * Publishes the deliveries of ordered endpoints (DL-16) one after the other for each endpoint: the
 * next only after the PubAck of the one before. So their stream sequences follow the order of the
 * events, even if publications are lost, repeated or refused.
 *
 * A delivery that is not stored in time is retried while this router owns the shard: a nak would
 * let later ones overtake it. When the router loses the shard or dies, the next owner starts at the
 * first unacked event, in order; deliveries that are already stored are dropped by their ids.
 *
 * Limits: the consumer's `max_ack_pending` bounds the entries; an entry holds no payload of its
 * own.
 */
import { PerKeySerialQueue } from '#domain/contention/serial-queue.ts';
import type { Publication, Publisher } from '#infra/nats/publish/publisher.ts';
import type { Log } from '#infra/telemetry/log.ts';

const RETRY_DELAY_MS = 1000;

export interface OrderedPublication {
  /**
   * Prepares the publication when its turn comes; retried after an error. Absent: nothing to do.
   */
  prepare?: (done: (error: Error | undefined) => void) => void;
  /** Builds the publication when its turn comes. */
  make: () => Publication;
  /** Whether this router still owns the shard, by the clock. */
  isOwner: () => boolean;
  /** Called when it is stored, or when another router owns the shard. */
  done: () => void;
}

export class OrderedPublisher {
  private readonly publisher: Pick<Publisher, 'publish' | 'whenRoom'>;
  private readonly log: Log;
  /** By subject of the endpoint's queue. */
  private readonly queue: PerKeySerialQueue<OrderedPublication>;

  constructor(deps: { publisher: Pick<Publisher, 'publish' | 'whenRoom'>; log: Log }) {
    this.publisher = deps.publisher;
    this.log = deps.log;
    this.queue = new PerKeySerialQueue({
      start: (entry, subject) => this.start(entry, subject),
      soon: setImmediate,
    });
  }

  /** @param subject that of the endpoint's queue */
  add(subject: string, entry: OrderedPublication): void {
    this.queue.add(subject, entry);
  }

  /** Returns whether the entry has ended, as another router owns the shard. */
  private start(entry: OrderedPublication, subject: string): boolean {
    if (entry.isOwner()) {
      this.prepare(subject, entry);
      return false;
    }
    entry.done();
    return true;
  }

  private prepare(subject: string, entry: OrderedPublication): void {
    if (entry.prepare === undefined) return this.publish(subject, entry, entry.make());
    entry.prepare((error) => {
      if (!entry.isOwner()) return this.end(subject, entry);
      if (error === undefined) return this.publish(subject, entry, entry.make());
      this.log.warn({ error: error.message }, 'router.delivery_not_stored');
      setTimeout(() => this.prepare(subject, entry), RETRY_DELAY_MS).unref();
    });
  }

  private publish(subject: string, entry: OrderedPublication, publication: Publication): void {
    const retry = (): void => {
      if (entry.isOwner()) this.publish(subject, entry, publication);
      else this.end(subject, entry);
    };
    const isAccepted = this.publisher.publish(publication, (error) => {
      if (error === undefined) {
        this.end(subject, entry);
        return;
      }
      this.log.warn({ error: error.message }, 'router.delivery_not_stored');
      setTimeout(retry, RETRY_DELAY_MS).unref();
    });
    if (!isAccepted) this.publisher.whenRoom(retry);
  }

  private end(subject: string, entry: OrderedPublication): void {
    entry.done();
    this.queue.ended(subject);
  }
}
