import type { Settings } from '#config/schema.ts';
import type { Tracing } from './tracing.ts';

/** Loads the SDK only where spans are to be sent. */
export async function startTracing(settings: Settings): Promise<Tracing | undefined> {
  const endpoint = settings.POSTHORN_OTLP_ENDPOINT;
  if (endpoint === undefined) return undefined;
  const { startOtlp } = await import('./otlp.ts');
  return startOtlp({
    endpoint,
    headers: settings.POSTHORN_OTLP_HEADERS,
    samplePercent: settings.POSTHORN_TRACE_SAMPLE_PERCENT,
    roles: settings.POSTHORN_ROLES,
  });
}
