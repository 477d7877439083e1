import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileSchema } from '#domain/json-schema/compile-schema.ts';
import { limits } from '#domain/limits.ts';

type Json = Record<string, unknown>;

const order: Json = {
  type: 'object',
  required: ['id', 'amount'],
  additionalProperties: false,
  properties: {
    id: { type: 'string', pattern: '^ord_[0-9]+$' },
    amount: { type: 'number', minimum: 0, multipleOf: 0.01 },
    currency: { enum: ['EUR', 'USD'] },
    email: { type: 'string', format: 'email' },
    at: { type: 'string', format: 'date-time' },
    tags: { type: 'array', uniqueItems: true, items: { type: 'string', minLength: 1 } },
    'a/b~c': { type: 'null' },
    version: { const: 2 },
    parent: { $ref: '#' },
    card: { type: 'string' },
    cvc: { type: 'string' },
  },
  dependentRequired: { card: ['cvc'] },
};

const cases: [change: Json, pointer: string, detail: RegExp][] = [
  [{ amount: undefined }, '/data/amount', /^is required$/],
  [{ amount: '5' }, '/data/amount', /^must be a number$/],
  [{ amount: -1 }, '/data/amount', /^must be at least 0$/],
  [{ amount: 0.001 }, '/data/amount', /multiple of 0.01/],
  [{ id: 'ord_x' }, '/data/id', /pattern/],
  [{ currency: 'GBP' }, '/data/currency', /^must be one of: EUR, USD$/],
  [{ email: 'nobody' }, '/data/email', /^must have the format email$/],
  [{ at: '2025-02-30T00:00:00Z' }, '/data/at', /^must be a time like 2026/],
  [{ tags: ['a', 'b', 'a'] }, '/data/tags', /two equal items/],
  [{ tags: ['a', ''] }, '/data/tags/1', /^must have at least 1 character$/],
  [{ 'a/b~c': 1 }, '/data/a~1b~0c', /null/],
  [{ version: 1 }, '/data/version', /^must be 2$/],
  [{ unknown: 1 }, '/data/unknown', /^unknown field$/],
  [{ card: '1' }, '/data/cvc', /^is required if there is "card"$/],
  [{ parent: { id: 'ord_1' } }, '/data/parent/amount', /^is required$/],
];

const validateOrder = compileSchema(order);

test('valid data has no errors', () => {
  const data = { id: 'ord_1', amount: 19.99, tags: ['a', 'b'], at: '2025-02-28T00:00:00Z' };
  assert.deepEqual(validateOrder(data), []);
  assert.deepEqual(validateOrder({ ...data, parent: data, 'a/b~c': null }), []);
});

for (const [change, pointer, detail] of cases) {
  test(`rejects ${JSON.stringify(change)} at ${pointer}`, () => {
    const data = JSON.parse(JSON.stringify({ id: 'ord_1', amount: 1, ...change })) as unknown;
    const errors = validateOrder(data);
    assert.deepEqual(
      errors.map((each) => each.pointer),
      [pointer],
    );
    assert.match(errors[0]?.detail ?? '', detail);
  });
}

test('rejects data that is not an object with all its faults together', () => {
  assert.deepEqual(validateOrder('x'), [{ pointer: '/data', detail: 'must be an object' }]);
  assert.deepEqual(validateOrder(undefined).length, 1);
  assert.deepEqual(
    validateOrder({ amount: 'x', extra: 1, tags: [1, 2] }).map((each) => each.pointer),
    ['/data/id', '/data/extra', '/data/amount', '/data/tags/0', '/data/tags/1'],
  );
});

test('members of Object.prototype are not fields and hide no field', () => {
  const schema = { required: ['constructor'], properties: { toString: { type: 'string' } } };
  assert.deepEqual(
    compileSchema(schema)({}).map((each) => each.pointer),
    ['/data/constructor'],
  );
  assert.deepEqual(compileSchema({ additionalProperties: false })(JSON.parse('{"__proto__":1}')), [
    { pointer: '/data/__proto__', detail: 'unknown field' },
  ]);
});

test('members named like methods of objects are compared like others', () => {
  const validate = compileSchema({ enum: [{ valueOf: 1, toString: 2, constructor: { a: [3] } }] });
  assert.deepEqual(validate({ constructor: { a: [3] }, toString: 2, valueOf: 1 }), []);
  assert.equal(validate({ constructor: { a: [4] }, toString: 2, valueOf: 1 }).length, 1);
  assert.deepEqual(compileSchema({ const: null })(null), []);
});

test('the number of errors is bounded', () => {
  const validate = compileSchema({ items: { type: 'string' } });
  const numbers = (length: number) => Array.from({ length }, (_, i) => i);
  assert.equal(validate(numbers(1000)).length, limits.fieldErrorsMax);
  assert.deepEqual(validate(numbers(200_000)), [
    { pointer: '/data/0', detail: 'must be a string' },
  ]);
});

test('url and regex are validated by parsing them', () => {
  const url = compileSchema({ format: 'url' });
  assert.deepEqual(url('https://example.com/a?b'), []);
  for (const text of ['example.com', 'javascript:alert(1)', 'http://'])
    assert.equal(url(text).length, 1);
  const regex = compileSchema({ format: 'regex' });
  assert.deepEqual(regex('^a+$'), []);
  for (const text of ['(', 'a(?=b)']) assert.equal(regex(text).length, 1);
});
