import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeKeyUses, encodeKeyUses } from '#wire/key-uses.ts';

test('a report of key uses is decoded as it was encoded, and anything else is rejected', () => {
  const uses = [{ id: 'key_1', atMs: 5 }];
  assert.deepEqual(decodeKeyUses(encodeKeyUses(uses)), uses);
  assert.deepEqual(decodeKeyUses('[]'), []);
  for (const text of ['', '{}', '[1]', '[["key_1"]]', '[[1,2]]', '[["key_1","2"]]']) {
    assert.throws(() => decodeKeyUses(text), SyntaxError, text);
  }
});
