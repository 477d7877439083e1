/**
 * Publishes a delivery that repeats a stored event (CT-6). New deliveries come first: this one has
 * the class of retries, also if the event has high priority. A delivery for an ordered endpoint
 * goes to the end of its queue.
 * The id is computed by the caller, so the server drops a repeated publication. The record follows
 * the PubAck; if a crash loses the record, the worker's record creates the document.
 */
import { PosthornError } from '#domain/errors.ts';
import type { Publisher } from '#infra/nats/publish/publisher.ts';
import type { RecordBatcher } from '#infra/nats/publish/record-batcher.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import {
  type DeliveryHead,
  deliveryMessageId,
  encodeDeliveryFrame,
  type ReplayLink,
  repeatClassOf,
} from '#wire/frames/delivery-frame.ts';
import { subjects } from '#wire/subjects.ts';
import type { StoredEvent } from './stored-events.ts';

const STORE_TIMEOUT_MS = 5000;
const NOTHING = Buffer.alloc(0);

export interface NewDelivery {
  lifeId: string;
  id: string;
  endpoint: string;
  event: StoredEvent;
  link: ReplayLink;
}

export interface NewDeliveriesDeps {
  config: Pick<ConfigView, 'tenant'>;
  publisher: Pick<Publisher, 'publishAsync'>;
  records: Pick<RecordBatcher, 'add'>;
}

export class NewDeliveries {
  private readonly deps: NewDeliveriesDeps;

  constructor(deps: NewDeliveriesDeps) {
    this.deps = deps;
  }

  /** Whether the endpoint exists, as far as this process knows. */
  hasEndpoint(lifeId: string, endpoint: string): boolean {
    return this.endpointOf(lifeId, endpoint) !== undefined;
  }

  /** @throws PosthornError POSTHORN_PUBLISH_NOT_ACKED */
  async publish({ lifeId, id, endpoint, event, link }: NewDelivery): Promise<void> {
    const { facts, seq, bytes } = event;
    const head: DeliveryHead = { id, endpoint, attemptNo: 1, hop: 0, eventSeq: seq, ...link };
    if (bytes === undefined) head.byReference = facts;
    const deliveryClass = repeatClassOf({}, this.endpointOf(lifeId, endpoint));
    try {
      await this.deps.publisher.publishAsync({
        subject: subjects.delivery(lifeId, endpoint, deliveryClass),
        payload: encodeDeliveryFrame(head, bytes ?? NOTHING),
        messageId: deliveryMessageId(id, 0),
        timeoutMs: STORE_TIMEOUT_MS,
      });
    } catch (cause) {
      const detail = `the delivery ${id} was not stored in time; try again`;
      throw new PosthornError('POSTHORN_PUBLISH_NOT_ACKED', { detail, cause });
    }
    const { id: eventId, type, acceptedMs } = facts;
    const delivery = { id, tenant: lifeId, event: eventId, type, acceptedMs, endpoint };
    const record = { k: 'delivery', ...delivery, hop: 0, status: 'pending', ...link } as const;
    this.deps.records.add(record, () => {});
  }

  private endpointOf(lifeId: string, endpoint: string) {
    return this.deps.config.tenant(lifeId)?.endpoints.find(({ id }) => id === endpoint);
  }
}
