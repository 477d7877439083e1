/** The compiled schema is a copy with bounds: its verdicts must be those of the schema. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import * as fc from 'fast-check';
import { Check } from 'typebox/schema';
import { compileSchema } from '#domain/json-schema/compile-schema.ts';
import { validateSchema } from '#domain/json-schema/validate-schema.ts';

const scalar = fc.constantFrom<unknown>(null, true, 0, 1, 2.5, '', 'a', 'ab', 'b');
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    { arbitrary: scalar, weight: 2 },
    { arbitrary: fc.array(tie('value'), { maxLength: 4 }), weight: 1 },
    {
      arbitrary: fc.dictionary(fc.constantFrom('a', 'b', 'x'), tie('value'), {
        maxKeys: 3,
        noNullPrototype: true,
      }),
      weight: 2,
    },
  ),
}));
const reference = fc.constantFrom('#/$defs/a', '#/$defs/b', '#', '#/properties/a', '#anchor');
const { schema } = fc.letrec<{ schema: unknown }>((tie) => {
  const inner = tie('schema');
  const some = fc.array(inner, { minLength: 1, maxLength: 2 });
  const named = fc.dictionary(fc.constantFrom('a', 'b', 'x'), inner, {
    minKeys: 1,
    maxKeys: 2,
    noNullPrototype: true,
  });
  const keyword = fc.oneof(
    fc.record({ type: fc.constantFrom('object', 'array', 'string', 'number', 'null') }),
    fc.record({ enum: fc.array(scalar, { minLength: 1, maxLength: 3 }) }),
    fc.record({ const: value }),
    fc.record({ minimum: fc.constant(1) }),
    fc.record({ minLength: fc.constant(1) }, { requiredKeys: [] }),
    fc.record({ pattern: fc.constantFrom('^a', 'b$', '[ab]+') }),
    fc.record({ uniqueItems: fc.boolean() }),
    fc.record({ required: fc.subarray(['a', 'b']) }),
    fc.record({ properties: named }),
    fc.record({ patternProperties: fc.record({ '^[ab]$': inner }) }),
    fc.record({ dependentSchemas: named }),
    fc.record({ additionalProperties: inner }),
    fc.record({ unevaluatedProperties: inner }),
    fc.record({ propertyNames: fc.constantFrom({ enum: ['a', 'b'] }, { pattern: 'a' }) }),
    fc.record({ prefixItems: some, items: inner }, { requiredKeys: ['items'] }),
    fc.record({ unevaluatedItems: inner, prefixItems: some }, { requiredKeys: [] }),
    fc.record({ contains: inner, maxContains: fc.constant(2) }, { requiredKeys: ['contains'] }),
    fc.record({ allOf: some }),
    fc.record({ anyOf: some }),
    fc.record({ oneOf: some }),
    fc.record({ not: inner }),
    fc
      .array(inner, { minLength: 1, maxLength: 3 })
      .map((parts) =>
        Object.fromEntries(parts.map((part, i) => [['if', 'then', 'else'][i], part])),
      ),
    reference.map(($ref) => ({ $ref })),
  );
  return {
    schema: fc.oneof(
      { maxDepth: 4 },
      fc.boolean(),
      fc
        .array(keyword, { minLength: 1, maxLength: 2 })
        .map((parts) => Object.assign({}, ...parts) as unknown),
    ),
  };
});
const document = fc.record({
  $defs: fc.record({
    a: schema,
    b: schema,
    c: fc.constant({ $anchor: 'anchor', type: 'string' }),
  }),
  properties: fc.record({ a: schema }),
  anyOf: fc.array(schema, { minLength: 1, maxLength: 2 }),
});

/**
 * The common verdict of two validators; undefined if they differ. Each has its own faults: Ajv
 * with `unevaluated…` keywords with `contains` or `if`, TypeBox with `unevaluatedProperties` of
 * an array.
 */
function newReference(schema: object): (data: unknown) => boolean | undefined {
  const ajv = new Ajv2020({ strict: false, logger: false, validateSchema: false });
  const validate = ajv.compile(schema);
  return (data) => {
    const verdict = Check(schema, data);
    try {
      return validate(data) === verdict ? verdict : undefined;
    } catch {
      return undefined;
    }
  };
}

test('patterns in branches of branches are checked like any others', () => {
  const pattern = { patternProperties: { '^[ab]$': { minimum: 1 } } };
  const conditional = { ...pattern, if: { ...pattern, type: 'number' } };
  for (const schema of [
    { anyOf: [{ ...pattern, oneOf: [{ oneOf: [{ type: 'number', ...pattern }] }, true] }] },
    { anyOf: [{ oneOf: [conditional, false] }] },
  ]) {
    const validate = compileSchema(schema);
    assert.deepEqual(validate({ a: 1 }), []);
    assert.equal(validate({ a: 0 })[0]?.pointer, '/data/a');
  }
});

test('the bounded copy of a schema has the same verdicts as the schema', () => {
  let [valid, invalid] = [0, 0];
  fc.assert(
    fc.property(document, fc.array(value, { minLength: 5, maxLength: 10 }), (schema, values) => {
      fc.pre(validateSchema(schema).length === 0);
      const reference = newReference(schema);
      const ours = compileSchema(schema);
      for (const each of values) {
        const expected = reference(each);
        if (expected === undefined) continue;
        if (expected) valid++;
        else invalid++;
        assert.equal(ours(each).length === 0, expected, JSON.stringify(each));
      }
    }),
    { numRuns: 150 },
  );
  assert.ok(valid > 50 && invalid > 50, `${valid} valid, ${invalid} invalid`);
});
