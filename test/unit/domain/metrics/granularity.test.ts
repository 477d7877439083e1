import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bucketStartMs,
  granularities,
  narrowerWidth,
  storedWidthOf,
  widerWidth,
  widthMs,
} from '#domain/metrics/granularity.ts';

test('buckets begin at whole widths of UTC', () => {
  const time = Date.parse('2026-01-31T13:47:12.345Z');
  const starts = granularities.map((each) => new Date(bucketStartMs(each, time)).toISOString());
  assert.deepEqual(starts, [
    '2026-01-31T13:47:00.000Z',
    '2026-01-31T13:45:00.000Z',
    '2026-01-31T13:45:00.000Z',
    '2026-01-31T13:00:00.000Z',
    '2026-01-31T12:00:00.000Z',
    '2026-01-31T00:00:00.000Z',
  ]);
});

test('each granularity is a multiple of the stored width that it is added up from', () => {
  for (const each of granularities) {
    assert.equal(widthMs(each) % widthMs(storedWidthOf(each)), 0, each);
  }
  assert.deepEqual(granularities.map(storedWidthOf), ['1m', '1m', '1m', '1h', '1h', '1d']);
});

test('hours are built from minutes, and days from hours', () => {
  assert.deepEqual([narrowerWidth('1m'), widerWidth('1m')], [undefined, '1h']);
  assert.deepEqual([narrowerWidth('1h'), widerWidth('1h')], ['1m', '1d']);
  assert.deepEqual([narrowerWidth('1d'), widerWidth('1d')], ['1h', undefined]);
});
