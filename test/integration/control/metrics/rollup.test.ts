import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import * as fc from 'fast-check';
import { type StoredWidth, bucketStartMs } from '#domain/metrics/granularity.ts';
import { bucketOf } from '#domain/metrics/log-histogram.ts';
import { type MetricFamily, RowSum, emptyRow } from '#domain/metrics/metric-row.ts';
import { ALL_TENANTS } from '#infra/mongo/metrics/metric-cells.ts';
import type { RoutedRecord } from '#wire/frames/record.ts';
import {
  type CellRows,
  type Made,
  type MetricsBench,
  MINUTE_MS,
  type Report,
  START_MS,
  attemptRecord,
  byKey,
  openMetricsBench,
} from './metrics-bench.ts';

let bench: MetricsBench;
before(async () => {
  bench = await openMetricsBench();
});
beforeEach(() => bench.clear());
after(() => bench.dispose());

function eventOf({ tenant = 'acme', event = 'e1', type = 'a.b', acceptedMs }: Made): Report {
  return { tenant, event, type, atMs: acceptedMs ?? START_MS };
}

function routedTo(made: Made, endpoints: readonly string[]): RoutedRecord {
  const { tenant = 'acme', event = 'e1', type = 'a.b', acceptedMs = START_MS } = made;
  const deliveries = endpoints.map((endpoint) => ({
    id: `dlv_${tenant}_${event}_${endpoint}`,
    endpoint,
    status: 'pending' as const,
  }));
  return { k: 'routed', tenant, event, type, acceptedMs, deliveries };
}

/** Counts the final documents without the code under test, by family, width and life. */
async function counted(
  lifeId: string,
  family: MetricFamily,
  width: StoredWidth,
): Promise<CellRows> {
  const sums = new Map<string, RowSum>();
  const add = (at: Date, key: string[], ms: number | undefined, fields: object): void => {
    const start = new Date(bucketStartMs(width, at.getTime())).toISOString();
    const sum = sums.get(start) ?? new RowSum();
    sums.set(start, sum);
    const latency = new Map(ms === undefined ? [] : [[bucketOf(ms), 1]]);
    sum.add({ ...emptyRow(key), count: 1, latency, ...fields });
  };
  const { history } = bench;
  const tenant = lifeId === ALL_TENANTS ? {} : { tenant: lifeId };
  const keyOf = (one: { tenant: string }, wide: string[], narrow: string[]): string[] =>
    lifeId === ALL_TENANTS ? [one.tenant, ...narrow] : [...wide, ...narrow];
  if (family === 'events') {
    for await (const one of history.events.find({ ...tenant, seq: { $exists: true } })) {
      const isRouted = one.routed === undefined ? 'accepted' : one.routed ? 'matched' : 'unmatched';
      add(one.accepted_at, keyOf(one, [one.type as string], [isRouted]), undefined, {});
    }
  } else if (family === 'deliveries') {
    for await (const one of history.deliveries.find(tenant)) {
      const { status, at } = one.state;
      const made = Object.keys(one.attempts ?? {}).length;
      const isWaiting = status === 'pending' || status === 'held';
      const isDelivered = status === 'delivered';
      const ms = isDelivered ? at.getTime() - one.accepted_at.getTime() : undefined;
      add(one.accepted_at, keyOf(one, [one.endpoint, one.type], [status]), ms, {
        attemptCount: isWaiting ? 0 : made,
        firstCount: isDelivered && made <= 1 ? 1 : 0,
        oldestMs: isWaiting ? one.accepted_at.getTime() : undefined,
      });
    }
  } else {
    for await (const one of history.attempts.find(tenant)) {
      const narrow = [one.response_status === 200 ? '2xx' : '5xx', one.failure ?? 'none'];
      const fields = { attemptCount: one.no > 1 ? 1 : 0 };
      add(one.started_at, keyOf(one, [one.endpoint, one.type], narrow), one.duration_ms, fields);
    }
  }
  return Object.fromEntries([...sums].map(([at, sum]) => [at, byKey(sum.rows())]));
}

async function assertExact(lives: readonly string[]): Promise<void> {
  for (const life of [...lives, ALL_TENANTS]) {
    for (const family of ['events', 'deliveries', 'attempts'] as const) {
      for (const width of ['1m', '1h', '1d'] as const) {
        const expected = await counted(life, family, width);
        assert.deepEqual(
          await bench.rowsOf(life, family, width),
          expected,
          `${family} of "${life}" by ${width}`,
        );
      }
    }
  }
}

/** What becomes of one event: its records, in order. */
const story: fc.Arbitrary<Report[]> = fc
  .record({
    tenant: fc.constantFrom('acme', 'beta'),
    number: fc.nat(1_000_000),
    type: fc.constantFrom('a.b', 'a.c'),
    afterMs: fc.oneof(fc.nat(2 * MINUTE_MS), fc.nat(150 * MINUTE_MS)),
    endpoints: fc.subarray(['ep_1', 'ep_2', 'ep_3']),
    retriesMs: fc.array(
      fc.oneof(fc.integer({ min: 1, max: MINUTE_MS }), fc.integer({ min: 1, max: 90 * MINUTE_MS })),
      { maxLength: 3 },
    ),
    end: fc.constantFrom('ok' as const, 'dead' as const, 'retry' as const),
  })
  .map(({ tenant, number, type, afterMs, endpoints, retriesMs, end }) => {
    const made = { tenant, event: `e${number}`, type, acceptedMs: START_MS + afterMs };
    const times = [5, ...retriesMs].toSorted((a, b) => a - b);
    const attempts = endpoints.flatMap((endpoint) =>
      times.map((ms, i) => {
        const isLast = i === times.length - 1;
        return attemptRecord({ ...made, endpoint }, i + 1, ms, isLast ? end : 'retry');
      }),
    );
    return [eventOf(made), routedTo(made, endpoints), ...attempts];
  });

function timeOf(report: Report): number {
  if (!('k' in report)) return report.atMs;
  if (report.k === 'endpoint-gone') return 0;
  return report.k === 'delivery' ? (report.attempt?.startedMs ?? 0) : report.acceptedMs;
}

test('cells are exact after repeated, reordered and late records, with two processes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(story, { minLength: 1, maxLength: 8 }),
      fc.infiniteStream(fc.nat(1_000_000)),
      async (stories, numbers) => {
        await bench.clear();
        const next = (below: number): number => (numbers.next().value as number) % below;
        const reports = stories
          .flat()
          .flatMap((report) => (next(4) === 0 ? [report, report] : [report]));
        // Reordered, as redelivered messages are.
        const order = reports.map((report) => ({ report, at: next(1000) }));
        order.sort((a, b) => a.at - b.at);
        const markers = [bench.newMarker(), bench.newMarker()];
        const rollups = [bench.newRollup(), bench.newRollup()];
        while (order.length > 0) {
          const some = order.splice(0, 1 + next(6)).map(({ report }) => report);
          // No record comes before its time.
          const atMs = Math.max(...some.map(timeOf));
          bench.clock.advance(Math.max(0, atMs - bench.clock.wallMs()));
          await bench.project(some, markers[next(2)]);
          if (next(3) === 0) bench.clock.advance(next(40 * MINUTE_MS));
          else if (next(2) === 0) bench.clock.advance(next(20_000));
          if (next(2) === 0) await Promise.all(rollups.map((rollup) => rollup.computeDue()));
        }
        await bench.settle();
        await assertExact(['acme', 'beta']);
      },
    ),
    { numRuns: 6, endOnFailure: true },
  );
});
