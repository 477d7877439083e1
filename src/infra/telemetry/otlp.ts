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
 * Sends spans by OTLP over HTTP, in batches. At most 2,048 wait; more are dropped, so a collector that is away
 * costs neither memory nor time. What the exporter reads of the environment by itself (`OTEL_EXPORTER_OTLP_HEADERS`,
 * `…_TIMEOUT`, `…_COMPRESSION`) holds.
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
    // What has no parent was chosen before it became a span.
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
