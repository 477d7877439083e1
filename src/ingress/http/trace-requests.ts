import { type Span, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Tracing, traceparentOf } from '#infra/telemetry/tracing.ts';
import { normalizeTraceparent } from '#wire/frames/trace-context.ts';

/** Returns the `traceparent` for the work that a request causes. */
export type RequestTrace = (request: FastifyRequest) => string | undefined;

/**
 * Starts a server span for each request of the routes in `scope` (semantic conventions for HTTP,
 * 1.23 and later). Without tracing, passes on the producer's own context.
 */
export function traceRequests(scope: FastifyInstance, tracing: Tracing | undefined): RequestTrace {
  if (tracing === undefined)
    return (request) => normalizeTraceparent(request.headers['traceparent']);
  const spans = new WeakMap<FastifyRequest, Span>();
  const end = (request: FastifyRequest, status: number | undefined): void => {
    const span = spans.get(request);
    if (span === undefined) return;
    if (status !== undefined) span.setAttribute('http.response.status_code', status);
    if (status === undefined || status >= 500) {
      span.setAttribute('error.type', status === undefined ? 'aborted' : String(status));
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    span.end();
  };
  scope.addHook('onRequest', (request, _reply, done) => {
    const span = tracing.begin(normalizeTraceparent(request.headers['traceparent']), () => {
      const route = request.routeOptions.url ?? '';
      return {
        name: `${request.method} ${route}`,
        kind: SpanKind.SERVER,
        attributes: {
          'http.request.method': request.method,
          'http.route': route,
          'url.path': request.url.split('?', 1)[0],
          'url.scheme': request.protocol,
          'posthorn.request.id': request.id,
        },
      };
    });
    if (span !== undefined) spans.set(request, span);
    done();
  });
  scope.addHook('onResponse', (request, reply, done) => {
    end(request, reply.statusCode);
    done();
  });
  scope.addHook('onRequestAbort', (request, done) => {
    end(request, undefined);
    done();
  });
  return (request) => {
    const span = spans.get(request);
    return span === undefined ? undefined : traceparentOf(span);
  };
}
