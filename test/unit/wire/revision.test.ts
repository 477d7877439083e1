import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkIfMatch, etagOf } from '#wire/revision.ts';

test('a change is accepted if the tag is that of the resource', () => {
  for (const header of [undefined, etagOf(3), '*', '"1", "3"', ' "3" ']) {
    assert.doesNotThrow(() => checkIfMatch(header, 3), header);
  }
  for (const header of ['"2"', 'W/"3"', '3', '', '"33"']) {
    assert.throws(() => checkIfMatch(header, 3), /read it again/, header);
  }
});

test('nothing matches what does not exist', () => {
  assert.doesNotThrow(() => checkIfMatch(undefined, undefined));
  for (const header of ['*', '"1"']) {
    assert.throws(() => checkIfMatch(header, undefined), /nothing yet/);
  }
});
