/** Filters on large `data`: it is parsed in slices, so that other tenants do not wait. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '#domain/limits.ts';
import { parseDeliverySubject } from '#wire/subjects.ts';
import { RouterPlane, endpoint, subscription, tenant } from './router-plane.ts';

/** Objects with ever new names cost `JSON.parse` 20 times what their length suggests. */
const objects = Array.from({ length: limits.filterDataAtOnceBytesMax / 4 }, (_, i) => ({
  [`n${i}`]: i,
}));
const DATA = JSON.stringify({
  first: 1,
  parts: [...objects, { kind: 'last' }],
  last: { of: 'us' },
});

const ACME = tenant(
  ['ep_parts', 'ep_last', 'ep_other', 'ep_none', 'ep_small'].map((id) => endpoint(id)),
  [
    subscription('ep_parts', ['order.created'], { 'data.parts': { $elemMatch: { kind: 'last' } } }),
    subscription('ep_last', ['order.created'], { 'data.last.of': 'us' }),
    subscription('ep_other', ['order.created'], { 'data.last.of': 'them' }),
    subscription('ep_none', ['order.created'], { 'data.missing': { $exists: true } }),
    subscription('ep_small', ['order.paid']),
  ],
);
const OTHER = tenant([endpoint('ep_o')], [subscription('ep_o', ['*'])], 'beta');

test('an event with large data matches like a small one, in order and without waiting for other tenants', async (t) => {
  const plane = await RouterPlane.start(t, [ACME, OTHER], { started: false });
  await plane.publish('a1', { data: DATA });
  await plane.publish('a2', { type: 'order.paid' });
  await plane.publish('b1', { tenant: 'beta' });
  await plane.router?.start();
  await plane.routed('a2');
  await plane.settled();
  const endpoints = (await plane.deliveries()).map(
    ({ subject }) => parseDeliverySubject(subject).endpoint,
  );
  assert.deepEqual(endpoints, ['ep_o', 'ep_parts', 'ep_last', 'ep_small']);
});
