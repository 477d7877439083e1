import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileSchema } from '#domain/json-schema/compile-schema.ts';
import { validateSchema } from '#domain/json-schema/validate-schema.ts';
import { limits } from '#domain/limits.ts';

type Json = Record<string, unknown>;

const good: [name: string, schema: Json][] = [
  ['empty', {}],
  [
    'with dialect and id',
    {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      $id: 'https://example.com/order.json',
      type: 'object',
    },
  ],
  ['annotations', { title: 'x', examples: [1], nullable: true, id: 'a', 'x-team': { $ref: 1 } }],
  [
    'references',
    {
      $ref: '#/$defs/a%20b',
      properties: { self: { $ref: '#' }, anchor: { $ref: '#c' }, dynamic: { $dynamicRef: '#d' } },
      $defs: { 'a b': { $anchor: 'c' }, d: { $dynamicAnchor: 'd' } },
    },
  ],
  ['definitions of old', { $ref: '#/definitions/a', definitions: { a: true } }],
  [
    'a reference to another document',
    { properties: { a: { type: 'string' }, b: { $ref: '#/properties/a' } } },
  ],
  [
    'patterns of ECMA-262',
    { pattern: '^(?<year>\\d{4})-\\u00e9$', patternProperties: { '^x-': {} } },
  ],
  ['a property that is named as a keyword', { properties: { $ref: { type: 'string' }, id: true } }],
  ['values that look like schemas', { enum: [{ $ref: 'x', $async: true }], const: { $id: 1 } }],
  ['an unknown format', { format: 'idn-email' }],
];

for (const [name, schema] of good) {
  test(`accepts a schema: ${name}`, () => {
    assert.deepEqual(validateSchema(schema), []);
    assert.equal(typeof compileSchema(schema), 'function');
  });
}

const chain = (length: number, each: (next: string) => unknown) =>
  Object.fromEntries(
    Array.from({ length }, (_, i) => [`d${i}`, i + 1 < length ? each(`#/$defs/d${i + 1}`) : {}]),
  );

const bad: [name: string, schema: unknown, pointer: string, detail: RegExp][] = [
  ['no object', true, '', /must be an object/],
  ['a list', [], '', /must be an object/],
  ['an older draft', { $schema: 'http://json-schema.org/draft-07/schema#' }, '/$schema', /2020-12/],
  ['unknown type', { type: 'text' }, '/type', /must be/],
  ['type of a property', { properties: { a: { type: 5 } } }, '/properties/a/type', /must be/],
  ['wrong keyword value', { items: { minLength: -1 } }, '/items/minLength', /at least 0/],
  ['items of an older draft', { items: [{}] }, '/items', /must be an object or true or false/],
  ['additionalItems', { additionalItems: false }, '/additionalItems', /prefixItems/],
  [
    'dependencies',
    { properties: { a: { dependencies: {} } } },
    '/properties/a/dependencies',
    /depende/,
  ],
  ['$async', { $async: true }, '/$async', /not JSON Schema/],
  ['equal $id', { $defs: { a: { $id: 'b' }, b: { $id: 'b' } } }, '/$defs/b/$id', /duplicate \$id/],
  ['equal $id of the document', { $id: 'a', not: { $id: 'a' } }, '/not/$id', /duplicate \$id/],
  [
    'equal anchors',
    { $anchor: 'a', $defs: { b: { $dynamicAnchor: 'a' } } },
    '/$defs/b/$dynamicAnchor',
    /duplicate anchor "a"/,
  ],
  ['$id that is no URI', { $defs: { a: { $id: 'http://[' } } }, '/$defs/a/$id', /URI|match format/],
  [
    'reference to another resource by a pointer that leads to nothing',
    { $id: 'https://example.com/a', items: { $ref: '/a#/$defs/b' } },
    '/items/$ref',
    /nothing is fetched/,
  ],
  ['dynamic scopes that multiply', multiplyingScopes(11), '', /too many dynamic scopes/],
  ['remote reference', { $ref: 'https://example.com/a.json' }, '/$ref', /nothing is fetched/],
  ['reference to a file', { items: { $ref: 'a.json#/$defs/a' } }, '/items/$ref', /this document/],
  ['reference to nothing', { $ref: '#/$defs/a' }, '/$ref', /leads to no schema/],
  ['reference into an annotation', { $ref: '#/x', x: {} }, '/$ref', /leads to no schema/],
  ['reference into an enum', { $ref: '#/enum/0', enum: [{}] }, '/$ref', /leads to no schema/],
  ['unknown anchor', { $ref: '#a' }, '/$ref', /leads to no schema/],
  ['broken escape', { $ref: '#/%' }, '/$ref', /leads to no schema|must match/],
  ['loop', { $ref: '#' }, '/$ref', /leads back to itself/],
  [
    'loop over two',
    { $defs: { a: { not: { $ref: '#/$defs/b' } }, b: { anyOf: [{ $ref: '#/$defs/a' }] } } },
    '/$defs/b/anyOf/0/$ref',
    /leads back to itself/,
  ],
  [
    'loop by anchor',
    { $anchor: 'a', if: { $dynamicRef: '#a' } },
    '/if/$dynamicRef',
    /back to itself/,
  ],
  [
    'definitions that double',
    { $ref: '#/$defs/d0', $defs: chain(30, ($ref) => ({ allOf: [{ $ref }, { $ref }] })) },
    '',
    /references followed; 500 are allowed/,
  ],
  ['pattern syntax', { items: { pattern: '(' } }, '/items/pattern', /RE2/],
  ['look-behind', { pattern: '(?<=a)b' }, '/pattern', /RE2/],
  [
    'pattern of properties',
    { patternProperties: { '(?=a)': {} } },
    '/patternProperties/(?=a)',
    /RE2/,
  ],
  ['large pattern', { pattern: '.{1000}.{1000}' }, '/pattern', /too large/],
  ['__proto__', JSON.parse('{"properties": {"__proto__": {}}}'), '/properties/__proto__', /name/],
];

