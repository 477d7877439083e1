import { explainSelection } from '#domain/event/explain-match.ts';
import { OPERATIONAL_SOURCE, tenantSource } from '#domain/event/event-id.ts';
import { selectorMatches } from '#domain/event/event-type.ts';
import { filterDataFields } from '#domain/filter/needs-data.ts';
import type { JsonMember } from '#infra/http/server/body/parse-json-bodies.ts';
import type { TenantSnapshot } from '#wire/config-snapshot.ts';
import type { Admission } from '#wire/published/admission.ts';
import type { DryRunResult, DryRunSelection } from '#wire/api/subscription.ts';
import { encodeEventFrame, type EventHead } from '#wire/frames/event-frame.ts';
import { operationalEventData } from '#wire/openapi/operational-events.ts';
import { eventForFilter } from '#wire/published/event-for-filter.ts';
import { checkFrameSize, eventHead } from '#wire/published/event-head.ts';
import { readEvent } from '#wire/published/read-event.ts';
import { checkFilter } from './subscription-filter.ts';

/** The body of a dry run, with the event as it was sent. */
export interface DryRunRequest extends DryRunSelection {
  event: JsonMember;
}

/** JSON pointer of the sample, with the slash after it. */
const AT = '/event/';

/** What ingress would know when it accepts the event. */
export interface DryRunContext {
  admission: Admission;
  tenant: Pick<TenantSnapshot, 'id' | 'eventTypePolicy'>;
  correlationId: string;
  eventBytesMax: number;
  /** Milliseconds since 1970. */
  nowMs: number;
}

/**
 * Evaluates whether a subscription would match an event (CT-3). Reads and admits the sample by the
 * code that reads and admits published events, gives it the same defaults, and presents it to the
 * filter as the router does. An operational event is a sample for subscriptions that name its type.
 *
 * @throws PosthornError POSTHORN_FILTER_INVALID; the refusals of publishing with pointers below
 *   `/event`; POSTHORN_DATA_NOT_CHECKED, POSTHORN_OVERLOADED
 */
export async function dryRunSubscription(
  body: DryRunRequest,
  context: DryRunContext,
): Promise<DryRunResult> {
  const { event_types: eventTypes = ['*'], event } = body;
  const stored = checkFilter(body.filter);
  const filter =
    stored === null ? undefined : (JSON.parse(stored) as NonNullable<typeof body.filter>);
  // Producers cannot publish these; the platform does, without asking the registry.
  const { head, data } = await admitSample(event, context, (type) =>
    isOperationalSample(type, eventTypes),
  );
  const fields = () => (filter === undefined ? new Set<string>() : filterDataFields(filter));
  const seen = eventForFilter({ head, data }, fields);
  const reason = explainSelection({ eventTypes, filter }, head.type, seen);
  return { matched: reason === 'matched', reason };
}

/**
 * Reads and admits a sample as publishing would, and gives it the same defaults.
 *
 * @param isOperational whether a type is one of the platform's own, which no registry admits
 * @throws PosthornError the refusals of publishing with pointers below `/event`;
 *   POSTHORN_DATA_NOT_CHECKED, POSTHORN_OVERLOADED
 */
export async function admitSample(
  event: JsonMember,
  { tenant, admission, eventBytesMax, nowMs: acceptedMs, correlationId }: DryRunContext,
  isOperational: (type: string) => boolean = () => false,
): Promise<{ head: EventHead; data: Buffer | string }> {
  const input = readEvent(event.bytes, event.node, AT);
  const isOurs = isOperational(input.type);
  const priority = isOurs ? input.priority : await admission.admit(tenant.id, tenant, input, AT);
  const source = isOurs ? OPERATIONAL_SOURCE : tenantSource(tenant.id);
  const head = eventHead(input, { source, acceptedMs, correlationId });
  // It counts for the size.
  if (priority === 'high') head.priority = priority;
  const { data } = input;
  checkFrameSize(encodeEventFrame(head, data), eventBytesMax);
  return { head, data };
}

function isOperationalSample(type: string, eventTypes: readonly string[]): boolean {
  const isKnown = Object.hasOwn(operationalEventData, type);
  return isKnown && eventTypes.some((selector) => selectorMatches(selector, type));
}
