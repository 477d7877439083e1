/** Reads deliveries and attempts of the history (CT-5, DL-12), each of one life of its tenant. */
import { notFound } from '#domain/field-faults.ts';
import { tenantIdOf } from '#domain/tenant.ts';
import { anyOf } from '#infra/mongo/any-of.ts';
import { type DeliveryDocument, eventKey } from '#infra/mongo/documents.ts';
import type {
  AttemptResource,
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

const OF_EVENT_SORT = timeSort('event_deliveries');

export interface DeliveryReadsDeps extends HistoryReadDeps {
  events: Pick<EventReads, 'find'>;
}

export class DeliveryReads {
  private readonly deps: DeliveryReadsDeps;

  constructor(deps: DeliveryReadsDeps) {
    this.deps = deps;
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
    return toPage(deliveries, query.limit, list, positionOf, summarizeDelivery);
  }

  async get(lifeId: string, deliveryId: string): Promise<DeliveryResource> {
    const delivery = await this.find(lifeId, deliveryId);
    return {
      ...summarizeDelivery(delivery),
      attempts: await attemptsOfDelivery(this.deps, delivery),
    };
  }

  async listAttempts(lifeId: string, deliveryId: string): Promise<Page<AttemptResource>> {
    // `limits.attemptsMax` bounds them: one page holds them all.
    const delivery = await this.find(lifeId, deliveryId);
    return { data: await attemptsOfDelivery(this.deps, delivery), next_cursor: null };
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
  ): Promise<DeliveryDocument[]> {
    return this.deps.searches.run(lifeId, () =>
      this.deps.history.deliveries
        .find({ $and: conditions }, { maxTimeMS: SEARCH_MS_MAX })
        .sort(timeOrder('accepted_at', order))
        .limit(limit + 1)
        .toArray(),
    );
  }
}

/** Returns a delivery as lists show it. */
export function summarizeDelivery(delivery: DeliveryDocument): DeliverySummary {
  const { state } = delivery;
  return {
    id: delivery._id,
    tenant_id: tenantIdOf(delivery.tenant),
    event_id: delivery.event,
    event_type: delivery.type,
    endpoint_id: delivery.endpoint,
    status: state.status,
    reason: state.reason,
    accepted_at: delivery.accepted_at.toISOString(),
    updated_at: state.at.toISOString(),
    next_attempt_at: state.next_attempt_at?.toISOString() ?? null,
    attempt_count: Object.keys(delivery.attempts ?? {}).length,
    replay_of: delivery.replay_of ?? null,
    replay_id: delivery.replay ?? null,
  };
}
