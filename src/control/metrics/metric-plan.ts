/** Checks a query for metrics, and decides which stored cells answer it. */
import { type FieldError, PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import {
  type Granularity,
  type StoredWidth,
  bucketStartMs,
  keptMs,
  storedWidthOf,
  storedWidths,
  widthMs,
} from '#domain/metrics/granularity.ts';
import { type Measure, type MetricKind, measuresOf } from '#domain/metrics/measures.ts';
import { type ApiDimension, type MetricsQuery, dimensionsOf } from '#wire/api/metrics/metrics.ts';

const DAY_MS = 24 * 3600 * 1000;
const DEFAULT_RANGE_MS: Record<MetricKind, number> = {
  events: DAY_MS,
  deliveries: DAY_MS,
  attempts: DAY_MS,
  queue: 30 * DAY_MS,
};

export interface MetricPlan {
  kind: MetricKind;
  startMs: number;
  /** Exclusive. */
  endMs: number;
  /** Undefined: one bucket for the whole range. */
  granularity: Granularity | undefined;
  /** Of the cells that are read. */
  width: StoredWidth;
  measures: readonly Measure[];
  dimensions: readonly ApiDimension[];
  /** Values of each filtered dimension but `tenant_id`. */
  filters: ReadonlyMap<ApiDimension, ReadonlySet<string>>;
}

/**
 * @param ofTenant whether the query is about one tenant
 * @throws PosthornError POSTHORN_REQUEST_INVALID
 */
export function planQuery(
  kind: MetricKind,
  query: MetricsQuery,
  ofTenant: boolean,
  nowMs: number,
): MetricPlan {
  const fields: FieldError[] = [];
  const range = readRange(kind, query, nowMs, fields);
  const measures = readWords('measures', query.measures, measuresOf[kind], fields);
  const known = dimensionsOf[kind].filter((name) => !ofTenant || name !== 'tenant_id');
  const dimensions =
    query.dimensions === undefined ? [] : readWords('dimensions', query.dimensions, known, fields);
  const filters = new Map<ApiDimension, ReadonlySet<string>>();
  for (const name of dimensionsOf[kind]) {
    const values = query[name];
    if (values !== undefined && name !== 'tenant_id') filters.set(name, new Set(values));
  }
  if (!ofTenant && query.tenant_id === undefined) {
    checkWithoutTenant(dimensions, filters, fields);
  }
  if (fields.length > 0) throw new PosthornError('POSTHORN_REQUEST_INVALID', { fields });
  return { kind, ...range, measures, dimensions, filters };
}

/** The cells of all tenants together have no endpoints and event types. */
function checkWithoutTenant(
  dimensions: readonly ApiDimension[],
  filters: ReadonlyMap<ApiDimension, unknown>,
  fields: FieldError[],
): void {
  for (const name of ['endpoint_id', 'event_type'] as const) {
    const detail = `${name} needs the filter tenant_id`;
    if (dimensions.includes(name)) fields.push({ pointer: '#query/dimensions', detail });
    if (filters.has(name))
      fields.push({ pointer: `#query/${name}`, detail: 'needs the filter tenant_id' });
  }
}

function readRange(
  kind: MetricKind,
  { start, end, granularity }: MetricsQuery,
  nowMs: number,
  fields: FieldError[],
): Pick<MetricPlan, 'startMs' | 'endMs' | 'granularity' | 'width'> {
  const givenEndMs = readTime('end', end, fields) ?? nowMs;
  const givenStartMs = readTime('start', start, fields) ?? givenEndMs - DEFAULT_RANGE_MS[kind];
  if (givenStartMs >= givenEndMs && fields.length === 0) {
    fields.push({ pointer: '#query/start', detail: 'must be before end' });
  }
  const width =
    granularity === undefined
      ? widthFor(givenStartMs, givenEndMs, nowMs)
      : storedWidthOf(granularity);
  const bucket = granularity ?? width;
  const startMs = bucketStartMs(bucket, givenStartMs);
  const endMs = bucketStartMs(bucket, givenEndMs + widthMs(bucket) - 1);
  if (fields.length > 0) return { startMs, endMs, granularity, width };
  const count = (endMs - startMs) / widthMs(bucket);
  if (count > limits.metricBucketsMax) {
    const detail = `must give at most ${limits.metricBucketsMax} buckets, and this range has ${count}`;
    fields.push({ pointer: '#query/granularity', detail });
  } else if (endMs <= nowMs - keptMs[width]) {
    const days = keptMs[width] / DAY_MS;
    const detail = `must be less than ${days} days ago: cells of ${width} are kept that long`;
    fields.push({ pointer: '#query/end', detail });
  }
  return { startMs, endMs, granularity, width };
}

/** The narrowest width whose cells are kept for the whole range, and are few enough. */
function widthFor(startMs: number, endMs: number, nowMs: number): StoredWidth {
  const fits = (width: StoredWidth): boolean =>
    startMs >= nowMs - keptMs[width] &&
    (endMs - startMs) / widthMs(width) < limits.metricBucketsMax - 1;
  return storedWidths.find(fits) ?? '1d';
}

function readTime(
  name: 'start' | 'end',
  text: string | undefined,
  fields: FieldError[],
): number | undefined {
  if (text === undefined) return undefined;
  const ms = Date.parse(text);
  // Cell ids hold times of 13 digits.
  if (ms >= 0 && ms < 1e13) return ms;
  fields.push({
    pointer: `#query/${name}`,
    detail: 'must be a time like 2026-01-31T12:00:00Z (RFC 3339)',
  });
  return undefined;
}

function readWords<W extends string>(
  name: string,
  text: string | undefined,
  known: readonly W[],
  fields: FieldError[],
): readonly W[] {
  if (text === undefined) return known;
  const words = text.split(',');
  const unknown = words.find((word) => !(known as readonly string[]).includes(word));
  if (unknown === undefined && new Set(words).size === words.length) return words as W[];
  const detail =
    unknown === undefined
      ? 'must name each word once'
      : `must be words of ${known.join(', ')}, separated by commas`;
  fields.push({ pointer: `#query/${name}`, detail });
  return known;
}
