import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  QUANTILE_ERROR_MAX,
  addHistogram,
  bucketOf,
  decodeHistogram,
  encodeHistogram,
  type LogHistogram,
  quantiles,
} from '#domain/metrics/log-histogram.ts';

function histogramOf(durations: readonly number[]): LogHistogram {
  const histogram: LogHistogram = new Map();
  for (const ms of durations) addHistogram(histogram, new Map([[bucketOf(ms), 1]]));
  return histogram;
}

function sorted(histogram: LogHistogram): LogHistogram {
  return new Map([...histogram].sort(([a], [b]) => a - b));
}

const duration = fc.double({ min: 0.1, max: 30 * 24 * 3600 * 1000, noNaN: true });

test('a quantile differs from that of the durations by at most the stated share', () => {
  const shares = [0.5, 0.9, 0.95, 0.99, 1];
  fc.assert(
    fc.property(fc.array(duration, { minLength: 1, maxLength: 300 }), (durations) => {
      const sorted = durations.toSorted((a, b) => a - b);
      const found = quantiles(histogramOf(durations), shares);
      for (const [i, share] of shares.entries()) {
        const expected = sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1] as number;
        const error = Math.abs((found[i] as number) - expected) / expected;
        assert.ok(error <= QUANTILE_ERROR_MAX, `${share}: ${found[i]} for ${expected}`);
      }
    }),
  );
});

test('a quantile keeps the bound across every bucket', () => {
  for (let ms = 0.1; ms < 1e10; ms *= 1.0113) {
    const [value] = quantiles(histogramOf([ms]), [0.5]);
    assert.ok(Math.abs((value as number) - ms) / ms <= QUANTILE_ERROR_MAX, `${value} for ${ms}`);
  }
});

test('histograms added up in any order give that of all durations', () => {
  fc.assert(
    fc.property(fc.array(fc.array(duration, { maxLength: 20 }), { maxLength: 6 }), (parts) => {
      const sum: LogHistogram = new Map();
      for (const part of parts.toReversed()) addHistogram(sum, histogramOf(part));
      assert.deepEqual(sorted(sum), sorted(histogramOf(parts.flat())));
    }),
  );
});

test('a decoded histogram equals the encoded one, with counts of any size', () => {
  const bucket = fc.double({ min: 0, max: 1e11, noNaN: true }).map(bucketOf);
  const count = fc.integer({ min: 1, max: 2 ** 40 });
  fc.assert(
    fc.property(fc.array(fc.tuple(bucket, count), { maxLength: 50 }), (entries) => {
      const histogram = new Map(entries);
      assert.deepEqual(decodeHistogram(encodeHistogram(histogram)), sorted(histogram));
    }),
  );
});

test('durations out of range count as the nearest, and no duration has no quantile', () => {
  assert.equal(bucketOf(0), bucketOf(-5));
  assert.equal(bucketOf(Number.NaN), bucketOf(0));
  assert.equal(bucketOf(0.01), bucketOf(0));
  assert.equal(bucketOf(1e15), bucketOf(Number.POSITIVE_INFINITY));
  assert.deepEqual(quantiles(new Map(), [0.5, 0.99]), [null, null]);
});
