import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventForFilter } from '#src/router/event-for-filter.ts';
import { type EventHead, decodeEventFrame, encodeEventFrame } from '#wire/event-frame.ts';

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

test('attributes, extensions and data as a value; nothing of what is ours', () => {
  const event = seen({ subject: 'x', ext: { region: 'eu' } }, '{"a":[1,{"b":null}]}');
  assert.deepEqual(event, { ...BASE, subject: 'x', region: 'eu', data: { a: [1, { b: null }] } });
});

test('text is text, bytes are not seen', () => {
  assert.deepEqual(seen({ kind: 'text' }, '{"a":1}'), { ...BASE, data: '{"a":1}' });
  assert.deepEqual(seen({ kind: 'binary' }, Buffer.from([0, 255])), BASE);
});

test('an extension does not stand in for an attribute', () => {
  const event = seen({ ext: { type: 'x.y', id: 'other', source: '/o' } }, '1');
  assert.deepEqual(event, { ...BASE, data: 1 });
});
