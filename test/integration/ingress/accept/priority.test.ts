/** Where an event's priority comes from (IN-11): the event, else its type. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { headers } from '@nats-io/nats-core';
import { IngressPlane } from '../ingress-plane.ts';

test('the priority comes from the event in every form, else from its type, and normal is omitted', async (t) => {
  const plane = await IngressPlane.start(t);
  await plane.eventType('alarm.raised', { priority: 'high' });
  const ce = { specversion: '1.0', source: '/s', type: 'a.b' };
  const structured = { 'content-type': 'application/cloudevents+json' };
  const binary = { 'ce-specversion': '1.0', 'ce-source': '/s', 'ce-type': 'a.b' };
  await plane.post({ id: 'plain', type: 'a.b', priority: 'high' });
  await plane.post({ id: 'none', type: 'a.b' });
  await plane.post({ id: 'of-type', type: 'alarm.raised' });
  await plane.post({ id: 'said-normal', type: 'alarm.raised', priority: 'normal' });
  await plane.post({ ...ce, id: 'ce', posthornpriority: 'high' }, { headers: structured });
  const attributes = { ...binary, 'ce-id': 'ce-binary', 'ce-posthornpriority': 'high' };
  await plane.post({}, { headers: attributes });
  await plane.batch({ events: [{ id: 'in-batch', type: 'a.b', priority: 'high' }] });
  const named = headers();
  named.set('Nats-Msg-Id', 'nats');
  named.set('Posthorn-Priority', 'high');
  await plane.core.nc.request('in.acme.a.b', '1', { headers: named, timeout: 10_000 });
  const stored = (await plane.stored()).map(({ head }) => [
    head.producerId ?? head.id,
    head.priority,
  ]);
  assert.deepEqual(Object.fromEntries(stored), {
    plain: 'high',
    none: undefined,
    'of-type': 'high',
    'said-normal': undefined,
    ce: 'high',
    'ce-binary': 'high',
    'in-batch': 'high',
    nats: 'high',
  });
});

test('rejects an unknown priority with its pointer, and a repeated id with another priority with 409', async (t) => {
  const plane = await IngressPlane.start(t);
  const plain = await plane.post({ type: 'a.b', priority: 'urgent' });
  assert.equal(plain.status, 400);
  assert.deepEqual(plain.body.errors, [{ pointer: '/priority', detail: 'must be high or normal' }]);
  const ce = { specversion: '1.0', id: 'c', source: '/s', type: 'a.b', posthornpriority: 1 };
  const refused = await plane.post(ce);
  assert.equal(refused.body.errors[0].pointer, '/posthornpriority');
  assert.equal((await plane.post({ id: 'e1', type: 'a.b' })).status, 202);
  assert.equal((await plane.post({ id: 'e1', type: 'a.b', priority: 'high' })).status, 409);
});
