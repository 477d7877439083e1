import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import * as fc from 'fast-check';
import { limits } from '#domain/limits.ts';
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

test('records of minutes that expire soon are counted in their hour, by endpoint', async () => {
  const late = { event: 'late', acceptedMs: START_MS + 5000 };
  await bench.project([
    eventOf(late),
    routedTo(late, ['ep_1', 'ep_2']),
    attemptRecord({ ...late, endpoint: 'ep_1' }, 1, 20, 'ok'),
    attemptRecord({ ...late, endpoint: 'ep_2' }, 1, 20, 'retry'),
  ]);
  await bench.settle();
  // The role control was down, or the retries took that long.
  bench.clock.advance(60 * 60 * MINUTE_MS);
  await bench.cells.deleteMany({ width: '1m' });
  await bench.project([attemptRecord({ ...late, endpoint: 'ep_2' }, 2, 3600_000, 'ok')]);
  await bench.settle();
  for (const width of ['1h', '1d'] as const) {
    for (const life of ['acme', ALL_TENANTS]) {
      const expected = await counted(life, 'deliveries', width);
      assert.deepEqual(await bench.rowsOf(life, 'deliveries', width), expected, `${life} ${width}`);
    }
  }
});

test('a cell whose process died is computed whole by another once the claim expires', async () => {
  const made = { event: 'e1' };
  await bench.project([eventOf(made), routedTo(made, ['ep_1'])]);
  await bench.settle();
  await bench.project([attemptRecord(made, 1, 20, 'ok')]);
  // As a process leaves it that dies after it has claimed the cell and before it stores the rows.
  await bench.cells.updateMany(
    { due_at: { $exists: true } },
    {
      $set: { claim: 'dead', claimed_until: new Date(bench.clock.wallMs() + MINUTE_MS) },
      $unset: { due_at: '', endpoints: '', whole: '' },
    },
  );
  assert.equal(await bench.newRollup().computeDue(), 0);
  await bench.settle();
  await assertExact(['acme']);
});

test('two processes that compute the same cells leave them exact, and without claims', async () => {
  await bench.project([eventOf({}), routedTo({}, ['ep_1'])]);
  bench.clock.advance(20_000);
  const [one, other] = [bench.newRollup(), bench.newRollup()];
  const found = await Promise.all([one.computeDue(), other.computeDue()]);
  assert.ok(found.some((count) => count > 0));
  await bench.settle();
  await assertExact(['acme']);
  assert.equal(await bench.cells.countDocuments({ claim: { $exists: true } }), 0);
});

test('rows beyond the bound are added up, and the totals stay exact', async () => {
  const count = limits.metricGroupsPerMinuteMax + 20;
  const endpoints = Array.from({ length: count }, (_, i) => `ep_${i}`);
  await bench.project([eventOf({}), routedTo({}, endpoints)]);
  await bench.project([
    eventOf({ event: 'e2' }),
    routedTo({ event: 'e2' }, ['ep_219']),
    attemptRecord({ event: 'e2', endpoint: 'ep_219' }, 1, 10, 'ok'),
  ]);
  await bench.settle();
  const [minute] = Object.values(await bench.rowsOf('acme', 'deliveries', '1m'));
  const rows = Object.entries(minute ?? {});
  const sum = rows.reduce((total, [, row]) => total + row.count, 0);
  assert.equal(sum, count + 1);
  assert.equal(rows.length, limits.metricGroupsPerMinuteMax + 2);
  assert.ok(
    rows.some(([key]) => key === 'ep_219 a.b delivered'),
    'the busiest one is kept',
  );
  // A cell with a bound is computed whole, so the sum holds after a late record.
  await bench.project([attemptRecord({ endpoint: 'ep_3' }, 1, 10, 'ok')]);
  await bench.settle();
  const [again] = Object.values(await bench.rowsOf('acme', 'deliveries', '1m'));
  assert.equal(
    Object.values(again ?? {}).reduce((total, row) => total + row.count, 0),
    count + 1,
  );
});
