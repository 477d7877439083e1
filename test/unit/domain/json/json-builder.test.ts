import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JsonBuilder } from '#domain/json/json-builder.ts';
import { hostileJson, ordinary } from '../../../../bench/parse-cost/hostile-json.ts';

const BYTES = 400_000;

function build(text: string, slice = 10_000): unknown {
  const builder = new JsonBuilder(Buffer.from(text));
  while (!builder.read(slice));
  return builder.value;
}

/** Texts that are longer than several pieces, and those at the edges of one. */
const texts: Record<string, string> = {
  'an array of one long array': `[[${'1,'.repeat(BYTES / 2)}1]]`,
  'members around long ones': `{"a":1,"b":[${'[2],'.repeat(BYTES / 4)}[]],"c":{"d":[${'{"x":null},'.repeat(BYTES / 11)}0],"e":2},"f":3}`,
  'long strings with quotes and brackets': JSON.stringify(
    Array.from({ length: 8 }, (_, i) => `${i}["{,\\"`.repeat(BYTES / 64)),
  ),
  'names with escapes and __proto__': `{"__proto__":[${'1,'.repeat(BYTES / 4)}1],"\\u0061\\"":[${'1,'.repeat(BYTES / 4)}1],"é":1}`,
  'a name that occurs twice': `{"a":[${'1,'.repeat(BYTES / 4)}1],"b":1,"a":[${'2,'.repeat(BYTES / 4)}2]}`,
  'white space everywhere': ` [ ${'{ "a" : [ 1 , 2 ] } , '.repeat(BYTES / 24)} { } ] `,
  'long white space': `[${' '.repeat(BYTES)}1${' '.repeat(BYTES)},2 ]`,
  'a number': ' -1.5e3 ',
  null: 'null',
  'an empty object': '{}',
};

for (const [name, text] of Object.entries(texts)) {
  test(`${name} has the same value as by JSON.parse`, () => {
    const value = build(text);
    assert.deepEqual(value, JSON.parse(text));
    assert.equal(JSON.stringify(value), JSON.stringify(JSON.parse(text)));
  });
}

for (const [name, shape] of Object.entries({ ordinary, ...hostileJson })) {
  const text = shape(BYTES);
  let wanted: string | undefined;
  try {
    wanted = JSON.stringify(JSON.parse(text));
  } catch {
    continue; // Ingress rejects this text, so it is never stored.
  }
  test(`hostile JSON has the same value as by JSON.parse: ${name}`, () => {
    assert.equal(JSON.stringify(build(text)), wanted);
  });
}

test('rejects a text that ends inside a long container with a SyntaxError', () => {
  assert.throws(() => build(`[[${'1,'.repeat(BYTES / 2)}1]`), SyntaxError);
  assert.throws(() => build(`[${'1,'.repeat(BYTES / 2)}1]]`), SyntaxError);
});
