import type { Registry } from 'prom-client';

/** The sum of a metric over all sets of labels that have at least these; 0 if there is none. */
export async function metricValue(
  registry: Registry,
  name: string,
  labels: Record<string, string> = {},
): Promise<number> {
  const metric = await registry.getSingleMetric(name)?.get();
  const values = metric?.values ?? [];
  return values
    .filter((value) => Object.entries(labels).every(([k, v]) => value.labels[k] === v))
    .reduce((sum, { value }) => sum + value, 0);
}
