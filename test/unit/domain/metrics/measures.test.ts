import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bucketOf, encodeHistogram } from '#domain/metrics/log-histogram.ts';
import {
  GroupSum,
  type MetricKind,
  familyOf,
  measuresOf,
  statusesOf,
} from '#domain/metrics/measures.ts';
import { type MetricRow, emptyRow } from '#domain/metrics/metric-row.ts';

const NOW_MS = 1_000_000;

function measured(kind: MetricKind, rows: Record<string, Partial<MetricRow>>) {
  const sum = new GroupSum(kind);
  for (const [result, fields] of Object.entries(rows)) {
    const row = { ...emptyRow([result]), ...fields };
    sum.add(row, result, row.latency.size > 0 ? encodeHistogram(row.latency) : undefined);
  }
  return sum.measure(measuresOf[kind], NOW_MS);
}

test('deliveries: rates are of those that ended, attempts of those that were attempted', () => {
  const latency = new Map([[bucketOf(100), 9]]);
  const values = measured('deliveries', {
    delivered: { count: 9, attemptCount: 11, firstCount: 8, latency },
    failed: { count: 1, attemptCount: 12 },
    cancelled: { count: 2, attemptCount: 1 },
    pending: { count: 5 },
    held: { count: 3 },
  });
  assert.equal(values.count, 20);
  assert.equal(values.error_rate, 0.1);
  assert.equal(values.first_attempt_rate, 0.888889);
  assert.equal(values.avg_attempts, 2);
  assert.ok(Math.abs((values.latency_p99_ms ?? 0) - 100) <= 2);
});

test('attempts: an attempt without a failure succeeded', () => {
  const values = measured('attempts', {
    none: { count: 6, attemptCount: 1 },
    timeout: { count: 1 },
    http_status: { count: 1, attemptCount: 1 },
  });
  assert.deepEqual(
    [values.succeeded_count, values.failed_count, values.retry_count, values.error_rate],
    [6, 2, 2, 0.25],
  );
});

test('queue: the oldest event sets the age, which is never negative', () => {
  const values = measured('queue', {
    pending: { count: 2, oldestMs: NOW_MS - 61_400 },
    held: { count: 1, oldestMs: NOW_MS + 5000 },
  });
  assert.deepEqual(values, {
    count: 3,
    pending_count: 2,
    held_count: 1,
    oldest_pending_seconds: 61,
    oldest_held_seconds: 0,
  });
  assert.deepEqual([familyOf('queue'), familyOf('events')], ['deliveries', 'events']);
  assert.deepEqual([statusesOf('queue'), statusesOf('events')], [['pending', 'held'], undefined]);
});

test('a group without rows has counts of 0, and null for rates, averages and quantiles', () => {
  for (const kind of ['events', 'deliveries', 'attempts', 'queue'] as const) {
    for (const [measure, value] of Object.entries(measured(kind, {}))) {
      assert.equal(value, measure.endsWith('count') ? 0 : null, `${kind} ${measure}`);
    }
  }
});
