import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IngressPlane } from '../ingress-plane.ts';

test('a batch with slow validation does not delay other requests', async (t) => {
  const plane = await IngressPlane.start(t);
  // About a million steps for each item.
  const text = { type: 'string', pattern: '^[ab]*a[ab]{900}' };
  await plane.eventType('text.sent', { schema: { properties: { text } } });
  const data = { text: 'ab'.repeat(600) };
  const events = Array.from({ length: 40 }, () => ({ type: 'text.sent', data }));
  const order: string[] = [];
  const batch = plane.batch({ events }).finally(() => order.push('batch'));
  const single = plane.post({ type: 'order.paid', data: {} }).finally(() => order.push('single'));
  assert.equal((await single).status, 202);
  const { status, body } = await batch;
  assert.equal(status, 202);
  assert.equal((body as { accepted: number }).accepted, 40);
  assert.deepEqual(order, ['single', 'batch']);
});
