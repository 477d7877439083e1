import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Tally } from '../../../loadtest/k6/receiver/tally.ts';
import { LatencyHistogram } from '../../../loadtest/k6/receiver/latency-histogram.ts';
import { SeenNumbers } from '../../../loadtest/k6/receiver/seen-numbers.ts';

test('percentiles are within 2 % of the added values', () => {
  const histogram = new LatencyHistogram();
  for (let ms = 1; ms <= 1000; ms++) histogram.add(ms);
  for (const [share, wanted] of [
    [0.5, 500],
    [0.95, 950],
    [0.99, 990],
  ] as const) {
    assert.ok(Math.abs(histogram.percentile(share) - wanted) <= wanted * 0.021);
  }
  assert.equal(new LatencyHistogram().percentile(0.5), 0);
});

test('a number counts as new once, at any size', () => {
  const seen = new SeenNumbers();
  for (const n of [0, 7, 8, 1_000_000]) assert.equal(seen.add(n), true);
  for (const n of [0, 7, 8, 1_000_000]) assert.equal(seen.add(n), false);
  assert.equal(seen.add(999_999), true);
});

test('a repeated number counts as a duplicate only within its scenario', () => {
  const tally = new Tally();
  tally.add('quiet', 'a', 1, 0, 10);
  tally.add('quiet', 'a', 1, 0, 5000);
  tally.add('noisy', 'b', 1, 0, 40);
  const { all, quiet, noisy } = tally.stats();
  assert.deepEqual([all?.received, all?.unique, all?.duplicates], [3, 2, 1]);
  assert.deepEqual([quiet?.unique, quiet?.duplicates], [1, 1]);
  assert.equal(noisy?.unique, 1);
  // The repeat must not change the latency of the first one.
  assert.ok((quiet?.p99_ms ?? 0) < 11);
  assert.deepEqual(
    tally.series().map(({ at, unique }) => [at, unique]),
    [[0, 2]],
  );
});