/** Each path enters another subset of the resources: 2 to the power of `count` scopes. */
function multiplyingScopes(count: number): Json {
  const $defs: Json = {};
  for (let i = 0; i <= count; i++) {
    const next = i === count ? [] : [{ $ref: `r${i + 1}` }, { $ref: `s${i + 1}` }];
    const use = { properties: { x: { $dynamicRef: `#n${i}` } } };
    for (const kind of ['r', 's']) {
      const $id = `${kind}${i}`;
      $defs[$id] = { $id, $defs: { a: { $dynamicAnchor: `n${i}` } }, anyOf: [use, ...next] };
    }
  }
  return { $id: 'https://example.com/root', anyOf: [{ $ref: 'r0' }, { $ref: 's0' }], $defs };
}

for (const [name, schema, pointer, detail] of bad) {
  test(`rejects a schema: ${name}`, () => {
    const errors = validateSchema(schema);
    const error = errors.find((each) => each.pointer === pointer);
    assert.ok(error, JSON.stringify(errors));
    assert.match(error.detail, detail);
  });
}

const nested = (levels: number): Json => (levels === 0 ? {} : { items: nested(levels - 1) });
const patterns = (count: number) => ({
  prefixItems: Array.from({ length: count }, (_, i) => ({ pattern: `[ab]{1${i + 10}}` })),
});
const bounds: [name: string, atBound: Json, over: Json][] = [
  ['depth', nested(limits.schemaDepthMax - 1), nested(limits.schemaDepthMax)],
  [
    'bytes',
    { title: 'x'.repeat(limits.schemaBytesMax - 12) },
    { title: 'x'.repeat(limits.schemaBytesMax - 11) },
  ],
  [
    'branches',
    { anyOf: Array.from({ length: limits.schemaBranchesMax - 1 }, () => ({})) },
    { anyOf: Array.from({ length: limits.schemaBranchesMax }, () => ({})) },
  ],
  [
    'length of a pattern',
    { pattern: 'a'.repeat(limits.schemaPatternLengthMax) },
    { pattern: 'a'.repeat(limits.schemaPatternLengthMax + 1) },
  ],
  ['patterns together', patterns(60), patterns(80)],
];

for (const [name, atBound, over] of bounds) {
  test(`a schema is accepted at its bound and rejected above it: ${name}`, () => {
    assert.deepEqual(validateSchema(atBound), []);
    assert.equal(validateSchema(over).length, 1);
  });
}

test('rejects a schema nested as deep as JSON.parse accepts without throwing', () => {
  const text = `${'{"items":'.repeat(10_000)}{}${'}'.repeat(10_000)}`;
  assert.match(validateSchema(JSON.parse(text))[0]?.detail ?? '', /too deep/);
});

test('the number of errors is bounded', () => {
  const properties = Object.fromEntries(
    Array.from({ length: 200 }, (_, i) => [`p${i}`, { $ref: '#/nowhere' }]),
  );
  assert.equal(validateSchema({ properties }).length, limits.fieldErrorsMax);
});

test('rejects an invalid schema at compilation with its fields', () => {
  assert.throws(() => compileSchema({ $ref: '#' }), {
    code: 'POSTHORN_SCHEMA_INVALID',
    fields: [
      { pointer: '/$ref', detail: 'leads back to itself without going deeper into the data' },
    ],
  });
  assert.throws(() => compileSchema({ pattern: '(' }), { code: 'POSTHORN_SCHEMA_INVALID' });
  assert.throws(() => compileSchema(nested(50)), { code: 'POSTHORN_SCHEMA_INVALID' });
});
