import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isMultipleOf } from '#domain/json-schema/keywords/multiple-of.ts';

const cases: [value: number, divisor: number, multiple: boolean][] = [
  [19.99, 0.01, true],
  [19.995, 0.01, false],
  [0.0075, 0.0001, true],
  [12391239123, 1e-8, true],
  [1e308, 0.123456789, false],
  [1e308, 1e-308, true],
  [5e-324, 5e-324, true],
  [1.7976931348623157e308, 5e-324, true],
  [-7.5, 2.5, true],
  [-7, 2.5, false],
  [0, 0.3, true],
  [-0, 3, true],
  [2 ** 53, 3, false],
];

for (const [value, divisor, multiple] of cases) {
  test(`${value} is ${multiple ? 'a' : 'no'} multiple of ${divisor}`, () => {
    assert.equal(isMultipleOf(value, divisor), multiple);
  });
}

test('an integer count of cents of any size is a multiple of 0.01', () => {
  fc.assert(
    fc.property(fc.integer({ min: -1e12, max: 1e12 }), (cents) =>
      isMultipleOf(Number(`${cents}e-2`), 0.01),
    ),
  );
});
