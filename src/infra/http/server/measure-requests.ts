import type { FastifyInstance } from 'fastify';
import { Histogram, type Registry } from 'prom-client';
import type { Clock } from '#domain/clock.ts';

/** Publishing takes milliseconds, and a request is answered within its time limit of seconds. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** By the first digit of the status. */
const CLASSES = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'];

/**
 * Measures each request of the API, from the end of its head to the end of its answer, by route
 * pattern and class of status (`http.server.request.duration` of OpenTelemetry's semantic
 * conventions). Labels are bounded: requests without a route share one series for all paths
 * and methods. Requests that Node refuses while it parses their head are not measured, nor are
 * streams.
 */
export function measureRequests(app: FastifyInstance, registry: Registry, clock: Clock): void {
  const duration = new Histogram({
    name: 'posthorn_http_request_duration_seconds',
    help: 'Duration of API requests, by route and class of status.',
    labelNames: ['method', 'route', 'status_class'],
    buckets: SECONDS,
    registers: [registry],
  });
  app.addHook('onRequest', (request, { raw }, done) => {
    const startedMs = clock.monotonicMs();
    // Emitted once, also if the client disconnects before the answer.
    raw.on('close', () => {
      // A stream lasts for as long as its client wants it.
      if (raw.getHeader('content-type') === 'text/event-stream') return;
      const { url: route = 'none' } = request.routeOptions;
      const method = route === 'none' ? 'none' : request.method;
      const status_class = classOf(raw.writableEnded ? raw.statusCode : undefined);
      duration.observe({ method, route, status_class }, (clock.monotonicMs() - startedMs) / 1000);
    });
    done();
  });
}

/** @param status undefined if the client disconnected before the answer */
function classOf(status: number | undefined): string {
  return CLASSES[Math.floor((status ?? 0) / 100)] ?? 'none';
}
