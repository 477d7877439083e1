import { type Span, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { PosthornError } from '#domain/errors.ts';
import { type Tracing, traceparentOf } from '#infra/telemetry/tracing.ts';
import type { EventHead } from '#wire/frames/event-frame.ts';
import { parseTraceparent, normalizeTraceparent } from '#wire/frames/trace-context.ts';

const EVENTS = { name: 'events', template: 'ev.{partition}.{tenant}.{type}' };
const BROADCASTS = { name: 'broadcasts', template: 'bc.event.{id}' };

/**
 * Writes the event's trace context into its head (`head.trace`): the producer's own (the
 * CloudEvents extension `traceparent`), else that of the request.
 *
 * @param tenant absent: the event goes to all tenants
 * @param request `traceparent` of the request; absent: the request is not traced
 * @returns the span of the publication, if it is traced and sampled
 */
export function tracePublication(
  tracing: Tracing | undefined,
  tenant: string | undefined,
  head: EventHead,
  request: string | undefined,
): Span | undefined {
  const given = head.ext?.['traceparent'];
  const own = typeof given === 'string' ? normalizeTraceparent(given) : undefined;
  const parent = own !== undefined && !isOneTrace(own, request) ? own : (request ?? own);
  const { name, template } = tenant === undefined ? BROADCASTS : EVENTS;
  const describe = () => ({
    name: `publish ${name}`,
    kind: SpanKind.PRODUCER,
    // An event with its own trace links to the trace of its request.
    links: request !== undefined && parent !== request ? [request] : [],
    attributes: {
      'messaging.system': 'nats',
      'messaging.operation.name': 'publish',
      'messaging.operation.type': 'send',
      'messaging.destination.name': name,
      'messaging.destination.template': template,
      'messaging.message.id': head.id,
      'messaging.message.conversation_id': head.correlationId,
      ...(tenant === undefined ? {} : { 'posthorn.tenant.id': tenant }),
      'posthorn.event.type': head.type,
    },
  });
  if (tracing === undefined) {
    if (parent !== undefined) head.trace = parent;
    return undefined;
  }
  // An unsampled context is left out: it would only make each frame longer.
  const span = tracing.follow(parent, describe);
  if (span === undefined) return undefined;
  head.trace = traceparentOf(span);
  return span;
}

/** Ends the span, with the error's code if the event was not stored. */
export function endPublication(span: Span, error: PosthornError | undefined): void {
  if (error !== undefined) {
    span.setAttribute('error.type', error.code);
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}

function isOneTrace(a: string, b: string | undefined): boolean {
  return b !== undefined && parseTraceparent(a).traceId === parseTraceparent(b).traceId;
}
