import assert from 'node:assert/strict';
import { test } from 'node:test';
import { literalPattern, requiredTexts } from '#src/control/search/required-texts.ts';

const patternsOf = (filter: Record<string, unknown>) => {
  const condition = requiredTexts(filter) as
    | { $or: [{ $and: { data: { $regex: string } }[] }] }
    | undefined;
  return condition?.$or[0].$and.map(({ data }) => data.$regex);
};

test('strings that are compared for equality are required when all conditions must hold', () => {
  assert.deepEqual(patternsOf({ 'data.a': 'x' }), ['"x"']);
  assert.deepEqual(patternsOf({ 'data.a': { $eq: 'x' }, 'data.b': 'y.z' }), [
    '"x"',
    String.raw`"y\.z"`,
  ]);
  assert.deepEqual(patternsOf({ $and: [{ 'data.a': 'x' }, { data: 'y' }] }), ['"x"', '"y"']);
});

test('no text is required when an event without it can pass', () => {
  for (const filter of [
    {},
    { source: '/x' },
    { 'database.a': 'x' },
    { 'data.a': 7 },
    { 'data.a': { $ne: 'x' } },
    { 'data.a': { $in: ['x', 'y'] } },
    { 'data.a': { $regex: 'x' } },
    { 'data.a': { $not: { $eq: 'x' } } },
    { 'data.a': { b: 'x' } },
    { $or: [{ 'data.a': 'x' }, { 'data.b': 1 }] },
    { $nor: [{ 'data.a': 'x' }] },
    { 'data.a': 'needs "an" escape' },
    { 'data.a': 'line\nfeed' },
  ]) {
    assert.equal(requiredTexts(filter), undefined, JSON.stringify(filter));
  }
});

test('events with escapes and texts are compared when a string is required', () => {
  const condition = requiredTexts({ 'data.a': 'x' }) as { $or: object[] };
  assert.deepEqual(condition.$or.slice(1), [{ data: { $regex: '\\\\' } }, { kind: 'text' }]);
});

test('a pattern matches its text alone when it has characters of patterns', () => {
  const text = String.raw`(a|b)[c]{1}^$+?*.\d`;
  assert.ok(new RegExp(`^${literalPattern(text)}$`).test(text));
  assert.ok(!new RegExp(`^${literalPattern('a.c')}$`).test('abc'));
});
