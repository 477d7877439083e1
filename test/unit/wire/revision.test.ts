import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  PRECONDITION_PATTERN,
  type Selected,
  checkPreconditions,
  evaluatePreconditions,
} from '#wire/revision.ts';

const present: Selected = { exists: true, etag: '"3"' };
const untagged: Selected = { exists: true };
const absent: Selected = { exists: false };

type Case = [ifMatch: string | undefined, ifNoneMatch: string | undefined, Selected, string];

/** The result of a PUT. */
const cases: Case[] = [
  [undefined, undefined, absent, 'proceed'],
  ['"3"', undefined, present, 'proceed'],
  ['"2", "3"', undefined, present, 'proceed'],
  ['"2",,"3" ,', undefined, present, 'proceed'],
  ['*', undefined, present, 'proceed'],
  ['*', undefined, untagged, 'proceed'],
  ['"2"', undefined, present, 'failed'],
  ['W/"3"', undefined, present, 'failed'],
  ['', undefined, present, 'failed'],
  ['"3"', undefined, untagged, 'failed'],
  ['*', undefined, absent, 'failed'],
  [undefined, '*', absent, 'proceed'],
  [undefined, '"3"', absent, 'proceed'],
  [undefined, '"2"', present, 'proceed'],
  [undefined, '"3"', untagged, 'proceed'],
  [undefined, '', present, 'proceed'],
  [undefined, '"3"', present, 'failed'],
  [undefined, 'W/"3"', present, 'failed'],
  [undefined, '"2,", W/"3"', present, 'failed'],
  [undefined, '*', present, 'failed'],
  [undefined, '*', untagged, 'failed'],
  ['"3"', '"3"', present, 'failed'],
  ['"3"', '"2"', present, 'proceed'],
  ['"2"', '"2"', present, 'failed'],
];

for (const [ifMatch, ifNoneMatch, selected, result] of cases) {
  const name = JSON.stringify({ ifMatch, ifNoneMatch, ...selected });
  test(`a change has the result ${result} for ${name}`, () => {
    const headers = { 'if-match': ifMatch, 'if-none-match': ifNoneMatch };
    assert.equal(evaluatePreconditions('PUT', headers, selected), result);
    // `if-match` comes first: a read that fails it is not answered with 304.
    const failsMatch = evaluatePreconditions('GET', { 'if-match': ifMatch }, selected) === 'failed';
    const read = result === 'failed' && !failsMatch ? 'not_modified' : result;
    assert.equal(evaluatePreconditions('GET', headers, selected), read);
  });
}

const malformed = ['3', '"3', '"a"b"', '*, "3"', '"3" "4"', "'3'", 'W/3', 'w/"3"'];

test('the pattern of the reference accepts the headers that are evaluated', () => {
  const pattern = new RegExp(PRECONDITION_PATTERN);
  for (const value of malformed) assert.doesNotMatch(value, pattern);
  for (const [ifMatch = '', ifNoneMatch = ''] of cases) {
    assert.match(ifMatch, pattern);
    assert.match(ifNoneMatch, pattern);
  }
});

test('rejects a header that is no list of entity tags with its name', () => {
  for (const value of malformed) {
    for (const name of ['if-match', 'if-none-match']) {
      const check = () => checkPreconditions({ [name]: value }, 3);
      assert.throws(check, new RegExp(`#header/${name} must be`), `${name}: ${value}`);
    }
  }
});

test('a failed change reports the current revision', () => {
  assert.throws(() => checkPreconditions({ 'if-match': '"2"' }, 3), /now at "3"/);
  assert.throws(() => checkPreconditions({ 'if-match': '*' }, undefined), /does not exist/);
});
