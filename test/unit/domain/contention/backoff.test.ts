import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Backoff } from '#domain/contention/backoff.ts';

const range = fc
  .tuple(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 0, max: 100_000 }))
  .map(([firstMs, more]) => ({ firstMs, maxMs: firstMs + more }));

test('each delay doubles the previous one, from the first delay up to the maximum', () => {
  fc.assert(
    fc.property(range, fc.integer({ min: 1, max: 40 }), ({ firstMs, maxMs }, tries) => {
      const backoff = new Backoff({ firstMs, maxMs });
      for (let no = 0; no < tries; no++) {
        const expected = Math.min(firstMs * 2 ** no, maxMs);
        assert.equal(backoff.peekMs, expected);
        assert.equal(backoff.next(), expected);
      }
      backoff.reset();
      assert.equal(backoff.next(), firstMs);
    }),
  );
});
