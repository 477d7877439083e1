import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { compileFilter } from '#domain/filter/compile-filter.ts';
import { fieldOperators } from '#domain/filter/operators.ts';
import { validateFilter } from '#domain/filter/validate-filter.ts';
import { limits } from '#domain/limits.ts';

const good: unknown[] = [
  {},
  { type: 'order.created', region: 'eu' },
  { 'data.customer.tier': { $in: ['gold', null, 1, { a: [1] }] } },
  { 'data.items.0.sku': { $not: { $regex: '^A', $options: 'im' } } },
  { $or: [{ data: null }, { $and: [{ $nor: [{}] }] }] },
  { 'data.list': { $elemMatch: { Name_1: 1, $or: [{ 'X-y': 2 }] } } },
  { 'data.list': { $elemMatch: { $gt: 1, $lt: 5 } } },
  { 'data.rates': { '7': { b: 1 } }, 'data.a': { $gte: [1, ['x']] } },
  { data: { '07': 1, '-1': 2, '4294967295': 3 } },
  { 'data.$ref': { $exists: true }, data: {}, 'data.a': [] },
];

for (const filter of good) {
  test(`accepts ${JSON.stringify(filter)}`, () => {
    assert.deepEqual(validateFilter(filter), []);
    assert.equal(typeof compileFilter(filter as Record<string, unknown>)({}), 'boolean');
  });
}

const nested = (levels: number): unknown =>
  levels === 0 ? { type: 'a' } : { $and: [nested(levels - 1)] };
const deepValue = (levels: number): unknown => (levels === 0 ? 1 : [deepValue(levels - 1)]);
const many = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`data.f${i}`, i]));

const bad: [name: string, filter: unknown, pointer: string, detail: RegExp][] = [
  ['no object', [], '', /must be an object/],
  ['null', null, '', /must be an object/],
  ['text', 'type', '', /must be an object/],
  ['unknown operator at the top', { $where: '1' }, '/$where', /field names, \$and, \$or, \$nor/],
  ['expression', { $expr: { $gt: [1, 0] } }, '/$expr', /not an operator/],
  ['field operator at the top', { $gt: 1 }, '/$gt', /stands on a field/],
  ['unknown operator on a field', { data: { $size: 1 } }, '/data/$size', /allowed: \$eq/],
  ['join on a field', { data: { $or: [{}] } }, '/data/$or', /allowed: \$eq/],
  ['name alongside operators', { data: { $gt: 1, b: 2 } }, '/data/b', /not an operator/],
  ['operators alongside a name', { data: { b: 2, $gt: 1 } }, '/data/b', /not an operator/],
  ['empty $and', { $and: [] }, '/$and', /at least one/],
  ['$or without list', { $or: { type: 'a' } }, '/$or', /list/],
  ['$nor of values', { $nor: [{}, 5] }, '/$nor/1', /must be an object/],
  ['$in without list', { type: { $in: 'a' } }, '/type/$in', /list/],
  ['$exists', { type: { $exists: 1 } }, '/type/$exists', /true or false/],
  ['$regex', { type: { $regex: 5 } }, '/type/$regex', /string/],
  ['$regex syntax', { type: { $regex: '(a' } }, '/type/$regex', /RE2.*missing closing/],
  ['look-ahead', { type: { $regex: 'a(?=b)' } }, '/type/$regex', /RE2/],
  ['back-reference', { type: { $regex: '(a)\\1' } }, '/type/$regex', /RE2/],
  ['large $regex', { type: { $regex: '.{1000}.{1000}.{1000}' } }, '/type/$regex', /too large/],
  ['$options letter', { type: { $regex: 'a', $options: 'x' } }, '/type/$options', /i, m and s/],
  ['$options alone', { type: { $options: 'i' } }, '/type/$options', /only with \$regex/],
  ['empty $not', { type: { $not: {} } }, '/type/$not', /object of operators/],
  ['$not of a value', { type: { $not: 'a' } }, '/type/$not', /object of operators/],
  ['$elemMatch of a value', { data: { $elemMatch: 1 } }, '/data/$elemMatch', /must be an object/],
  [
    'bad operator in $elemMatch',
    { data: { $elemMatch: { a: { $foo: 1 } } } },
    '/data/$elemMatch/a/$foo',
    /not an operator/,
  ],
  [
    'a name that is a number among others',
    { data: { rates: { b: 1, '7': 2 } } },
    '/data/rates',
    /"7" among others/,
  ],
  [
    'names that are numbers in a list',
    { type: { $in: ['a', [{ '0': 1, '1': 2 }]] } },
    '/type/$in/1/0',
    /"0" among others/,
  ],
  ['an object to order by', { data: { $gt: { a: 1 } } }, '/data/$gt', /must not be or contain an/],
  ['an object in a list to order by', { data: { $lte: [1, [{}]] } }, '/data/$lte', /an object/],
  ['operator in a literal', { data: { a: { $gt: 1 } } }, '/data/a/$gt', /written with dots/],
  ['operator in $in', { type: { $in: [{ $regex: 'a' }] } }, '/type/$in/0/$regex', /with dots/],
  ['empty name', { 'data..a': 1 }, '/data..a', /single dots/],
  ['empty path', { '': 1 }, '/', /single dots/],
  ['no attribute', { customer_id: 1 }, '/customer_id', /starts with "data\."/],
  ['prototype', JSON.parse('{"__proto__": 1}'), '/__proto__', /not a field of events/],
  ['slash in a name', { 'data.a/b~c': { $x: 1 } }, '/data.a~1b~0c/$x', /not an operator/],
  ['not JSON', { type: undefined }, '/type', /JSON/],
  ['not a number', { type: { $gt: Infinity } }, '/type/$gt', /JSON/],
  ['function', { type: { $in: [() => 1] } }, '/type/$in/0', /JSON/],
];

