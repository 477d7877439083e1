import { type Span, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { Msg } from '@nats-io/nats-core';
import type { PosthornError } from '#domain/errors.ts';
import type { Tracing } from '#infra/telemetry/tracing.ts';
import { saneTraceparent } from '#wire/frames/trace-context.ts';

/**
 * A server span for a request over NATS, the twin of that for one over HTTP (semantic conventions for messaging: what
 * takes a message and works on it is `process`; who waits for its answer makes us a server).
 *
 * @param id correlation id
 * @returns undefined without tracing: the producer's own context is passed on then
 */
export function startNatsRequestSpan(
  tracing: Tracing | undefined,
  { headers, data }: Pick<Msg, 'headers' | 'data'>,
  id: string,
): Span | undefined {
  return tracing?.begin(saneTraceparent(headers?.get('traceparent')), () => ({
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

/** @param error what the producer was answered with, if it was refused */
export function endNatsRequestSpan(span: Span, error: PosthornError | undefined): void {
  if (error !== undefined) {
    span.setAttribute('error.type', error.code);
    // As over HTTP: what the producer did wrong is no fault of the server.
    if (error.status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}
