/** The measures of each kind of metrics, computed from the rows of one group. */
import { decodeHistogram, type LogHistogram, quantiles } from './log-histogram.ts';
import type { MetricFamily, MetricRow } from './metric-row.ts';

/** The kinds of metrics in the API. `queue` shows the deliveries that wait now. */
export const metricKinds = ['events', 'deliveries', 'attempts', 'queue'] as const;
export type MetricKind = (typeof metricKinds)[number];

const latencyMeasures = [
  'latency_p50_ms',
  'latency_p90_ms',
  'latency_p95_ms',
  'latency_p99_ms',
] as const;
const latencyShares = [0.5, 0.9, 0.95, 0.99];

/** The measures of each kind. */
export const measuresOf = {
  events: ['count', 'matched_count', 'unmatched_count', 'accepted_count'],
  deliveries: [
    'count',
    'delivered_count',
    'failed_count',
    'cancelled_count',
    'pending_count',
    'held_count',
    'error_rate',
    'first_attempt_rate',
    'avg_attempts',
    ...latencyMeasures,
  ],
  attempts: [
    'count',
    'succeeded_count',
    'failed_count',
    'retry_count',
    'error_rate',
    ...latencyMeasures,
  ],
  queue: ['count', 'pending_count', 'held_count', 'oldest_pending_seconds', 'oldest_held_seconds'],
} as const satisfies Record<MetricKind, readonly string[]>;
export type Measure = (typeof measuresOf)[MetricKind][number];

/** Returns the family whose cells hold the figures of a kind. */
export function familyOf(kind: MetricKind): MetricFamily {
  return kind === 'queue' ? 'deliveries' : kind;
}

/** Statuses of the deliveries that a kind counts; undefined: of all. */
export function statusesOf(kind: MetricKind): readonly string[] | undefined {
  return kind === 'queue' ? ['pending', 'held'] : undefined;
}

/** The figures of a row without its histogram. */
export type Sums = Pick<MetricRow, 'count' | 'attemptCount' | 'firstCount' | 'oldestMs'>;

function addSums(into: Sums, from: Sums): void {
  into.count += from.count;
  into.attemptCount += from.attemptCount;
  into.firstCount += from.firstCount;
  if (from.oldestMs === undefined) return;
  into.oldestMs = Math.min(into.oldestMs ?? from.oldestMs, from.oldestMs);
}

/** The sums of one group: of all its rows, and by the value that tells its results apart. */
export class GroupSum {
  private readonly kind: MetricKind;
  private readonly sum: Sums = { count: 0, attemptCount: 0, firstCount: 0, oldestMs: undefined };
  private readonly histogram: LogHistogram = new Map();
  /** Of all measures together; computed once the rows are added. */
  private latencies: (number | null)[] | undefined;
  private readonly byResult = new Map<string, Sums>();

  constructor(kind: MetricKind) {
    this.kind = kind;
  }

  /**
   * @param result status of the row; of attempts: how they failed
   * @param latency encoded histogram; it is decoded only once, because a chart adds up thousands
   */
  add(row: Sums, result: string, latency: Uint8Array | undefined): void {
    addSums(this.sum, row);
    const of = this.byResult.get(result);
    if (of === undefined) this.byResult.set(result, { ...row });
    else addSums(of, row);
    if (latency !== undefined) decodeHistogram(latency, this.histogram);
  }

  /**
   * Returns the measures; null for a rate, an average or a quantile of nothing.
   *
   * @param nowMs for ages
   */
  measure(measures: readonly Measure[], nowMs: number): Partial<Record<Measure, number | null>> {
    const values: Partial<Record<Measure, number | null>> = {};
    for (const measure of measures) values[measure] = this.valueOf(measure, nowMs);
    return values;
  }

  private valueOf(measure: Measure, nowMs: number): number | null {
    const { count, attemptCount, firstCount } = this.sum;
    const delivered = this.countOf('delivered');
    switch (measure) {
      case 'count':
        return count;
      case 'succeeded_count':
        return this.countOf('none');
      case 'failed_count':
        return this.failedCount();
      case 'retry_count':
        return attemptCount;
      case 'error_rate':
        return this.kind === 'attempts'
          ? ratio(this.failedCount(), count)
          : ratio(this.failedCount(), delivered + this.failedCount());
      case 'first_attempt_rate':
        return ratio(firstCount, delivered);
      case 'avg_attempts':
        return ratio(attemptCount, count - this.countOf('pending') - this.countOf('held'));
      case 'oldest_pending_seconds':
        return this.age('pending', nowMs);
      case 'oldest_held_seconds':
        return this.age('held', nowMs);
      case 'accepted_count':
      case 'matched_count':
      case 'unmatched_count':
      case 'delivered_count':
      case 'cancelled_count':
      case 'pending_count':
      case 'held_count':
        return this.countOf(measure.slice(0, -'_count'.length));
      case 'latency_p50_ms':
      case 'latency_p90_ms':
      case 'latency_p95_ms':
      case 'latency_p99_ms':
        return this.latency(measure);
      default:
        return measure satisfies never;
    }
  }

  private latency(measure: (typeof latencyMeasures)[number]): number | null {
    this.latencies ??= quantiles(this.histogram, latencyShares);
    return this.latencies[latencyMeasures.indexOf(measure)] ?? null;
  }

  private failedCount(): number {
    return this.kind === 'attempts'
      ? this.sum.count - this.countOf('none')
      : this.countOf('failed');
  }

  private countOf(result: string): number {
    return this.byResult.get(result)?.count ?? 0;
  }

  private age(status: string, nowMs: number): number | null {
    const oldestMs = this.byResult.get(status)?.oldestMs;
    return oldestMs === undefined ? null : Math.max(0, Math.round((nowMs - oldestMs) / 1000));
  }
}

/** Rounded to 6 digits after the point. */
function ratio(part: number, whole: number): number | null {
  return whole === 0 ? null : Math.round((part / whole) * 1e6) / 1e6;
}
