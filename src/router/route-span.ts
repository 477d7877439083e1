import { type Span, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { tenantIdOf } from '#domain/tenant.ts';
import type { Tracing } from '#infra/telemetry/tracing.ts';
import type { EventHead } from '#wire/frames/event-frame.ts';

/** Starts the span of an event's fan-out; undefined if the event has no sampled trace. */
export function startRouteSpan(
  tracing: Tracing | undefined,
  tenant: string,
  head: EventHead,
): Span | undefined {
  return tracing?.follow(head.trace, () => ({
    name: 'process events',
    kind: SpanKind.CONSUMER,
    attributes: {
      'messaging.system': 'nats',
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.name': 'events',
      'messaging.destination.template': 'ev.{partition}.{tenant}.{type}',
      'messaging.message.id': head.id,
      'messaging.message.conversation_id': head.correlationId,
      'posthorn.tenant.id': tenantIdOf(tenant),
      'posthorn.event.type': head.type,
    },
  }));
}

/** @param failed the event will be redelivered */
export function endRouteSpan(span: Span, deliveries: number, failed: boolean): void {
  span.setAttribute('posthorn.deliveries', deliveries);
  if (failed) span.setStatus({ code: SpanStatusCode.ERROR, message: 'not stored' });
  span.end();
}
