/**
 * Explains which endpoints of its tenant a stored event matches, and why the others do not match
 * (RT-9).
 */
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '#domain/clock.ts';
import { PosthornError } from '#domain/errors.ts';
import { tenantNotFound } from '#domain/field-faults.ts';
import {
  type EndpointExplanation,
  type ExplainedTenant,
  explainMatch,
  explanationNeedsData,
} from '#domain/event/explain-match.ts';
import { tenantIdOf } from '#domain/tenant.ts';
import { type EventDocument, eventKey } from '#infra/mongo/documents.ts';
import type { EndpointExplanationResource, EventExplanation } from '#wire/api/event-explanation.ts';
import type { PageQuery } from '#wire/api/page.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import { parseDataInSlices } from '#infra/parse-data-in-slices.ts';
import { JsonTurns } from '#infra/json-turns.ts';
import { eventForFilter, isBuiltInTurns, isDataSeen } from '#wire/published/event-for-filter.ts';
import { boundList, decodeCursor, type PageSort, toPage } from '#wire/pagination.ts';
import type { EventReads } from './event-reads.ts';
import type { PayloadReads } from './payload-reads.ts';
import { filterableEvent } from './filterable-event.ts';

const SORT: PageSort = { name: 'explanation', fields: ['string'] };
/** Filters may be many and expensive: after this time, yield to the event loop. */
const AT_ONCE_MS = 5;

export interface EventExplanationsDeps {
  events: Pick<EventReads, 'find'>;
  payloads: Pick<PayloadReads, 'ofEvent'>;
  config: Pick<ConfigView, 'tenant' | 'eventType'>;
  clock: Clock;
}

export class EventExplanations {
  private readonly deps: EventExplanationsDeps;
  private readonly turns = new JsonTurns();

  constructor(deps: EventExplanationsDeps) {
    this.deps = deps;
  }

  /**
   * Matches an event of the history against the current configuration, as routers do: endpoints by
   * id, each with all its subscriptions.
   *
   * @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, POSTHORN_TENANT_UNKNOWN,
   * POSTHORN_CURSOR_INVALID; if a filter reads its `data`: POSTHORN_DATA_HIDDEN, and for a large
   * event POSTHORN_PAYLOAD_GONE, POSTHORN_OVERLOADED, POSTHORN_NATS_UNAVAILABLE
   */
  async explain(lifeId: string, eventId: string, query: PageQuery): Promise<EventExplanation> {
    const { events, config, clock } = this.deps;
    const list = boundList(SORT, eventKey(lifeId, eventId), query);
    const after = query.cursor === undefined ? '' : decodeCursor(list, query.cursor)[0];
    const event = await events.find(lifeId, eventId);
    const snapshot = config.tenant(lifeId);
    if (snapshot === undefined) throw tenantNotFound(tenantIdOf(lifeId));
    const judgedAt = new Date(clock.wallMs()).toISOString();
    const rest = snapshot.endpoints.filter(({ id }) => id > String(after));
    const page = toPage(
      rest,
      query.limit,
      list,
      ({ id }) => [id],
      (each) => each,
    );
    const explained = { endpoints: page.data, subscriptions: snapshot.subscriptions };
    const type = event.type ?? '';
    const data = await explainInTurns(explained, type, await this.view(explained, event), clock);
    const { next_cursor } = page;
    return { event_id: eventId, event_type: type, judged_at: judgedAt, data, next_cursor };
  }

  private async view(
    explained: ExplainedTenant,
    event: EventDocument,
  ): Promise<Record<string, unknown>> {
    const { type = '', payload } = event;
    const seen = async (data: string | Buffer | undefined): Promise<Record<string, unknown>> => {
      const filterable = filterableEvent(event, data);
      if (data === undefined || !isBuiltInTurns(filterable)) return eventForFilter(filterable);
      const value = await parseDataInSlices(this.turns, event.tenant, Buffer.from(data), 'all');
      return eventForFilter(filterable, () => 'all', { value });
    };
    if (!explanationNeedsData(explained, type)) return seen(undefined);
    if (this.deps.config.eventType(type)?.sensitive === true) {
      throw new PosthornError('POSTHORN_DATA_HIDDEN', {
        detail: 'the event type is sensitive, and the result of a filter would reveal its data',
      });
    }
    if (payload === undefined) return seen(event.data);
    if (!isDataSeen(payload.size)) return seen(undefined);
    const { bytes, release } = await this.deps.payloads.ofEvent(event.tenant, event.id);
    try {
      return await seen(bytes);
    } finally {
      release();
    }
  }
}

/** Explains an event for endpoints, and yields to other work after each few milliseconds. */
export async function explainInTurns(
  explained: ExplainedTenant,
  type: string,
  view: Record<string, unknown>,
  clock: Pick<Clock, 'monotonicMs'>,
): Promise<EndpointExplanationResource[]> {
  const data: EndpointExplanationResource[] = [];
  let pauseMs = clock.monotonicMs() + AT_ONCE_MS;
  for (const each of explainMatch(explained, type, view)) {
    if (each !== undefined) data.push(toResource(each));
    if (clock.monotonicMs() < pauseMs) continue;
    await setImmediate();
    pauseMs = clock.monotonicMs() + AT_ONCE_MS;
  }
  return data;
}

function toResource(explanation: EndpointExplanation): EndpointExplanationResource {
  const { endpointId, matched, reason, subscriptions } = explanation;
  return {
    endpoint_id: endpointId,
    matched,
    reason,
    subscriptions: subscriptions.map(({ subscriptionId, ...decided }) => ({
      subscription_id: subscriptionId,
      ...decided,
    })),
  };
}
