import { type Span, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { Msg } from '@nats-io/nats-core';
import type { PosthornError } from '#domain/errors.ts';
import type { Tracing } from '#infra/telemetry/tracing.ts';
import { normalizeTraceparent } from '#wire/frames/trace-context.ts';

/**
 * Starts a server span for a request over NATS, as over HTTP (semantic conventions for messaging:
 * the operation is `process`; the kind is server, as the producer waits for the answer).
 *
 * @param id correlation id
 * @returns undefined without tracing: the producer's own context is then passed on
 */
export function startNatsRequestSpan(
  tracing: Tracing | undefined,
  { headers, data }: Pick<Msg, 'headers' | 'data'>,
  id: string,
): Span | undefined {
  return tracing?.begin(normalizeTraceparent(headers?.get('traceparent')), () => ({
    name: 'process in.{tenant}.{type}',
    kind: SpanKind.SERVER,
    attributes: {
      'messaging.system': 'nats',
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.template': 'in.{tenant}.{type}',
      'messaging.message.body.size': data.length,
      'posthorn.request.id': id,
    },
  }));
}

/** @param error the producer's answer, if the event was rejected */
export function endNatsRequestSpan(span: Span, error: PosthornError | undefined): void {
  if (error !== undefined) {
    span.setAttribute('error.type', error.code);
    // As over HTTP: a producer's mistake is not an error of the server.
    if (error.status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}
