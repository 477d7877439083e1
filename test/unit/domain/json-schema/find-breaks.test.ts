import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findBreaks } from '#domain/json-schema/compatibility/find-breaks.ts';
import { limits } from '#domain/limits.ts';

type Schema = Record<string, unknown>;

const object = (properties: Schema, more: Schema = {}): Schema => ({
  type: 'object',
  properties,
  ...more,
});

function assertIncluded(from: Schema, to: Schema): void {
  assert.deepEqual(findBreaks(from, to), []);
}

function assertBreaks(
  from: Schema,
  to: Schema,
  expected: [pointer: string, accepts: string][],
): void {
  assert.deepEqual(
    findBreaks(from, to).map(({ pointer, accepts }) => [pointer, accepts]),
    expected,
  );
}

test('an equal schema breaks nothing, annotations and definitions apart', () => {
  const one = {
    title: 'Order',
    $defs: { id: { type: 'string', pattern: '^o' } },
    ...object({ id: { $ref: '#/$defs/id' } }, { required: ['id'] }),
  };
  const other = object({ id: { pattern: '^o', type: 'string' } }, { required: ['id'] });
  assertIncluded(one, other);
  assertIncluded(other, one);
});

test('a new optional property breaks nothing in an open object', () => {
  const before = object({ id: { type: 'string' } });
  const after = object({ id: { type: 'string' }, note: true });
  assertIncluded(before, after);
  assertIncluded(after, before);
});

test('a new typed property restricts the data of an open object', () => {
  assertBreaks(object({}), object({ note: { type: 'string' } }), [
    ['/properties/note/type', 'null, boolean, object, array, number'],
  ]);
});

for (const [name, from, to, pointer, accepts] of [
  [
    'a newly required property',
    object({}),
    object({}, { required: ['id'] }),
    '/required',
    'data without "id"',
  ],
  ['a removed type', { type: ['string', 'null'] }, { type: 'string' }, '/type', 'null'],
  [
    'integer in place of number',
    { type: 'number' },
    { type: 'integer' },
    '/type',
    'number with a fraction',
  ],
  ['a removed value of an enum', { enum: ['a', 'b'] }, { enum: ['a'] }, '/enum', '"b"'],
  ['an enum in place of any text', { type: 'string' }, { enum: ['a'] }, '/type', ''],
  [
    'a lower maximum',
    { type: 'number', maximum: 10 },
    { type: 'number', maximum: 9 },
    '/maximum',
    'numbers above 9',
  ],
  [
    'an exclusive maximum',
    { type: 'number', maximum: 9 },
    { type: 'number', exclusiveMaximum: 9 },
    '/exclusiveMaximum',
    'numbers not below 9',
  ],
  [
    'a higher minimum',
    { type: 'number' },
    { type: 'number', minimum: 0 },
    '/minimum',
    'numbers below 0',
  ],
  [
    'a coarser multiple',
    { type: 'number', multipleOf: 2 },
    { type: 'number', multipleOf: 4 },
    '/multipleOf',
    'numbers that are no multiple of 4',
  ],
  [
    'a shorter text',
    { type: 'string' },
    { type: 'string', maxLength: 5 },
    '/maxLength',
    'texts longer than 5',
  ],
  [
    'another pattern',
    { type: 'string', pattern: '^a' },
    { type: 'string', pattern: '^b' },
    '/pattern',
    'texts that do not match "^b"',
  ],
  [
    'a format',
    { type: 'string' },
    { type: 'string', format: 'date' },
    '/format',
    'values that do not have the format date',
  ],
  [
    'a closed object',
    object({}),
    object({}, { additionalProperties: false }),
    '/additionalProperties',
    'other properties',
  ],
  [
    'a removed property of a closed object',
    object({ a: true }, { additionalProperties: false }),
    object({}, { additionalProperties: false }),
    '/properties/a',
    'the property "a"',
  ],
  [
    'a narrower item',
    { type: 'array', items: { type: ['string', 'null'] } },
    { type: 'array', items: { type: 'string' } },
    '/items/type',
    'null',
  ],
  [
    'unique items',
    { type: 'array' },
    { type: 'array', uniqueItems: true },
    '/uniqueItems',
    'lists with equal items',
  ],
  [
    'another "not"',
    { not: { type: 'string' } },
    { not: { type: ['string', 'null'] } },
    '/not',
    'data that cannot be compared',
  ],
  [
    'a condition',
    { type: 'object' },
    { type: 'object', if: { required: ['a'] }, else: { required: ['b'] } },
    '/if',
    'data that cannot be compared',
  ],
  [
    'a removed branch',
    { anyOf: [{ type: 'string' }, { type: 'null' }] },
    { anyOf: [{ type: 'string' }] },
    '/anyOf',
    'data that matches no branch',
  ],
  ['nothing', { type: 'string' }, { allOf: [false] }, '', 'some data'],
] as [string, Schema, Schema, string, string][]) {
  test(`reports ${name}`, () => {
    const breaks = findBreaks(from, to);
    assert.ok(
      breaks.some(
        (one) => one.pointer === pointer && (accepts === '' || one.accepts === accepts),
      ) ||
        (accepts === '' && breaks.length > 0),
      JSON.stringify(breaks),
    );
  });
}

