import { parseKeyPairsIntoRecord } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { Tracing } from './tracing.ts';

/**
 * Sends spans by OTLP over HTTP, in batches. At most 2,048 spans wait; more are dropped, so an
 * unavailable collector costs neither memory nor time. The exporter's own environment variables
 * (`OTEL_EXPORTER_OTLP_HEADERS`, `…_TIMEOUT`, `…_COMPRESSION`) apply.
 *
 * @param endpoint base URL of the collector
 * @param headers `name=value,…`, percent-encoded, as in `OTEL_EXPORTER_OTLP_HEADERS`
 */
export function startOtlp(options: {
  endpoint: string;
  headers: string | undefined;
  samplePercent: number;
  roles: string;
}): Tracing {
  const { endpoint, samplePercent, roles } = options;
  const headers = parseKeyPairsIntoRecord(options.headers);
  const url = `${endpoint.replace(/\/+$/, '')}/v1/traces`;
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'posthorn', 'posthorn.roles': roles }),
    // A span without a parent was sampled before it was created.
    sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new OTLPTraceExporter({ url, headers }),
        maxQueueSize: 2048,
        scheduledDelayMillis: 1000,
      }),
    ],
  });
  const tracer = provider.getTracer('posthorn');
  return new Tracing(tracer, samplePercent / 100, () => provider.shutdown());
}
