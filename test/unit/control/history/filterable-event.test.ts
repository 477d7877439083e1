import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Batch } from '#src/control/projector/merge.ts';
import { filterableEvent } from '#src/control/history/filterable-event.ts';
import { eventForFilter } from '#wire/published/event-for-filter.ts';
import {
  type EventFrame,
  type EventHead,
  decodeEventFrame,
  encodeEventFrame,
} from '#wire/frames/event-frame.ts';
import type { EventDocument } from '#infra/mongo/documents.ts';

function frameOf(changes: Partial<EventHead>, data: string | Buffer): EventFrame {
  const head: EventHead = {
    id: 'e1',
    type: 'a.b',
    source: '/s',
    time: '2026-01-31T12:00:00Z',
    kind: 'json',
    acceptedMs: 1,
    correlationId: 'req_1',
    fingerprint: 'f',
    dataschema: 'https://example.com/schema',
    ...changes,
  };
  return decodeEventFrame(encodeEventFrame(head, data));
}

/** The event as the projector writes it. */
function documentOf(frame: EventFrame): EventDocument {
  const batch = new Batch();
  batch.addEvent('acme', 7, frame);
  const [change] = batch.events.values();
  assert.ok(change);
  return change.fields;
}

test('filters see the same event in the history as in the stream', () => {
  const frames = [
    frameOf({}, '{"n":12345678901234567890.1,"s":"é","a":[{"b":null}]}'),
    frameOf({}, 'null'),
    frameOf({ subject: 'x', ext: { region: 'eu', type: 'x.y', id: 'other' } }, '"text"'),
    frameOf({ kind: 'text', contentType: 'text/csv' }, '{"a":1}'),
    frameOf({ kind: 'text', contentType: 'text/plain' }, ''),
    frameOf({ kind: 'binary', contentType: 'image/png' }, Buffer.from([0, 255])),
  ];
  for (const frame of frames) {
    const stored = documentOf(frame);
    assert.deepEqual(eventForFilter(filterableEvent(stored, stored.data)), eventForFilter(frame));
  }
});

test('filters see the payload of a large event, or no data', () => {
  const payload = { key: 'acme/pay_1', size: 7, sha256: 'aa' };
  for (const kind of ['json', 'text', 'binary'] as const) {
    const frame = frameOf({ kind, payload }, '');
    const stored = documentOf(frame);
    assert.deepEqual(eventForFilter(filterableEvent(stored, undefined)), eventForFilter(frame));
    const whole = { ...frame, data: Buffer.from('{"n":1}') };
    assert.deepEqual(eventForFilter(filterableEvent(stored, '{"n":1}')), eventForFilter(whole));
  }
});
