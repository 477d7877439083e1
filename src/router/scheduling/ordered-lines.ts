/**
 * Publishes the deliveries of ordered endpoints (DL-16): for each endpoint one after the other, the next only once
 * the PubAck of the one before has come. So their sequences in the stream are in the order of the events,
 * whatever is lost, sent again, or refused for a while on the way.
 *
 * A delivery that is not stored in time is tried again for as long as this router owns the shard: giving it back
 * would let those behind it go first. When the router loses the shard, or dies, the next one begins at the first
 * event that was not acked, in order; what is stored already is dropped by its id.
 *
 * Limits: what waits is bounded by the consumer's `max_ack_pending`; an entry holds no bytes of its own.
 */
import type { Publication, Publisher } from '#infra/nats/publish/publisher.ts';
import type { Log } from '#infra/telemetry/log.ts';

const TRY_AGAIN_MS = 1000;

export interface OrderedEntry {
  /** Makes what is published, when its turn has come. */
  make: () => Publication;
  /** Whether this router still owns the shard, by the clock. */
  mayWork: () => boolean;
  /** It is stored, or somebody else's by now. */
  done: () => void;
}

export class OrderedLines {
  private readonly publisher: Pick<Publisher, 'publish' | 'whenRoom'>;
  private readonly log: Log;
  private readonly lines = new Map<string, OrderedEntry[]>();

  constructor(deps: { publisher: Pick<Publisher, 'publish' | 'whenRoom'>; log: Log }) {
    this.publisher = deps.publisher;
    this.log = deps.log;
  }

  /** @param subject that of the endpoint's queue */
  add(subject: string, entry: OrderedEntry): void {
    const line = this.lines.get(subject);
    if (line !== undefined) {
      line.push(entry);
      return;
    }
    this.lines.set(subject, [entry]);
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
    const line = this.lines.get(subject) ?? [];
    line.shift();
    const next = line[0];
    if (next === undefined) this.lines.delete(subject);
    entry.done();
    if (next !== undefined) this.begin(subject, next);
  }
}
