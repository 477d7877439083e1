/** Checks with random schemas and data that an accepted change of a schema breaks nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { findBreaks } from '#domain/json-schema/compatibility/find-breaks.ts';
import { compileSchema } from '#domain/json-schema/compile-schema.ts';
import { validateSchema } from '#domain/json-schema/validate-schema.ts';

type Schema = Record<string, unknown>;

const names = fc.constantFrom('a', 'b', 'x1');
const scalars = fc.constantFrom<unknown>(null, true, false, 0, 1, 2, 2.5, '', 'a', 'ab', 'x1');
const kinds = fc.constantFrom('null', 'boolean', 'integer', 'number', 'string', 'object', 'array');
const small = fc.integer({ min: 0, max: 3 });

const { data } = fc.letrec<{ data: unknown }>((tie) => ({
  data: fc.oneof(
    { maxDepth: 3 },
    { weight: 4, arbitrary: scalars },
    fc.array(tie('data'), { maxLength: 3 }),
    fc.dictionary(names, tie('data'), { maxKeys: 3 }),
  ),
}));

const { schema } = fc.letrec<{ schema: Schema; part: Schema | boolean }>((tie) => {
  const parts = fc.array(tie('part'), { minLength: 1, maxLength: 3 });
  const optional = { requiredKeys: [] };
  const keywords = {
    type: fc.uniqueArray(kinds, { minLength: 1, maxLength: 3 }),
    enum: fc.uniqueArray(scalars, { minLength: 1, maxLength: 4 }),
    const: scalars,
    minimum: small,
    maximum: small,
    exclusiveMaximum: small,
    exclusiveMinimum: small,
    multipleOf: fc.constantFrom(1, 2, 0.5),
    minLength: small,
    maxLength: small,
    pattern: fc.constantFrom('^a', 'b$', '^x1$'),
    required: fc.uniqueArray(names, { maxLength: 2 }),
    minProperties: small,
    maxItems: small,
    uniqueItems: fc.boolean(),
    properties: fc.dictionary(names, tie('part'), { maxKeys: 2 }),
    patternProperties: fc.dictionary(fc.constantFrom('^x', '1$'), tie('part'), { maxKeys: 1 }),
    additionalProperties: tie('part'),
    unevaluatedProperties: tie('part'),
    propertyNames: tie('part'),
    items: tie('part'),
    prefixItems: parts,
    contains: tie('part'),
    unevaluatedItems: tie('part'),
    allOf: parts,
    anyOf: parts,
    oneOf: parts,
    not: tie('part'),
    if: tie('part'),
    else: tie('part'),
    $ref: fc.constant('#/$defs/shared'),
  };
  return {
    schema: fc.record(keywords, optional).chain((whole) =>
      // A few keywords at a time, so that schemas accept some data.
      fc
        .shuffledSubarray(Object.keys(whole), { maxLength: 4 })
        .map((kept) =>
          Object.fromEntries(kept.map((name) => [name, whole[name as keyof typeof whole]])),
        ),
    ),
    part: fc.oneof({ maxDepth: 2 }, fc.boolean(), fc.record({ type: kinds }), tie('schema')),
  };
});

const shared = fc.constantFrom<Schema>(
  { type: 'integer' },
  { properties: { a: { type: 'string' } } },
);
const pairs = fc
  .tuple(schema, schema, shared, fc.boolean())
  .map(([one, other, $defsShared, isChange]): [Schema, Schema] => {
    const $defs = { $defs: { shared: $defsShared } };
    return [
      { ...one, ...$defs },
      { ...(isChange ? { ...one, ...other } : other), ...$defs },
    ];
  })
  .filter((both) => both.every((one) => validateSchema(one).length === 0));

test('data of the old schema matches the new one unless a break is reported', () => {
  let compared = 0;
  fc.assert(
    fc.property(pairs, fc.array(data, { minLength: 20, maxLength: 60 }), ([from, to], samples) => {
      if (findBreaks(from, to).length > 0) return;
      const [accepts, requires] = [compileSchema(from), compileSchema(to)];
      for (const sample of samples) {
        if (accepts(sample).length > 0) continue;
        compared++;
        assert.deepEqual(requires(sample), [], JSON.stringify({ from, to, sample }));
      }
    }),
    { numRuns: 300 },
  );
  assert.ok(compared > 100, `${compared} samples were compared`);
});
