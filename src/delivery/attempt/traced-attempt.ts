import { type Span, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { tenantIdOf } from '#domain/tenant.ts';
import type { SendResult } from '#infra/http/client/sender.ts';
import { type Tracing, traceparentOf } from '#infra/telemetry/tracing.ts';
import type { EventHead } from '#wire/frames/event-frame.ts';
import type { EndpointTarget } from './endpoint-target.ts';
import type { InFlightDelivery } from '../intake/in-flight-delivery.ts';

/** @param traceparent the trace context that the receiver may get */
type Send = (traceparent: string | undefined) => Promise<SendResult>;

/**
 * Makes one attempt under a client span (semantic conventions for HTTP). Its parent is the
 * fan-out's span, or the publication's if that is unknown; a retry links to the previous attempt.
 * The URL's path and query are left out, because many receivers treat them as secrets.
 */
export async function tracedAttempt(
  tracing: Tracing | undefined,
  delivery: InFlightDelivery,
  event: EventHead,
  target: EndpointTarget,
  send: Send,
): Promise<SendResult> {
  const parent = delivery.head.trace ?? event.trace;
  const { previous } = delivery.head;
  const span = tracing?.follow(parent, () => ({
    name: 'POST',
    kind: SpanKind.CLIENT,
    links: previous === undefined ? [] : [previous],
    attributes: attributesOf(delivery, event, target),
  }));
  if (span === undefined) return send(parent);
  // The delivery's next attempt, at any worker, links to this span.
  delivery.head.previous = traceparentOf(span);
  try {
    const result = await send(traceparentOf(span));
    recordOutcome(span, result);
    return result;
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR });
    span.setAttribute('error.type', (error as Error).name);
    throw error;
  } finally {
    span.end();
  }
}

function attributesOf(delivery: InFlightDelivery, event: EventHead, target: EndpointTarget) {
  const { protocol, hostname, port } = target.url;
  return {
    'http.request.method': 'POST',
    'http.request.resend_count': delivery.head.attemptNo - 1,
    'server.address': hostname,
    'server.port': port,
    'url.scheme': protocol.slice(0, -1),
    'posthorn.tenant.id': tenantIdOf(delivery.tenant),
    'posthorn.endpoint.id': delivery.endpoint,
    'posthorn.delivery.id': delivery.head.id,
    'posthorn.event.id': event.id,
    'posthorn.event.type': event.type,
    'posthorn.attempt': delivery.head.attemptNo,
  };
}

function recordOutcome(span: Span, { outcome }: SendResult): void {
  if (outcome.status !== undefined) span.setAttribute('http.response.status_code', outcome.status);
  if (outcome.ok) return;
  const isStatus = outcome.status !== undefined;
  span.setAttribute('error.type', isStatus ? String(outcome.status) : outcome.kind);
  span.setStatus({ code: SpanStatusCode.ERROR });
}
