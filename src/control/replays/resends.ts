/** Sends a single delivery that has ended again, as a new one that is linked to it (CT-6). */
import { PosthornError } from '#domain/errors.ts';
import { notFound } from '#domain/field-faults.ts';
import { deliveryId, newId } from '#domain/ids.ts';
import type { Clock } from '#domain/clock.ts';
import type { DeliveryDocument, History } from '#infra/mongo/documents.ts';
import type { ResentDelivery } from '#wire/api/delivery.ts';
import { eventOfLetter } from '../dead-letters/actions.ts';
import type { ActionClaim } from '../idempotency/action-claim.ts';
import type { NewDeliveries } from './new-deliveries.ts';
import type { StoredEvent, StoredEvents } from './stored-events.ts';

export interface ResendsDeps {
  history: Pick<History, 'deliveries' | 'deadLetters'>;
  events: Pick<StoredEvents, 'find'>;
  deliveries: Pick<NewDeliveries, 'publish' | 'hasEndpoint'>;
  clock: Clock;
}

export class Resends {
  private readonly deps: ResendsDeps;

  constructor(deps: ResendsDeps) {
    this.deps = deps;
  }

  /**
   * Creates a new delivery of the same event to the same endpoint, and marks the dead letter of a
   * failed one as replayed. Each request creates one; those with the same claim create one
   * together.
   *
   * @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, POSTHORN_DELIVERY_UNREPLAYABLE,
   * POSTHORN_EVENT_GONE, POSTHORN_PAYLOAD_GONE, POSTHORN_PUBLISH_NOT_ACKED
   */
  async resend(lifeId: string, id: string, claim?: ActionClaim): Promise<ResentDelivery> {
    const { history, deliveries, clock } = this.deps;
    const old = await history.deliveries.findOne({ _id: id, tenant: lifeId });
    if (old === null) throw notFound('delivery', id);
    const generation = claim?.id ?? newId('rpl', clock.wallMs());
    const nextId = deliveryId(lifeId, old.event, old.endpoint, `${id}\n${generation}`);
    await claim?.note('resend');
    if (claim?.earlier?.note === undefined || !(await this.isKnown(nextId))) {
      const { endpoint, sequence } = old;
      const link = { replayOf: id, ...(sequence === undefined ? {} : { sequence }) };
      const event = await this.eventOf(lifeId, old);
      await deliveries.publish({ lifeId, id: nextId, endpoint, event, link });
    }
    await history.deadLetters.updateOne(
      { _id: id, tenant: lifeId, replayed_at: null, discarded_at: null },
      { $set: { replayed_at: new Date(clock.wallMs()), replay: nextId } },
    );
    return { id, delivery_id: nextId };
  }

  /** An earlier run may have published it longer ago than the server drops duplicates. */
  private async isKnown(id: string): Promise<boolean> {
    return (await this.deps.history.deliveries.countDocuments({ _id: id }, { limit: 1 })) > 0;
  }

  private async eventOf(lifeId: string, old: DeliveryDocument): Promise<StoredEvent> {
    const { status } = old.state;
    if (status === 'pending' || status === 'held') {
      throw unreplayable(`the delivery ${old._id} is ${status}: it has not ended`);
    }
    if (!this.deps.deliveries.hasEndpoint(lifeId, old.endpoint)) {
      throw unreplayable(`its endpoint ${old.endpoint} was deleted`);
    }
    const found = await this.deps.events.find(lifeId, old.event);
    if (found === 'payload_missing') throw new PosthornError('POSTHORN_PAYLOAD_GONE');
    if (found !== 'event_expired') return found;
    const letter = await this.deps.history.deadLetters.findOne({ _id: old._id, tenant: lifeId });
    const kept = letter === null ? undefined : eventOfLetter(letter);
    if (kept !== undefined) return kept;
    const detail = `the event ${old.event} is no longer in the history`;
    throw new PosthornError('POSTHORN_EVENT_GONE', { detail });
  }
}

function unreplayable(detail: string): PosthornError {
  return new PosthornError('POSTHORN_DELIVERY_UNREPLAYABLE', { detail });
}
