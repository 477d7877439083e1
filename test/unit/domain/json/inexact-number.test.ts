import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { findInexactNumber, isKeptExactly } from '#domain/json/inexact-number.ts';

const kept =
  '0 -0 0.0e5 0e999 1 -1.50 0.1 1e21 123456789012345.6e-3 1e308 1E+2 5e-324 1.0000000000000000000';
const lost =
  '9007199254740993 9007199254740993.0000 12345678901234567890 -0.1000000000000000055 1e400 1e-400';

for (const source of kept.split(' ')) {
  test(`a double keeps ${source}`, () => assert.ok(isKeptExactly(source, Number(source))));
}
for (const source of lost.split(' ')) {
  test(`a double does not keep ${source}`, () => assert.ok(!isKeptExactly(source, Number(source))));
}

test('a double keeps every number that was written from one', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) =>
      isKeptExactly(JSON.stringify(value), value),
    ),
  );
});

test('an integer is kept when its double has its value', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }), (integer) => {
      const isKept = BigInt(expand(Number(integer))) === integer;
      assert.equal(isKeptExactly(String(integer), Number(integer)), isKept);
    }),
  );
});

/** An integer as JavaScript writes it, without an exponent. */
function expand(value: number): string {
  const [digits = '', power] = String(value).split('e');
  if (power === undefined) return digits;
  const [whole = '', fraction = ''] = digits.split('.');
  return (whole + fraction).padEnd(whole.length + Number(power), '0');
}

const found: [text: string, pointer: string, source: string][] = [
  ['12345678901234567890', '', '12345678901234567890'],
  ['{"a/b":[{},{"c":[1,9007199254740993]}],"z":1e999}', '/a~1b/1/c/1', '9007199254740993'],
  ['[[1e999]]', '/0/0', '1e999'],
];
for (const [text, pointer, source] of found) {
  test(`${text} has an inexact number at "${pointer}"`, () => {
    assert.deepEqual(findInexactNumber(text), { pointer, source });
  });
}

test('digits in strings and exact numbers are not reported as inexact', () => {
  assert.equal(
    findInexactNumber('{"12345678901234567890":"12345678901234567890","n":[1.25e300]}'),
    undefined,
  );
});
