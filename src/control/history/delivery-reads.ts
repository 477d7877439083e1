/** Reads deliveries and attempts of the history (CT-5, DL-12), each of one life of its tenant. */
import { notFound } from '#domain/field-faults.ts';
import { anyOf } from '#infra/mongo/any-of.ts';
import { type DeliveryDocument, eventKey } from '#infra/mongo/documents.ts';
import type {
  AttemptResource,
  DeliveryListQuery,
  DeliveryResource,
  DeliverySummary,
  EventDeliveriesQuery,
} from '#wire/api/delivery.ts';
import type { OrderedPageQuery } from '#wire/api/page.ts';
import { boundList, type Page, toPage } from '#wire/pagination.ts';
import { attemptsOfDelivery } from './attempt-reads.ts';
import type { EventReads, HistoryReadDeps } from './event-reads.ts';
import { SEARCH_MS_MAX } from './fair-searches.ts';
import { afterCursor, positionOf, timeOrder, timeSort } from './time-order.ts';
import { queryRange } from './time-range.ts';

const SORT = timeSort('deliveries');
const OF_EVENT_SORT = timeSort('event_deliveries');
export interface DeliveryReadsDeps extends HistoryReadDeps {
  events: Pick<EventReads, 'find'>;
}

export class DeliveryReads {
  private readonly deps: DeliveryReadsDeps;

  constructor(deps: DeliveryReadsDeps) {
    this.deps = deps;
  }

  async list(lifeId: string, query: DeliveryListQuery): Promise<Page<DeliverySummary>> {
    const list = boundList(SORT, lifeId, query);
    const range = queryRange(query, 'accepted_at');
    const conditions: object[] = [{ tenant: lifeId }];
    if (range !== undefined) conditions.push({ accepted_at: range });
    conditions.push(anyOf('state.status', query.status));
    conditions.push(anyOf('endpoint', query.endpoint_id));
    conditions.push(anyOf('type', query.event_type));
    conditions.push(...afterCursor(list, query));
    const deliveries = await this.search(lifeId, conditions, query);
    return toPage(deliveries, query.limit, list, positionOf, summarize);
  }

  async listOfEvent(
    lifeId: string,
    eventId: string,
    query: EventDeliveriesQuery,
  ): Promise<Page<DeliverySummary>> {
    const list = boundList(OF_EVENT_SORT, eventKey(lifeId, eventId), query);
    const conditions: object[] = [{ tenant: lifeId, event: eventId }];
    conditions.push(anyOf('state.status', query.status));
    conditions.push(...afterCursor(list, query));
    const deliveries = await this.search(lifeId, conditions, query);
    if (deliveries.length === 0) await this.deps.events.find(lifeId, eventId);
    return toPage(deliveries, query.limit, list, positionOf, summarize);
  }

  async get(lifeId: string, deliveryId: string): Promise<DeliveryResource> {
    const delivery = await this.find(lifeId, deliveryId);
    return {
      ...summarize(counted(delivery)),
      attempts: await attemptsOfDelivery(this.deps.history, delivery),
    };
  }

  async listAttempts(lifeId: string, deliveryId: string): Promise<Page<AttemptResource>> {
    // `limits.attemptsMax` bounds them: one page holds them all.
    const delivery = await this.find(lifeId, deliveryId);
    return { data: await attemptsOfDelivery(this.deps.history, delivery), next_cursor: null };
  }

  private async find(lifeId: string, deliveryId: string): Promise<DeliveryDocument> {
    const { deliveries } = this.deps.history;
    const delivery = await deliveries.findOne({ _id: deliveryId, tenant: lifeId });
    if (delivery !== null) return delivery;
    throw notFound('delivery', deliveryId);
  }

  private search(
    lifeId: string,
    conditions: object[],
    { limit, order }: OrderedPageQuery,
  ): Promise<CountedDelivery[]> {
    return this.deps.searches.run(lifeId, () =>
      this.deps.history.deliveries
        .aggregate<CountedDelivery>(
          [
            { $match: { $and: conditions } },
            { $sort: timeOrder('accepted_at', order) },
            { $limit: limit + 1 },
            {
              $set: {
                attempt_count: { $size: { $objectToArray: { $ifNull: ['$attempts', {}] } } },
              },
            },
            { $unset: 'attempts' },
          ],
          { maxTimeMS: SEARCH_MS_MAX },
        )
        .toArray(),
    );
  }
}

/**
 * A delivery with the number of its attempts in place of the attempts, which can hold 4 KiB of a
 * response each if an earlier version stored them.
 */
type CountedDelivery = Omit<DeliveryDocument, 'attempts'> & { attempt_count: number };

function counted(delivery: DeliveryDocument): CountedDelivery {
  return { ...delivery, attempt_count: Object.keys(delivery.attempts ?? {}).length };
}

function summarize(delivery: CountedDelivery): DeliverySummary {
  const { state } = delivery;
  return {
    id: delivery._id,
    event_id: delivery.event,
    event_type: delivery.type,
    endpoint_id: delivery.endpoint,
    status: state.status,
    reason: state.reason,
    accepted_at: delivery.accepted_at.toISOString(),
    updated_at: state.at.toISOString(),
    next_attempt_at: state.next_attempt_at?.toISOString() ?? null,
    attempt_count: delivery.attempt_count,
    replay_of: delivery.replay_of ?? null,
    replay_id: delivery.replay ?? null,
  };
}
