import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  type MetricRow,
  boundRows,
  emptyRow,
  isBounded,
  sumRows,
  totalsOf,
} from '#domain/metrics/metric-row.ts';

function row(key: MetricRow['key'], count: number, fields: Partial<MetricRow> = {}): MetricRow {
  return { ...emptyRow(key), count, ...fields };
}

function sorted(rows: readonly MetricRow[]): MetricRow[] {
  return rows.toSorted((a, b) => (JSON.stringify(a.key) < JSON.stringify(b.key) ? -1 : 1));
}

test('rows with equal keys add up', () => {
  const summed = sumRows([
    row(['ep_1', 'delivered'], 2, { attemptCount: 3, latency: new Map([[5, 2]]), oldestMs: 20 }),
    row(['ep_1', 'delivered'], 1, { firstCount: 1, latency: new Map([[5, 1]]), oldestMs: 10 }),
    row(['ep_1', 'failed'], 4),
  ]);
  assert.deepEqual(sorted(summed), [
    row(['ep_1', 'delivered'], 3, {
      attemptCount: 3,
      firstCount: 1,
      latency: new Map([[5, 3]]),
      oldestMs: 10,
    }),
    row(['ep_1', 'failed'], 4),
  ]);
  assert.deepEqual(
    totalsOf(summed, 1).map(({ key, count }) => [key, count]),
    [
      [['delivered'], 3],
      [['failed'], 4],
    ],
  );
});

test('the groups with the highest counts are kept whole, and the others are added up', () => {
  const rows = [
    row(['ep_1', 'a', 'delivered'], 1),
    row(['ep_2', 'a', 'delivered'], 90),
    row(['ep_2', 'a', 'failed'], 1),
    row(['ep_3', 'b', 'delivered'], 5),
    row(['ep_4', 'b', 'failed'], 2),
  ];
  const bounded = boundRows(rows, 2, 2);
  assert.deepEqual(
    sorted(bounded).map(({ key, count }) => [...key, count]),
    [
      ['ep_2', 'a', 'delivered', 90],
      ['ep_2', 'a', 'failed', 1],
      ['ep_3', 'b', 'delivered', 5],
      [null, null, 'delivered', 1],
      [null, null, 'failed', 2],
    ],
  );
  assert.equal(isBounded(bounded), true);
  assert.equal(isBounded(boundRows(rows, 2, 4)), false);
});

test('bounded rows are the same for every order of the rows, and keep the sum', () => {
  const anyRow = fc
    .tuple(fc.constantFrom('a', 'b', 'c', 'd', null), fc.constantFrom('x', 'y'), fc.nat(9))
    .map(([wide, narrow, count]) => row([wide, narrow], count));
  fc.assert(
    fc.property(fc.array(anyRow, { maxLength: 30 }), fc.nat(3), (rows, max) => {
      const summed = sumRows(rows);
      const bounded = boundRows(summed, 1, max);
      assert.deepEqual(sorted(bounded), sorted(boundRows(summed.toReversed(), 1, max)));
      const count = (of: readonly MetricRow[]) => of.reduce((sum, each) => sum + each.count, 0);
      assert.equal(count(bounded), count(rows));
    }),
  );
});
