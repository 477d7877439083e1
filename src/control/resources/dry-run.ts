import { explainSelection } from '#domain/event/explain-match.ts';
import { tenantSource } from '#domain/event/event-id.ts';
import { filterDataFields } from '#domain/filter/needs-data.ts';
import type { JsonMember } from '#infra/http/server/body/parse-json-bodies.ts';
import type { DryRunResult, DryRunSelection } from '#wire/api/subscription.ts';
import { encodeEventFrame } from '#wire/frames/event-frame.ts';
import { eventForFilter } from '#wire/published/event-for-filter.ts';
import { checkFrameSize, eventHead } from '#wire/published/event-head.ts';
import { readEvent } from '#wire/published/read-event.ts';
import { checkFilter } from './subscription-filter.ts';

/** The body of a dry run, with the event as it was sent. */
export interface DryRunRequest extends DryRunSelection {
  event: JsonMember;
}

/** What ingress would know when it accepts the event. */
export interface DryRunContext {
  tenantId: string;
  correlationId: string;
  eventBytesMax: number;
  /** Milliseconds since 1970. */
  nowMs: number;
}

/**
 * Tells whether a subscription would match an event (CT-3). Reads the sample by the code that reads
 * published events, gives it the same defaults, and presents it to the filter as the router does.
 *
 * @throws PosthornError POSTHORN_FILTER_INVALID, POSTHORN_EVENT_INVALID with pointers below
 *   `/event`, POSTHORN_EVENT_TOO_LARGE
 */
export function dryRunSubscription(body: DryRunRequest, context: DryRunContext): DryRunResult {
  const { tenantId, nowMs: acceptedMs, correlationId } = context;
  const { event_types: eventTypes = ['*'], event } = body;
  const stored = checkFilter(body.filter);
  const filter =
    stored === null ? undefined : (JSON.parse(stored) as NonNullable<typeof body.filter>);
  const input = readEvent(event.bytes, event.node, '/event/');
  const head = eventHead(input, { source: tenantSource(tenantId), acceptedMs, correlationId });
  const { data } = input;
  checkFrameSize(encodeEventFrame(head, data), context.eventBytesMax);
  const fields = () => (filter === undefined ? new Set<string>() : filterDataFields(filter));
  const seen = eventForFilter({ head, data }, fields);
  const reason = explainSelection({ eventTypes, filter }, head.type, seen);
  return { matched: reason === 'matched', reason };
}
