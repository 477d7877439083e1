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
import type { Publication, Publisher } from '#infra/nats/publish/publisher.ts';
import type { Log } from '#infra/telemetry/log.ts';

const TRY_AGAIN_MS = 1000;

export interface OrderedEntry {
  /** Builds the publication when its turn comes. */
  make: () => Publication;
  /** Whether this router still owns the shard, by the clock. */
  mayWork: () => boolean;
  /** Called when it is stored, or when another router owns the shard. */
  done: () => void;
}

export class OrderedSerialQueue {
  private readonly publisher: Pick<Publisher, 'publish' | 'whenRoom'>;
  private readonly log: Log;
  private readonly queues = new Map<string, OrderedEntry[]>();

  constructor(deps: { publisher: Pick<Publisher, 'publish' | 'whenRoom'>; log: Log }) {
    this.publisher = deps.publisher;
    this.log = deps.log;
  }

  /** @param subject that of the endpoint's queue */
  add(subject: string, entry: OrderedEntry): void {
    const queue = this.queues.get(subject);
    if (queue !== undefined) {
      queue.push(entry);
      return;
    }
    this.queues.set(subject, [entry]);
    this.begin(subject, entry);
  }

  private begin(subject: string, entry: OrderedEntry): void {
    if (!entry.mayWork()) this.end(subject, entry);
    else this.publish(subject, entry, entry.make());
  }

  private publish(subject: string, entry: OrderedEntry, publication: Publication): void {
    const again = (): void => {
      if (entry.mayWork()) this.publish(subject, entry, publication);
      else this.end(subject, entry);
    };
    const taken = this.publisher.publish(publication, (error) => {
      if (error === undefined) {
        this.end(subject, entry);
        return;
      }
      this.log.warn({ error: error.message }, 'router.delivery_not_stored');
      setTimeout(again, TRY_AGAIN_MS).unref();
    });
    if (!taken) this.publisher.whenRoom(again);
  }

  private end(subject: string, entry: OrderedEntry): void {
    const queue = this.queues.get(subject) ?? [];
    queue.shift();
    const next = queue[0];
    if (next === undefined) this.queues.delete(subject);
    entry.done();
    if (next !== undefined) this.begin(subject, next);
  }
}
