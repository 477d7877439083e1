/** Documents of the history in the form of the API's lists. */
import { tenantIdOf } from '#domain/tenant.ts';
import type { EventDocument } from '#infra/mongo/documents.ts';
import type { AttemptDocument } from '#infra/mongo/history/attempts.ts';
import type { AttemptSummary } from '#wire/api/search/attempt-list.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import { hideResponse } from '../history/attempt-reads.ts';
import { dataMember, summarizeEvent } from '../history/event-reads.ts';

export function summarizeAttempt(attempt: AttemptDocument): AttemptSummary {
  const { failure } = attempt;
  return {
    id: attempt._id,
    tenant_id: tenantIdOf(attempt.tenant),
    delivery_id: attempt.delivery,
    event_id: attempt.event,
    event_type: attempt.type,
    endpoint_id: attempt.endpoint,
    status: failure === undefined ? 'succeeded' : 'failed',
    number: attempt.no,
    started_at: attempt.started_at.toISOString(),
    duration_ms: attempt.duration_ms,
    response_status: attempt.response_status ?? null,
    failure: failure ?? null,
    detail: attempt.detail ?? null,
    repeated_at: attempt.repeated_at?.toISOString() ?? null,
    worker: attempt.worker,
  };
}

/** Returns an attempt with its response, unless its event type is sensitive. */
export function showAttempt(config: Pick<ConfigView, 'eventType'>, attempt: AttemptDocument) {
  const shown = {
    ...summarizeAttempt(attempt),
    response_headers: attempt.response_headers ?? {},
    response_body: attempt.response_body ?? null,
    response_body_encoding: attempt.response_body_encoding ?? null,
  };
  return config.eventType(attempt.type)?.sensitive === true ? hideResponse(shown) : shown;
}

/** Returns an event as JSON text, with its data byte for byte as it was published. */
export function eventJson(event: EventDocument, isHidden: boolean): string {
  const head = JSON.stringify({ ...summarizeEvent(event), data_hidden: isHidden });
  return isHidden ? head : `${head.slice(0, -1)}${dataMember(event)}}`;
}
