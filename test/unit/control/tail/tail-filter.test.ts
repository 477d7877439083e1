import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selectionKey, selects, type TailSelection } from '#src/control/tail/tail-filter.ts';
import { TailItem, tailItems } from '#src/control/tail/tail-items.ts';
import type { HistoryRecord } from '#wire/frames/record.ts';

const item = new TailItem('attempt', 'acme=1', 'order.created', {
  facts: { id: 'att_1', status: 'failed', failure: null },
  extra: { response_class: '5xx' },
});
const all: TailSelection = { kind: 'attempt', filters: {} };

test('a selection has the items of its kind, life, visible types and filters', () => {
  assert.equal(selects(all, item), true);
  assert.equal(selects({ ...all, kind: 'event' }, item), false);
  assert.equal(selects({ ...all, lifeId: 'acme=1' }, item), true);
  assert.equal(selects({ ...all, lifeId: 'acme' }, item), false);
  assert.equal(selects({ ...all, visibleTypes: ['invoice.*', 'order.*'] }, item), true);
  assert.equal(selects({ ...all, visibleTypes: [] }, item), false);
  const filters = { status: ['succeeded', 'failed'], response_class: ['5xx'] };
  assert.equal(selects({ ...all, filters }, item), true);
  assert.equal(selects({ ...all, filters: { ...filters, failure: ['timeout'] } }, item), false);
});

test('selections of the same items have one key, and others have their own', () => {
  const key = selectionKey({ ...all, filters: { a: ['1', '2'], b: ['3'] } });
  assert.equal(selectionKey({ ...all, filters: { b: ['3'], a: ['2', '1'] } }), key);
  assert.notEqual(selectionKey({ ...all, filters: { a: ['1', '2'] } }), key);
  assert.notEqual(selectionKey({ ...all, lifeId: 'acme' }), selectionKey(all));
  assert.notEqual(selectionKey({ ...all, visibleTypes: [] }), selectionKey(all));
});

test('a routed record gives the event with its status, and each delivery', () => {
  const record: HistoryRecord = {
    k: 'routed',
    tenant: 'acme',
    event: 'e1',
    type: 'order.created',
    acceptedMs: 0,
    deliveries: [{ id: 'dlv_1', endpoint: 'ep_1', status: 'held' }],
  };
  const items = tailItems('att.0', 1, Buffer.from(JSON.stringify([record])));
  assert.deepEqual(
    items.map(({ kind }) => kind),
    ['event', 'delivery'],
  );
  assert.equal(items[0]?.field('status'), 'matched');
  assert.equal(items[1]?.field('status'), 'held');
  assert.match(
    items[1]?.lines ?? '',
    /^event: delivery\ndata: \{"id":"dlv_1","tenant_id":"acme".*\}\n$/,
  );
  assert.throws(() => tailItems('att.0', 1, Buffer.from('no JSON')), SyntaxError);
});
