/** Reads events of the history (CT-5, RT-9), each of one life of its tenant. */
import { notFound } from '#domain/field-faults.ts';
import type { EventStatus } from '#domain/event/event-status.ts';
import { type EventDocument, eventKey, type History } from '#infra/mongo/documents.ts';
import type { EventSummary, PayloadFacts } from '#wire/api/event.ts';
import { tenantIdOf } from '#domain/tenant.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import type { PayloadRef } from '#wire/frames/event-frame.ts';
import type { FairSearches } from './fair-searches.ts';

export interface HistoryReadDeps {
  history: History;
  searches: FairSearches;
  config: Pick<ConfigView, 'eventType'>;
}

export class EventReads {
  private readonly deps: HistoryReadDeps;

  constructor(deps: HistoryReadDeps) {
    this.deps = deps;
  }

  /** Returns the event as JSON text, with `data` byte for byte as it was published. */
  async getJson(lifeId: string, eventId: string): Promise<string> {
    const event = await this.find(lifeId, eventId);
    const counts = await this.deps.history.deliveries
      .aggregate<{ _id: string; count: number }>([
        { $match: { tenant: lifeId, event: eventId } },
        { $group: { _id: '$state.status', count: { $sum: 1 } } },
        { $sort: { _id: 1 } },
      ])
      .toArray();
    const deliveries = Object.fromEntries(counts.map(({ _id, count }) => [_id, count]));
    const hidden = this.deps.config.eventType(event.type ?? '')?.sensitive === true;
    const head = JSON.stringify({ ...summarizeEvent(event), data_hidden: hidden, deliveries });
    return hidden ? head : `${head.slice(0, -1)}${dataMember(event)}}`;
  }

  /** @throws PosthornError POSTHORN_RESOURCE_UNKNOWN */
  async find(lifeId: string, eventId: string): Promise<EventDocument> {
    const event = await this.deps.history.events.findOne({ _id: eventKey(lifeId, eventId) });
    if (event !== null && event.seq !== undefined) return event;
    throw notFound(
      'event',
      eventId,
      'an event appears within a second, and expires after POSTHORN_HISTORY_RETENTION_SECONDS',
    );
  }
}

/**
 * Returns `data` as it is stored: JSON text is inserted as it is, so that numbers keep all their
 * digits.
 */
export function dataMember({
  kind,
  data,
  no_data: noData,
  payload,
}: Pick<EventDocument, 'kind' | 'data' | 'no_data' | 'payload'>): string {
  if (data === undefined || noData === true || payload !== undefined) return '';
  switch (kind) {
    case 'binary':
      return `,"data_base64":${JSON.stringify(data)}`;
    case 'text':
      return `,"data":${JSON.stringify(data)}`;
    case 'json':
    case undefined:
      return `,"data":${data}`;
    default:
      return kind satisfies never;
  }
}

/** Returns the payload's facts without its key: the payload is read through its event. */
export function toPayloadResource(payload: PayloadRef | undefined): PayloadFacts | null {
  return payload === undefined ? null : { size: payload.size, sha256: payload.sha256 };
}

function statusOf(routed: number | undefined): EventStatus {
  if (routed === undefined) return 'accepted';
  return routed === 0 ? 'unmatched' : 'matched';
}

/** Returns an event as lists show it. */
export function summarizeEvent(event: EventDocument): EventSummary {
  return {
    tenant_id: tenantIdOf(event.tenant),
    id: event.id,
    status: statusOf(event.routed),
    producer_id: event.producer_id ?? event.id,
    event_type: event.type ?? '',
    source: event.source ?? '',
    time: event.time ?? event.accepted_at.toISOString(),
    subject: event.subject ?? null,
    dataschema: event.dataschema ?? null,
    content_type: event.content_type ?? null,
    extensions: event.ext ?? {},
    accepted_at: event.accepted_at.toISOString(),
    correlation_id: event.correlation_id ?? null,
    payload: toPayloadResource(event.payload),
    matched_endpoint_count: event.routed ?? null,
  };
}
