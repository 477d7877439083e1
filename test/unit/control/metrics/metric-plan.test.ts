import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PosthornError } from '#domain/errors.ts';
import { planQuery } from '#src/control/metrics/metric-plan.ts';

const NOW_MS = Date.parse('2026-06-15T12:34:56Z');
const HOUR_MS = 3600 * 1000;

function rangeOf(query: object, kind: 'deliveries' | 'queue' = 'deliveries'): unknown[] {
  const { startMs, endMs, width } = planQuery(kind, query, true, NOW_MS);
  return [new Date(startMs).toISOString(), new Date(endMs).toISOString(), width];
}

test('a range is extended to whole buckets', () => {
  const range = { start: '2026-06-15T10:01:30Z', end: '2026-06-15T11:16:00Z' };
  assert.deepEqual(rangeOf({ ...range, granularity: '15m' }), [
    '2026-06-15T10:00:00.000Z',
    '2026-06-15T11:30:00.000Z',
    '1m',
  ]);
  assert.deepEqual(rangeOf({ ...range, granularity: '1d' }), [
    '2026-06-15T00:00:00.000Z',
    '2026-06-16T00:00:00.000Z',
    '1d',
  ]);
});

test('the default range is a day, or 30 days of the queue, up to now', () => {
  assert.deepEqual(rangeOf({ granularity: '1h' }), [
    '2026-06-14T12:00:00.000Z',
    '2026-06-15T13:00:00.000Z',
    '1h',
  ]);
  assert.deepEqual(rangeOf({}, 'queue'), [
    '2026-05-16T12:00:00.000Z',
    '2026-06-15T13:00:00.000Z',
    '1h',
  ]);
});

test('without a granularity the narrowest cells are read that are kept and few enough', () => {
  const back = (hours: number): string => new Date(NOW_MS - hours * HOUR_MS).toISOString();
  assert.equal(rangeOf({ start: back(1) })[2], '1m');
  assert.equal(rangeOf({ start: back(30) })[2], '1h');
  assert.equal(rangeOf({ start: back(50), end: back(49) })[2], '1h');
  assert.equal(rangeOf({ start: back(24 * 80) })[2], '1d');
  assert.equal(rangeOf({ start: back(24 * 100), end: back(24 * 99) })[2], '1d');
});

test('a query reports all of its faults', () => {
  const query = { start: 'soon', measures: 'count,', dimensions: 'status,status' };
  assert.throws(
    () => planQuery('deliveries', query, true, NOW_MS),
    ({ fields }: PosthornError) => {
      const pointers = ['#query/start', '#query/measures', '#query/dimensions'];
      assert.deepEqual(
        fields.map(({ pointer }) => pointer),
        pointers,
      );
      return true;
    },
  );
});

test('filters are sets by dimension, and the tenants are none of them', () => {
  const query = { tenant_id: ['acme'], status: ['failed', 'held'], endpoint_id: ['ep_1'] };
  const { filters, measures, dimensions } = planQuery('deliveries', query, false, NOW_MS);
  assert.deepEqual(
    [...filters],
    [
      ['endpoint_id', new Set(['ep_1'])],
      ['status', new Set(['failed', 'held'])],
    ],
  );
  assert.equal(measures.length, 13);
  assert.deepEqual(dimensions, []);
});
