/** Places and number of errors of the `unevaluated…` keywords, which the official suite omits. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileSchema } from '#domain/json-schema/compile-schema.ts';

const card = JSON.parse(`{
  "properties": { "order": { "$ref": "#/$defs/order" } },
  "$defs": {
    "order": {
      "allOf": [{ "properties": { "id": { "type": "string" } } }],
      "if": { "properties": { "kind": { "const": "card" } }, "required": ["kind"] },
      "then": { "properties": { "number": { "type": "string" } } },
      "unevaluatedProperties": false
    }
  }
}`) as Record<string, unknown>;

test('each member that no schema evaluated is named with its path', () => {
  const order = { id: 'a', kind: 'cash', number: '1', 'x/y': 2 };
  assert.deepEqual(compileSchema(card)({ order }), [
    { pointer: '/data/order/kind', detail: 'unknown field' },
    { pointer: '/data/order/number', detail: 'unknown field' },
    { pointer: '/data/order/x~1y', detail: 'unknown field' },
  ]);
});

test('a member that a matching condition and its branch evaluated is allowed', () => {
  assert.deepEqual(compileSchema(card)({ order: { id: 'a', kind: 'card', number: '1' } }), []);
});

test('an item that violates the schema for unevaluated items is named with its place', () => {
  const schema = {
    contains: { type: 'string' },
    unevaluatedItems: { type: 'object', required: ['id'] },
  };
  assert.deepEqual(compileSchema(schema)(['a', { id: 1 }, {}, 3]), [
    { pointer: '/data/2/id', detail: 'is required' },
    { pointer: '/data/3', detail: 'must be an object' },
  ]);
});

test('items beyond the evaluated ones are named each when none is allowed', () => {
  const schema = { prefixItems: [true], unevaluatedItems: false };
  assert.deepEqual(compileSchema(schema)([1, 2, 3]), [
    { pointer: '/data/1', detail: 'is not allowed' },
    { pointer: '/data/2', detail: 'is not allowed' },
  ]);
});

test('a schema validates one event after another without errors left from the one before', () => {
  const validate = compileSchema({ unevaluatedProperties: { type: 'number' } });
  assert.equal(validate({ a: 'x' }).length, 1);
  assert.deepEqual(validate({ a: 1 }), []);
  assert.equal(validate({ b: 'x' }).length, 1);
});

test('a member with a name that all objects inherit is unevaluated until a schema names it', () => {
  const schema = { properties: { a: true }, unevaluatedProperties: false };
  assert.deepEqual(compileSchema(schema)({ constructor: 1 }), [
    { pointer: '/data/constructor', detail: 'unknown field' },
  ]);
});
