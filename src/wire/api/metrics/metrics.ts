/** Schemas of the metrics (CT-7). */
import { type Static, type TSchema, Type } from 'typebox';
import { limits } from '#domain/limits.ts';
import { granularities } from '#domain/metrics/granularity.ts';
import { type MetricKind, measuresOf } from '#domain/metrics/measures.ts';
import { attemptFailureKinds } from '#domain/outcome/delivery.ts';
import { eventTypeName, nullable, resourceId, strict, tenantId, timestamp } from '../fields.ts';
import { deliveryStatus } from '../delivery.ts';
import { eventStatus } from '../event.ts';
import { filterBy } from '../page.ts';
import { named } from '#wire/openapi/describe.ts';

export const responseClasses = ['1xx', '2xx', '3xx', '4xx', '5xx', 'none'] as const;
const queueStatuses = ['pending', 'held'] as const;
const countedFailures = [...attemptFailureKinds, 'none'] as const;

/** The dimensions that groups are formed by, of each kind. */
export const dimensionsOf = {
  events: ['tenant_id', 'event_type', 'status'],
  deliveries: ['tenant_id', 'endpoint_id', 'event_type', 'status'],
  attempts: ['tenant_id', 'endpoint_id', 'event_type', 'response_class', 'failure'],
  queue: ['tenant_id', 'endpoint_id', 'event_type', 'status'],
} as const satisfies Record<MetricKind, readonly string[]>;
export type ApiDimension = (typeof dimensionsOf)[MetricKind][number];

/** Schemas of the dimension `status`; attempts have none. */
const statusOf: Record<MetricKind, TSchema> = {
  events: eventStatus,
  deliveries: deliveryStatus,
  queue: named('QueueStatus', Type.Enum(queueStatuses, { examples: ['pending'] }), {
    description: 'Status of a delivery that waits.',
  }),
  attempts: Type.Never(),
};

export const granularity = named('MetricGranularity', Type.Enum(granularities), {
  description:
    'Width of the time buckets, aligned to UTC. Minutes are kept for 2 days, hours for 90 days, days for 2 years; 5m and 15m are added up from minutes, 6h from hours.',
  examples: ['1h'],
});

const endpointId = resourceId('an endpoint', 'ep');

const words = (description: string, example: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 400, description, examples: [example] }));

function wordList(list: readonly string[]): string {
  return list.map((word) => `\`${word}\``).join(', ');
}

const rangeFields = (kind: MetricKind) => ({
  start: Type.Optional(
    timestamp(
      `Begin of the range, moved back to the begin of a bucket. Default: ${kind === 'queue' ? '30 days' : '24 hours'} before \`end\``,
    ),
  ),
  end: Type.Optional(
    timestamp('End of the range, exclusive, moved on to the end of a bucket. Default: now'),
  ),
  granularity: Type.Optional(granularity),
  measures: words(
    `Measures, separated by commas: ${wordList(measuresOf[kind])}. Default: all.`,
    measuresOf[kind].slice(0, 2).join(','),
  ),
});

const responseClass = named(
  'CountedResponseClass',
  Type.Enum(responseClasses, { examples: ['5xx'] }),
  {
    description: 'First digit of the HTTP status. `none`: there was no response.',
  },
);
const countedFailure = named(
  'CountedFailure',
  Type.Enum(countedFailures, { examples: ['timeout'] }),
  { description: 'Why the attempt failed. `none`: it succeeded.' },
);

const filters: Record<string, TSchema> = {
  tenant_id: filterBy(tenantId),
  endpoint_id: filterBy(endpointId),
  event_type: filterBy(eventTypeName),
  response_class: filterBy(responseClass),
  failure: filterBy(countedFailure),
};

/** @param ofTenant of the route of one tenant, which has no dimension `tenant_id` */
function metricsQuery(kind: MetricKind, ofTenant: boolean) {
  const names = dimensionsOf[kind].filter((name) => !ofTenant || name !== 'tenant_id');
  const filterFields = names.map((name) => [
    name,
    name === 'status' ? filterBy(statusOf[kind]) : filters[name],
  ]);
  const fields = {
    ...rangeFields(kind),
    dimensions: words(
      `Dimensions that the figures are grouped by, separated by commas: ${wordList(names)}. Default: none.` +
        (ofTenant ? '' : ' `endpoint_id` and `event_type` need the filter `tenant_id`.'),
      names[1] ?? '',
    ),
    ...(Object.fromEntries(filterFields) as Record<string, TSchema>),
  };
  // Of all kinds: a field that a kind does not have is rejected by its schema.
  return Type.Unsafe<MetricsQuery>(Type.Object(fields, strict));
}

