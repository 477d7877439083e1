import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEventBody } from '#src/ingress/read/read-body.ts';
import type { EventInput } from '#wire/published/event-input.ts';
import { formulaDigest } from '#src/ingress/idempotency/formula-digest.ts';

function digest(fields: string[], data: string, more: Partial<EventInput> = {}): string {
  const event = readEventBody(Buffer.from(`{"type":"a.b","data":${data}}`));
  return formulaDigest(fields, { ...event, ...more });
}

/** Compares two texts of `data` by the field. */
function areOne(field: string, one: string, other: string): boolean {
  return digest([field], one) === digest([field], other);
}

test('values of data are compared as JSON values', () => {
  const same: [string, string, string][] = [
    ['/data/a', '{"a":1}', ' { "b" : 2, "a" : 1 } '],
    ['/data/a', '{"a":"\\u0061"}', '{"a":"a"}'],
    ['/data/a', '{"a":{"x":1,"y":[1,2]}}', '{"a":{"y":[1, 2],"x":1}}'],
    ['/data/a', '{"a":1.0}', '{"a":1}'],
    ['/data', '{"a":1,"b":2}', '{"b":2,"a":1}'],
    ['/data/1', '[1,2]', '[9,2]'],
    ['/data/a~1b/~0', '{"a/b":{"~":3}}', '{"a/b":{"~":3},"c":4}'],
    ['/data/', '{"":5}', '{"":5,"x":1}'],
  ];
  for (const [field, one, other] of same) assert.ok(areOne(field, one, other), `${one} ${other}`);
  const different: [string, string, string][] = [
    ['/data/a', '{"a":1}', '{"a":2}'],
    ['/data/a', '{"a":1}', '{"a":"1"}'],
    ['/data/a', '{"a":[1,2]}', '{"a":[2,1]}'],
    ['/data/a', '{"a":true}', '{"a":"true"}'],
    // These texts differ, although their doubles are equal.
    ['/data/a', '{"a":12345678901234567890}', '{"a":12345678901234567891}'],
    ['/data/a', '{"a":0.10000000000000000001}', '{"a":0.1}'],
    ['/data/a', '{"a":1e400}', '{"a":2e400}'],
    ['/data/a', '{"a":1e-400}', '{"a":0}'],
    // A repeated name is ambiguous, so the texts are compared unchanged.
    ['/data/a/x', '{"a":{"x":1,"x":2}}', '{"a":{"x":3,"x":2}}'],
  ];
  for (const [field, one, other] of different) {
    assert.ok(!areOne(field, one, other), `${field} ${one} ${other}`);
  }
});

test('an absent field equals only an absent field', () => {
  assert.ok(areOne('/data/a', '{"b":1}', '{"b":2}'));
  assert.ok(areOne('/data/a/b', '{"a":1}', '"text"'));
  assert.ok(areOne('/data/length', '[1,2]', '"ab"'), 'only members and elements are there');
  assert.ok(!areOne('/data/a', '{}', '{"a":null}'));
  assert.ok(!areOne('/data/a', '{}', '{"a":""}'));
  const subject = (value?: string) =>
    digest(['subject'], '1', value === undefined ? {} : { subject: value });
  assert.equal(subject(), subject());
  assert.notEqual(subject(), subject('x'));
  assert.notEqual(subject('x'), subject('y'));
});

test('the digest separates fields, types and formulas', () => {
  const two = (source: string, subject: string) =>
    digest(['source', 'subject'], '1', { source, subject });
  assert.notEqual(two('ab', 'c'), two('a', 'bc'));
  assert.notEqual(two('a', '\n1:b'), two('a\n1:', 'b'));
  assert.notEqual(digest(['/data/a'], '{"a":1}'), digest(['/data/b'], '{"b":1}'));
  assert.notEqual(
    digest(['source'], '1', { source: 's' }),
    digest(['source'], '1', { source: 's', type: 'a.c' }),
  );
});

test('the digest covers extensions, the media type, text and bytes', () => {
  const text = (data: string, ext: Record<string, string> = {}) =>
    digest(['/data', 'region', 'datacontenttype'], '1', {
      kind: 'text',
      data,
      ext,
      contentType: 'text/plain',
    });
  assert.equal(text('a', { other: '1' }), text('a', { other: '2' }));
  assert.notEqual(text('a'), text('b'));
  assert.notEqual(text('a', { region: 'eu' }), text('a', { region: 'us' }));
  const bytes = (byte: number, field = '/data') =>
    digest([field], '1', { kind: 'binary', data: Buffer.from([byte]) });
  assert.notEqual(bytes(254), bytes(255));
  assert.equal(bytes(254, '/data/a'), bytes(255, '/data/a'), 'there are no members in bytes');
});
