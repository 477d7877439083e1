import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import { withConvertedTexts } from '#infra/http/server/convert-texts.ts';

function converted(schema: object, texts: Record<string, unknown>): unknown {
  const validate = withConvertedTexts(schema, new Ajv().compile(schema));
  return validate(texts) ? texts : validate.errors?.map(({ instancePath }) => instancePath);
}

const schema = {
  properties: {
    limit: { type: 'integer' },
    all: { type: 'boolean' },
    status: { type: 'array', items: { type: 'string', minLength: 1 }, maxItems: 2 },
    code: { type: 'array', items: { type: 'integer' } },
    text: { type: 'string' },
  },
};

test('texts of a query become integers, booleans and lists', () => {
  const texts = { limit: '007', all: 'true', status: 'failed', code: ['503', '200'], text: '1' };
  assert.deepEqual(converted(schema, texts), {
    limit: 7,
    all: true,
    status: ['failed'],
    code: [503, 200],
    text: '1',
  });
});

test('rejects a text that has not the form of its type, and a repeated single field', () => {
  assert.deepEqual(converted(schema, { limit: '0x10' }), ['/limit']);
  assert.deepEqual(converted(schema, { limit: ['1', '2'] }), ['/limit']);
  assert.deepEqual(converted(schema, { all: ['true', 'true'] }), ['/all']);
  assert.deepEqual(converted(schema, { text: ['a', 'b'] }), ['/text']);
  assert.deepEqual(converted(schema, { code: ['1', 'x'] }), ['/code/1']);
  assert.deepEqual(converted(schema, { status: ['a', 'b', 'c'] }), ['/status']);
  assert.deepEqual(converted(schema, { status: '' }), ['/status/0']);
});

test('rejects a schema with a type that no text has', () => {
  const odd = { properties: { filter: { type: 'object' } } };
  assert.throws(() => converted(odd, {}), /the field filter cannot have the type object/);
});
