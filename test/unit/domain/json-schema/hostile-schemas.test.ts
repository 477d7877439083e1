/** Schemas and data that are made to take long. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileSchema } from '#domain/json-schema/compile-schema.ts';
import { validateSchema } from '#domain/json-schema/validate-schema.ts';
import { hostile, list, tooLarge } from './hostile-cases.ts';

for (const [name, schema, data, errors] of hostile) {
  test(`a check is bounded: ${name}`, () => {
    assert.deepEqual(validateSchema(schema), []);
    assert.deepEqual(compileSchema(schema)(data()), errors);
  });
}

test('other data is judged as before after a refusal for its size', () => {
  const validate = compileSchema({ items: { required: list(1000, (i) => `r${i}`) } });
  assert.deepEqual(validate(list(10_000, () => ({}))), [
    { pointer: '/data/0/r0', detail: 'is required' },
  ]);
  assert.deepEqual(validate(list(10_000, () => 1)), tooLarge);
  assert.deepEqual(validate([1, 2]), []);
  assert.equal(validate([{}])[0]?.pointer, '/data/0/r0');
});

test('the time of each format check is at most proportional to the length of its text', () => {
  const names = ['date', 'time', 'date-time', 'iso-time', 'iso-date-time', 'duration', 'uri'];
  names.push('uri-reference', 'uri-template', 'url', 'email', 'hostname', 'ipv4', 'ipv6', 'uuid');
  names.push('json-pointer', 'json-pointer-uri-fragment', 'relative-json-pointer', 'byte', 'regex');
  const pieces = ['a', '1', 'a.', '/~0', 'a@', '{a}', '-', '%20', ':', '0-', 'http://a:', 'a-'];
  for (const format of names) {
    const validate = compileSchema({ format });
    for (const piece of pieces) {
      const text = `${piece.repeat(100_000 / piece.length)}\u0000`;
      assert.ok(validate(text).length <= 1);
      assert.ok(validate(`http://${text}`).length <= 1);
    }
  }
});

test('a check leaves expensive work to its caller when it must fit in one turn of the event loop', () => {
  const expensive = compileSchema({ pattern: '^(a+)+$' });
  const text = `${'a'.repeat(50_000)}!`;
  assert.equal(expensive.atOnce(text), undefined);
  assert.deepEqual(expensive(text), [
    { pointer: '/data', detail: 'must match the pattern ^(a+)+$' },
  ]);
  const many = compileSchema({ items: { enum: list(1000, (i) => i) } });
  assert.equal(many.atOnce(list(50_000, () => 999)), undefined);
  assert.deepEqual(many.atOnce([999]), []);
  assert.deepEqual(many.atOnce(['x']), many(['x']));
});