for (const [name, from, to] of [
  ['number in place of integer', { type: 'integer' }, { type: 'number' }],
  ['more values of an enum', { enum: ['a'] }, { enum: ['a', 'b'] }],
  ['a type in place of an enum', { const: 'a' }, { type: 'string', maxLength: 1, pattern: '^a$' }],
  ['all values of a boolean', { type: ['boolean', 'null'] }, { enum: [true, false, null] }],
  ['a higher maximum', { type: 'number', exclusiveMaximum: 5 }, { type: 'number', maximum: 5 }],
  ['a finer multiple', { type: 'integer', multipleOf: 4 }, { type: 'number', multipleOf: 2 }],
  ['an integer as a multiple of one', { type: 'integer' }, { multipleOf: 1 }],
  ['keywords of another type', { type: 'string' }, { minimum: 5, required: ['a'], items: false }],
  ['an unknown format', { type: 'string' }, { type: 'string', format: 'idn-email' }],
  [
    'a new branch',
    { oneOf: [{ type: 'string' }] },
    { anyOf: [{ type: 'string' }, { type: 'null' }] },
  ],
  ['the branches of a union', { type: ['string', 'null'] }, { type: ['string', 'null'] }],
  [
    'branches that are included one by one',
    { anyOf: [{ const: 1 }, { const: 'a' }] },
    { enum: [1, 'a'] },
  ],
  [
    'bounds from allOf and references',
    { $ref: '#/$defs/a', $defs: { a: { type: 'integer', maximum: 3 } }, allOf: [{ minimum: 1 }] },
    { type: 'integer', minimum: 0, maximum: 4 },
  ],
  [
    'a property that the pattern covers',
    object({}, { patternProperties: { '^x': { type: 'string' } }, additionalProperties: false }),
    object({}, { patternProperties: { '^x': { type: ['string', 'null'] } } }),
  ],
  [
    'unevaluated properties as additional ones',
    object({ a: true }, { additionalProperties: false }),
    object({ a: true }, { unevaluatedProperties: false }),
  ],
  [
    'an equal condition',
    { if: { type: 'string' }, else: { minLength: 1 } },
    { if: { type: 'string' }, else: { minLength: 1 } },
  ],
] as [string, Schema, Schema][]) {
  test(`accepts ${name}`, () => assertIncluded(from, to));
}

test('a union with a discriminator may get another branch', () => {
  const branch = (kind: string): Schema =>
    object({ kind: { const: kind } }, { required: ['kind'] });
  assertIncluded(
    { oneOf: [branch('a'), branch('b')] },
    { oneOf: [branch('a'), branch('b'), branch('c')] },
  );
  assert.notDeepEqual(
    findBreaks({ oneOf: [branch('a')] }, { oneOf: [branch('a'), object({})] }),
    [],
    'the new branch accepts the same data',
  );
});

test('recursive schemas are compared', () => {
  const list = (value: Schema): Schema => ({
    type: ['object', 'null'],
    properties: { value, next: { $ref: '#' } },
  });
  assertIncluded(list({ type: 'integer' }), list({ type: 'number' }));
  assertBreaks(list({ type: 'number' }), list({ type: 'integer' }), [
    ['/properties/value/type', 'number with a fraction'],
  ]);
});

test('a union of unions is reported as too complex within its steps', () => {
  const deep = (depth: number, last: Schema): Schema =>
    depth === 0
      ? last
      : {
          anyOf: [0, 1, 2, 3].map((n) => ({
            ...object({ [`p${n}`]: deep(depth - 1, last) }),
            required: [`p${n}`],
          })),
        };
  const breaks = findBreaks(deep(5, { type: 'string' }), deep(5, { type: 'integer' }));
  assert.ok(breaks.length > 0 && breaks.length <= limits.schemaCompareStepsMax);
});
