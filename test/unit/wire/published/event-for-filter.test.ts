import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileFilter } from '#domain/filter/compile-filter.ts';
import { filterDataFields } from '#domain/filter/needs-data.ts';
import { limits } from '#domain/limits.ts';
import { eventForFilter } from '#wire/published/event-for-filter.ts';
import { type EventHead, decodeEventFrame, encodeEventFrame } from '#wire/frames/event-frame.ts';

function seen(changes: Partial<EventHead>, data: string | Buffer): Record<string, unknown> {
  const head: EventHead = {
    id: 'e1',
    type: 'a.b',
    source: '/s',
    time: '2026-01-31T12:00:00Z',
    kind: 'json',
    acceptedMs: 1,
    correlationId: 'req_1',
    fingerprint: 'f',
    ...changes,
  };
  return eventForFilter(decodeEventFrame(encodeEventFrame(head, data)));
}
const BASE = { id: 'e1', type: 'a.b', source: '/s', time: '2026-01-31T12:00:00Z' };

test('filters see attributes, extensions and data, and no internal fields', () => {
  const event = seen({ subject: 'x', ext: { region: 'eu' } }, '{"a":[1,{"b":null}]}');
  assert.deepEqual(event, { ...BASE, subject: 'x', region: 'eu', data: { a: [1, { b: null }] } });
});

test('filters see text data and not binary data', () => {
  assert.deepEqual(seen({ kind: 'text' }, '{"a":1}'), { ...BASE, data: '{"a":1}' });
  assert.deepEqual(seen({ kind: 'binary' }, Buffer.from([0, 255])), BASE);
});

test('an extension does not replace an attribute', () => {
  const event = seen({ ext: { type: 'x.y', id: 'other', source: '/o' } }, '1');
  assert.deepEqual(event, { ...BASE, data: 1 });
});

/** Larger than the bound below which data is built whole. */
const LONG = 'x'.repeat(limits.filterDataWholeBytesMax);
const frame = (data: string) => {
  const head = { ...BASE, kind: 'json', acceptedMs: 1, correlationId: 'r' } as const;
  return decodeEventFrame(encodeEventFrame(head, data));
};
const requested = (data: string, ...fields: string[]): unknown => {
  return eventForFilter(frame(data), () => new Set(fields))['data'];
};

test('a large object is built with only the members that filters read', () => {
  const data = `{"a":{"b":[1]},"rest":"${LONG}","c":null,"__proto__":1}`;
  assert.deepEqual(requested(data, 'a', 'c', 'absent'), { a: { b: [1] }, c: null });
  assert.deepEqual(requested(data), {});
});

test('large data that is not an object, or repeats a member, is built whole', () => {
  assert.deepEqual(requested(`[{"a":1},"${LONG}"]`, 'a'), [{ a: 1 }, LONG]);
  assert.equal(requested(`"${LONG}"`, 'a'), LONG);
  assert.deepEqual(requested(`{"a":1,"a":2,"rest":"${LONG}"}`, 'a'), { a: 2, rest: LONG });
});

test('small data is built whole and asks for no fields', () => {
  const event = eventForFilter(frame('{"a":1,"b":2}'), () => assert.fail('asked'));
  assert.deepEqual(event['data'], { a: 1, b: 2 });
});

test('a filter gives the same verdict on the members that it reads as on the whole data', () => {
  const filters: Record<string, unknown>[] = [
    { 'data.a': 1 },
    { 'data.a.b': { $gt: 1 } },
    { $or: [{ 'data.a': { $exists: false } }, { type: 'x' }] },
    { $nor: [{ 'data.n': { $in: [null, 2] } }] },
    { 'data.list': { $elemMatch: { k: 1 } } },
    { 'data.0': 1 },
    { data: { $exists: true } },
  ];
  const values = [
    '"a":1',
    '"a":{"b":2}',
    '"n":null',
    '"list":[{"k":1}]',
    '"0":1',
    '"a":2,"n":2',
    '"x":0',
  ];
  for (const filter of filters) {
    const test = compileFilter(filter);
    for (const value of values) {
      const event = frame(`{${value},"rest":"${LONG}"}`);
      const whole = test(eventForFilter(event));
      const part = test(eventForFilter(event, () => filterDataFields(filter)));
      assert.equal(part, whole, `${JSON.stringify(filter)} ${value}`);
    }
  }
});
