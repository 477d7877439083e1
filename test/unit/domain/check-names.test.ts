import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { findNameFault } from '#domain/json/check-names.ts';

const find = (text: string) => findNameFault(Buffer.from(text));

const faults: [text: string, pointer: string][] = [
  ['{"a":1,"a":2}', '/a'],
  ['{"a":{"b":[1,{"c":2,"d":3,"c":4}]}}', '/a/b/1/c'],
  [String.raw`{"é":1,"\u00e9":2}`, '/é'],
  [String.raw`{"a\"":1,"b":"\\","a\"":2}`, '/a"'],
  ['{"":1,"":2}', '/'],
  [`{"${'n'.repeat(400)}":1,"${'n'.repeat(400)}":2}`, `/${'n'.repeat(400)}`],
  ['[[],{"__proto__":1}]', '/1/__proto__'],
  [String.raw`{"\u005f_proto__":1}`, '/__proto__'],
];
for (const [text, pointer] of faults) {
  test(`rejects ${text.slice(0, 40)} with the pointer to the name`, () => {
    assert.equal(find(text)?.pointer, pointer);
  });
}

test('names that differ, and equal names of different objects, have no fault', () => {
  const long = 'n'.repeat(400);
  for (const text of [
    `{"${long}1":1,"${long}2":2}`,
    '{"a":{"a":[{"a":1},{"a":"a"}]},"b":{"a":1}}',
    String.raw`{"a":"\"a\":","b":"{\"a\":1,\"a\":2}"}`,
    '"a"',
    '[{},[],"__proto__",1.5,true,null]',
    '{"constructor":{"prototype":1}}',
  ]) {
    assert.equal(find(text), undefined, text);
  }
});

test('a skipped value is not read', () => {
  const text = '{"a":1,"event":{"b":1,"b":2},"c":{"c":1,"c":2}}';
  const start = text.indexOf('{"b"');
  const end = text.indexOf('},"c"') + 1;
  assert.equal(findNameFault(Buffer.from(text), { start, end })?.pointer, '/c/c');
});

test('every text that JSON.stringify writes has no fault', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      if (/__proto__/.test(text)) return;
      assert.equal(find(text), undefined);
      assert.equal(find(`{"a":${text},"a":${text}}`)?.pointer, '/a');
    }),
  );
});
