import type { MetricKind } from '#domain/metrics/measures.ts';
import { metricsAnswers, metricsQueries } from '#wire/api/metrics/metrics.ts';
import { problemAnswers } from '#wire/api/problem.ts';
import { tenantParams } from '#wire/api/tenant.ts';
import type { CurrentLives } from '../lives/current-lives.ts';
import type { Api } from '../routes/access.ts';
import type { MetricReads } from './metric-reads.ts';

const tags = ['Metrics'];

interface KindTexts {
  /** In operation ids. */
  name: string;
  subject: string;
  description: string;
}

const texts: Record<MetricKind, KindTexts> = {
  events: {
    name: 'Event',
    subject: 'events over time',
    description: 'Counts events in the bucket in which they were accepted.',
  },
  deliveries: {
    name: 'Delivery',
    subject: 'deliveries over time',
    description:
      'Counts deliveries by their present status, in the bucket in which their event was accepted. So each figure is the count of the list of deliveries with the same filters, and changes as retries succeed.',
  },
  attempts: {
    name: 'Attempt',
    subject: 'attempts over time',
    description: 'Counts attempts in the bucket in which they began.',
  },
  queue: {
    name: 'Queue',
    subject: 'deliveries that wait',
    description:
      'Counts pending and held deliveries, in the bucket in which their event was accepted, and shows the age of the oldest.',
  },
};

const EXACTNESS =
  ' Read from stored cells, which are exact within a minute of the last record; `pending_cell_count` tells how many are not.';

/** Routes for metrics (CT-7): of all tenants for operators, and of one tenant. */
export function registerMetricRoutes(
  api: Api,
  { lives, metrics }: { lives: CurrentLives; metrics: MetricReads },
): void {
  for (const kind of ['events', 'deliveries', 'attempts', 'queue'] as const) {
    const { name, subject, description } = texts[kind];
    const [ofAll, ofTenant] = metricsQueries[kind];
    const response = { 200: metricsAnswers[kind], ...problemAnswers };
    api.get(
      `/v1/metrics/${kind}`,
      {
        config: { access: 'platform' },
        schema: {
          operationId: `get${name}Metrics`,
          summary: `Count the ${subject}, of all tenants`,
          description: description + EXACTNESS,
          tags,
          querystring: ofAll,
          response,
        },
      },
      async ({ query }) => metrics.ofAll(kind, query),
    );
    api.get(
      `/v1/tenants/:tenant/metrics/${kind}`,
      {
        config: { access: 'read' },
        schema: {
          operationId: `getTenant${name}Metrics`,
          summary: `Count the ${subject}, of one tenant`,
          description: description + EXACTNESS,
          tags,
          params: tenantParams,
          querystring: ofTenant,
          response,
        },
      },
      async ({ params, query }) => metrics.ofTenant(await lives.of(params.tenant), kind, query),
    );
  }
}
