import type { Role } from '#config/schema.ts';
import type { TracingSettings } from '#config/sections.ts';
import type { Tracing } from './tracing.ts';

/** Loads the SDK only if spans are to be sent. */
export async function startTracing(
  { endpoint, headers, samplePercent }: TracingSettings,
  roles: readonly Role[],
): Promise<Tracing | undefined> {
  if (endpoint === undefined) return undefined;
  const { startOtlp } = await import('./otlp.ts');
  return startOtlp({ endpoint, headers, samplePercent, roles: roles.join(',') });
}