export interface MetricsQuery {
  start?: string;
  end?: string;
  granularity?: (typeof granularities)[number];
  measures?: string;
  dimensions?: string;
  tenant_id?: string[];
  endpoint_id?: string[];
  event_type?: string[];
  status?: string[];
  response_class?: string[];
  failure?: string[];
}

/** The query of each kind, for the route of all tenants and for that of one. */
export const metricsQueries = {
  events: [metricsQuery('events', false), metricsQuery('events', true)],
  deliveries: [metricsQuery('deliveries', false), metricsQuery('deliveries', true)],
  attempts: [metricsQuery('attempts', false), metricsQuery('attempts', true)],
  queue: [metricsQuery('queue', false), metricsQuery('queue', true)],
} as const;

const names: Record<MetricKind, string> = {
  events: 'Event',
  deliveries: 'Delivery',
  attempts: 'Attempt',
  queue: 'Queue',
};

const notes: Partial<Record<string, string>> = {
  count: 'Number of items in the group.',
  accepted_count: 'Events that are not routed yet.',
  error_rate:
    'Share of failures, 0 to 1: of deliveries that were delivered or failed, or of attempts. Null: there were none.',
  first_attempt_rate: 'Share of the delivered ones that needed one attempt. Null: there were none.',
  avg_attempts:
    'Attempts for each delivery that was delivered, failed or cancelled. Null: there were none.',
  retry_count: 'Attempts that were not the first of their delivery.',
  oldest_pending_seconds:
    'Age of the oldest event with a pending delivery, in seconds. Null: none.',
  oldest_held_seconds: 'Age of the oldest event with a held delivery, in seconds. Null: none.',
};

function noteOf(kind: MetricKind, measure: string): string {
  const [, share] = /^latency_p(\d+)_ms$/.exec(measure) ?? [];
  if (share !== undefined) {
    const what =
      kind === 'attempts'
        ? 'duration of the attempts'
        : 'time from the acceptance of the event to the start of the attempt that delivered it';
    return `${share}th percentile of the ${what}, in milliseconds, at most 2 % from the true value. Null: there were none.`;
  }
  return notes[measure] ?? `Number with this result: ${measure.replace(/_count$/, '')}.`;
}

function valuesOf(kind: MetricKind) {
  const fields = measuresOf[kind].map((measure) => {
    const facts = { description: noteOf(kind, measure), examples: [exampleOf(measure)] };
    const isCount = measure.endsWith('count');
    return [measure, Type.Optional(isCount ? Type.Integer(facts) : nullable(Type.Number(facts)))];
  });
  return named(
    `${names[kind]}MetricValues`,
    Type.Object(Object.fromEntries(fields) as Record<string, TSchema>),
    { description: 'The requested measures.' },
  );
}

function exampleOf(measure: string): number {
  if (measure.endsWith('rate')) return 0.02;
  return measure === 'avg_attempts' ? 1.1 : 12;
}

const groupFields = {
  tenant_id: Type.Optional(nullable(tenantId)),
  endpoint_id: Type.Optional(nullable(endpointId)),
  event_type: Type.Optional(nullable(eventTypeName)),
  status: Type.Optional(Type.String({ description: 'Status.', examples: ['delivered'] })),
  response_class: Type.Optional(responseClass),
  failure: Type.Optional(countedFailure),
};
const group = named('MetricGroup', Type.Object(groupFields), {
  description: `Values of the requested dimensions. Null: all others together. Beyond ${limits.metricGroupsPerMinuteMax} combinations of endpoint and event type in a minute, or ${limits.metricGroupsMax} in an hour or a day, those with the lowest counts are added up.`,
  examples: [{ endpoint_id: 'ep_01k3v9h2c8m4n6p8q0r2s4t6v8' }],
});

function metricsAnswer(kind: MetricKind) {
  return named(
    `${names[kind]}Metrics`,
    Type.Object({
      start: timestamp('Begin of the range'),
      end: timestamp('End of the range, exclusive'),
      granularity: nullable(granularity),
      data: Type.Array(
        named(
          `${names[kind]}MetricPoint`,
          Type.Object({
            start: timestamp('Begin of the bucket; without a granularity that of the range'),
            group,
            values: valuesOf(kind),
          }),
          { description: 'The figures of one group in one bucket.' },
        ),
        {
          description:
            'By time, then group. Without dimensions every bucket is present, else those with figures.',
        },
      ),
      pending_cell_count: Type.Integer({
        description:
          'Stored cells of the range that are to be computed again, because they are open or newer records came. 0: the figures are exact.',
        examples: [0],
      }),
    }),
    { description: 'Figures over time.' },
  );
}

export const metricsAnswers = {
  events: metricsAnswer('events'),
  deliveries: metricsAnswer('deliveries'),
  attempts: metricsAnswer('attempts'),
  queue: metricsAnswer('queue'),
} as const;
export type MetricsAnswer = Static<ReturnType<typeof metricsAnswer>>;
