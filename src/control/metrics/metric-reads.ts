/** Answers queries for metrics from stored cells (CT-7), never from the history itself. */
import type { Collection } from 'mongodb';
import type { Clock } from '#domain/clock.ts';
import { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import { bucketStartMs, widthMs } from '#domain/metrics/granularity.ts';
import { GroupSum, type MetricKind, familyOf, statusesOf } from '#domain/metrics/measures.ts';
import { storedDimensions } from '#domain/metrics/metric-row.ts';
import { tenantIdOf } from '#domain/tenant.ts';
import { ALL_TENANTS, type MetricCellDocument } from '#infra/mongo/metrics/metric-cells.ts';
import type { ApiDimension, MetricsAnswer, MetricsQuery } from '#wire/api/metrics/metrics.ts';
import type { FairSearches } from '../history/fair-searches.ts';
import type { CurrentLives } from '../lives/current-lives.ts';
import { type CellQuery, CellReads, type ReadRow } from './cell-reads.ts';
import { type MetricPlan, planQuery } from './metric-plan.ts';

export interface MetricReadsDeps {
  cells: Collection<MetricCellDocument>;
  lives: Pick<CurrentLives, 'find'>;
  searches: Pick<FairSearches, 'run'>;
  clock: Pick<Clock, 'wallMs'>;
}

type Group = Partial<Record<ApiDimension, string | null>>;

interface Point {
  startMs: number;
  group: Group;
  sum: GroupSum;
}

/** Dimensions of a row in the API, by their stored names. */
const apiNames = {
  tenant: 'tenant_id',
  endpoint: 'endpoint_id',
  event_type: 'event_type',
  status: 'status',
  response_class: 'response_class',
  failure: 'failure',
} as const satisfies Record<string, ApiDimension>;

export class MetricReads {
  private readonly deps: MetricReadsDeps;

  constructor(deps: MetricReadsDeps) {
    this.deps = deps;
  }

  /** @throws PosthornError POSTHORN_REQUEST_INVALID */
  async ofTenant(lifeId: string, kind: MetricKind, query: MetricsQuery): Promise<MetricsAnswer> {
    const plan = planQuery(kind, query, true, this.deps.clock.wallMs());
    return this.answer(plan, [lifeId]);
  }

  /** Reads the figures of all tenants, or of those that the filter names. */
  async ofAll(kind: MetricKind, query: MetricsQuery): Promise<MetricsAnswer> {
    const plan = planQuery(kind, query, false, this.deps.clock.wallMs());
    if (query.tenant_id === undefined) return this.answer(plan, [ALL_TENANTS]);
    const named = [...new Set(query.tenant_id)].map((id) => this.deps.lives.find(id));
    const lives = await Promise.all(named);
    return this.answer(
      plan,
      lives.filter((life) => life !== undefined),
    );
  }

  private async answer(plan: MetricPlan, tenants: readonly string[]): Promise<MetricsAnswer> {
    const { startMs, endMs, granularity, kind } = plan;
    const nowMs = this.deps.clock.wallMs();
    const names = dimensionNames(kind, tenants);
    const query = cellQuery(plan, tenants, names, nowMs);
    const reads = new CellReads(this.deps.cells, query);
    const points = new PointSet(plan, query.withRows ? names : names.filter(isNarrow));
    await this.deps.searches.run(tenants[0] ?? ALL_TENANTS, async () => {
      for await (const row of reads.read(plan.width, [{ startMs, endMs }])) points.add(row);
    });
    return {
      start: new Date(startMs).toISOString(),
      end: new Date(endMs).toISOString(),
      granularity: granularity ?? null,
      data: points.sorted().map(({ startMs: at, group, sum }) => ({
        start: new Date(at).toISOString(),
        group,
        values: sum.measure(plan.measures, nowMs),
      })),
      pending_cell_count: reads.pendingCount,
    } as MetricsAnswer;
  }
}

function isNarrow(name: ApiDimension): boolean {
  return name !== 'tenant_id' && name !== 'endpoint_id' && name !== 'event_type';
}

/** The dimensions of the keys of rows, in their order. */
function dimensionNames(kind: MetricKind, tenants: readonly string[]): readonly ApiDimension[] {
  const { wide, narrow } = storedDimensions[familyOf(kind)];
  const stored =
    tenants[0] === ALL_TENANTS ? (['tenant', ...narrow] as const) : [...wide, ...narrow];
  return stored.map((name) => apiNames[name]);
}

function cellQuery(
  { kind, dimensions, filters }: MetricPlan,
  tenants: readonly string[],
  names: readonly ApiDimension[],
  nowMs: number,
): CellQuery {
  const isOfAll = tenants[0] === ALL_TENANTS;
  // The tenant of a cell of one tenant is not in its rows.
  const used = [...dimensions, ...filters.keys()].filter((name) => isOfAll || name !== 'tenant_id');
  const withRows = used.some((name) => !isNarrow(name));
  const keyNames = withRows ? names : names.filter(isNarrow);
  const wanted = new Map<ApiDimension, readonly string[]>(
    [...filters].map(([name, values]) => [name, [...values]]),
  );
  const statuses = statusesOf(kind);
  if (statuses !== undefined && !wanted.has('status')) wanted.set('status', statuses);
  return {
    tenants,
    family: familyOf(kind),
    withRows,
    filters: [...wanted].map(([name, values]) => ({ at: keyNames.indexOf(name), values })),
    nowMs,
  };
}

/** The points of an answer; bounded. */
class PointSet {
  private readonly points = new Map<string, Point>();
  private readonly plan: MetricPlan;
  private readonly names: readonly ApiDimension[];
  private readonly hasLatency: boolean;

  /** @param names the dimensions of the keys of rows */
  constructor(plan: MetricPlan, names: readonly ApiDimension[]) {
    this.plan = plan;
    this.names = names;
    this.hasLatency = plan.measures.some((measure) => measure.startsWith('latency'));
    // A chart needs the buckets without figures, too.
    if (plan.dimensions.length === 0) this.addEmpty();
  }

  /** @throws PosthornError POSTHORN_REQUEST_INVALID */
  add({ tenant, startMs, row }: ReadRow): void {
    const group: Group = {};
    for (const name of this.plan.dimensions) {
      const at = this.names.indexOf(name);
      const value = at < 0 ? tenant : (row.k[at] ?? null);
      group[name] = name === 'tenant_id' && value !== null ? tenantIdOf(value) : value;
    }
    const result = row.k.at(-1) ?? '';
    const { n: count, a: attemptCount = 0, f: firstCount = 0, o, h } = row;
    const sums = { count, attemptCount, firstCount, oldestMs: o?.getTime() };
    const latency = this.hasLatency ? h?.value() : undefined;
    this.point(this.bucketOf(startMs), group).sum.add(sums, result, latency);
  }

  sorted(): Point[] {
    const named = [...this.points.values()].map((point) => ({
      point,
      name: JSON.stringify(point.group),
    }));
    named.sort((a, b) => a.point.startMs - b.point.startMs || (a.name < b.name ? -1 : 1));
    return named.map(({ point }) => point);
  }

  private addEmpty(): void {
    const { startMs, endMs, granularity } = this.plan;
    const step = granularity === undefined ? endMs - startMs : widthMs(granularity);
    for (let at = startMs; at < endMs; at += step) this.point(at, {});
  }

  private bucketOf(startMs: number): number {
    const { granularity } = this.plan;
    return granularity === undefined ? this.plan.startMs : bucketStartMs(granularity, startMs);
  }

  private point(startMs: number, group: Group): Point {
    const name = `${startMs}/${JSON.stringify(group)}`;
    let point = this.points.get(name);
    if (point === undefined) {
      if (this.points.size >= limits.metricPointsMax) throw tooManyPoints();
      point = { startMs, group, sum: new GroupSum(this.plan.kind) };
      this.points.set(name, point);
    }
    return point;
  }
}

function tooManyPoints(): PosthornError {
  const detail = `must give at most ${limits.metricPointsMax} points (buckets times groups): shorten the range, use a wider granularity, or fewer dimensions`;
  const fields = [{ pointer: '#query/dimensions', detail }];
  return new PosthornError('POSTHORN_REQUEST_INVALID', { fields });
}