for (const [name, filter, pointer, detail] of bad) {
  test(`rejects a filter: ${name}`, () => {
    const [error, ...more] = validateFilter(filter);
    assert.equal(error?.pointer, pointer);
    assert.match(error.detail, detail);
    assert.deepEqual(more, []);
  });
}

const long = 'x'.repeat(1000);
const bounds: [name: string, atBound: unknown, over: unknown][] = [
  ['depth of joins', nested(limits.filterDepthMax), nested(limits.filterDepthMax + 1)],
  [
    'depth of a literal',
    { data: deepValue(limits.filterDepthMax) },
    { data: deepValue(limits.filterDepthMax + 1) },
  ],
  ['conditions', many(limits.filterNodesMax), many(limits.filterNodesMax + 1)],
  [
    'length of $in',
    { type: { $in: Array.from({ length: limits.filterListMax }, String) } },
    { type: { $in: Array.from({ length: limits.filterListMax + 1 }, String) } },
  ],
  [
    'bytes',
    { type: { $in: Array.from({ length: 16 }, () => long) } },
    { type: { $in: Array.from({ length: 17 }, () => long) } },
  ],
  [
    'length of $regex',
    { type: { $regex: 'a'.repeat(limits.filterRegexLengthMax) } },
    { type: { $regex: 'a'.repeat(limits.filterRegexLengthMax + 1) } },
  ],
  [
    'names in a path',
    { [`data${'.0'.repeat(limits.filterPathSegmentsMax - 1)}`]: 1 },
    { [`data${'.0'.repeat(limits.filterPathSegmentsMax)}`]: 1 },
  ],
  [
    'regexes together',
    { $and: Array.from({ length: 10 }, () => ({ type: { $regex: '[ab]{190}' } })) },
    { $and: Array.from({ length: 11 }, () => ({ type: { $regex: '[ab]{190}' } })) },
  ],
];

for (const [name, atBound, over] of bounds) {
  test(`a filter is accepted at its bound and rejected above it: ${name}`, () => {
    assert.deepEqual(validateFilter(atBound), []);
    assert.equal(validateFilter(over).length, 1);
  });
}

test('the number of errors is bounded', () => {
  const errors = validateFilter({ $or: Array.from({ length: 90 }, () => ({ $foo: 1 })) });
  assert.equal(errors.length, limits.fieldErrorsMax);
});

test('rejects a body nested as deep as JSON.parse accepts without throwing', () => {
  const parse = (text: string) => JSON.parse(text) as unknown;
  const open = '[{"$and":'.repeat(5000);
  for (const body of [
    `{"data":${'['.repeat(10_000)}${']'.repeat(10_000)}}`,
    `{"$and":${open}[{}]${'}]'.repeat(5000)}}`,
    `${'{"data":{"$not":'.repeat(5000)}1${'}}'.repeat(5000)}`,
    `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`,
  ]) {
    assert.ok(validateFilter(parse(body)).length > 0);
  }
});

test('an accepted filter compiles and never throws', () => {
  const key = fc.oneof(
    fc.constantFrom(
      'data',
      'type',
      'data.a',
      '$and',
      '$or',
      '$nor',
      '$where',
      'data.',
      '__proto__',
    ),
    fc.constantFrom(...fieldOperators),
  );
  const { anything } = fc.letrec<{ anything: unknown }>((tie) => ({
    anything: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom<unknown>(null, 1, 'a', '(', true, undefined),
      fc.array(tie('anything'), { maxLength: 2 }),
      fc.dictionary(key, tie('anything'), { maxKeys: 3 }),
    ),
  }));
  const documents = fc.sample(fc.record({ type: fc.string(), data: fc.jsonValue() }), 20);
  let accepted = 0;
  fc.assert(
    fc.property(anything, (filter) => {
      if (validateFilter(filter).length > 0) return;
      accepted++;
      const compiled = compileFilter(filter as Record<string, unknown>);
      for (const document of documents) assert.equal(typeof compiled(document), 'boolean');
    }),
    { numRuns: 3000 },
  );
  assert.ok(accepted > 50, String(accepted));
});
