import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { hasUniqueItems } from '#domain/json-schema/keywords/equal-values.ts';

const small = fc.oneof(
  fc.constantFrom<unknown>(null, 0, 1, '1', 'null', true, '[1]', ''),
  fc.array(fc.constantFrom<unknown>(1, '1', [], {}), { maxLength: 2 }),
  fc.dictionary(fc.constantFrom('a', 'b'), fc.constantFrom<unknown>(1, '1', []), {
    maxKeys: 2,
    noNullPrototype: true,
  }),
);

test('items are unique when no two are equal', () => {
  fc.assert(
    fc.property(fc.array(small, { maxLength: 6 }), (items) => {
      const equal = items.some((a, i) => items.slice(i + 1).some((b) => isDeepStrictEqual(a, b)));
      assert.equal(
        hasUniqueItems(items, () => {}),
        !equal,
      );
    }),
    { numRuns: 2000 },
  );
});

test('the steps of a uniqueness check grow with the number of values, not with its square', () => {
  let taken = 0;
  hasUniqueItems(
    Array.from({ length: 1000 }, (_, i) => [i]),
    (steps) => {
      taken += steps;
    },
  );
  assert.equal(taken, 2000);
});
