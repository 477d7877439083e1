/** Events of a tenant that is deleted and created again. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { waitUntil } from '#testkit/wait-until.ts';
import { subjects } from '#wire/subjects.ts';
import { IngressPlane } from '../ingress-plane.ts';

test('an event id of an earlier life is a new event, with the same and with other content', async (t) => {
  const plane = await IngressPlane.start(t);
  const event = { id: 'order-1', type: 'order.created', data: { total: 1 } };
  assert.equal((await plane.post(event)).status, 202);
  assert.equal((await plane.post(event)).headers['idempotency-replayed'], 'true');
  await plane.tenant('acme', { life: 1 });
  await waitUntil(() => plane.config.currentTenant('acme')?.life === 1);
  const again = await plane.post({ ...event, data: { total: 2 } });
  assert.equal(again.status, 202);
  assert.equal(again.headers['idempotency-replayed'], undefined);
  assert.deepEqual(
    (await plane.stored()).map(({ subject }) => subject),
    [subjects.event('acme', 'order.created'), subjects.event('acme=1', 'order.created')],
  );
});

test('an event is not compared by its formula with one of an earlier life', async (t) => {
  const plane = await IngressPlane.start(t);
  const deduplication = { fields: ['/data/order'], windowSeconds: 3600 };
  await plane.eventType('order.created', { deduplication });
  const event = { type: 'order.created', data: { order: 7 } };
  const first = await plane.post(event);
  const equal = await plane.post(event);
  assert.equal(equal.body.id, first.body.id);
  await plane.tenant('acme', { life: 1 });
  await waitUntil(() => plane.config.currentTenant('acme')?.life === 1);
  const next = await plane.post(event);
  assert.equal(next.body.deduplicated, undefined);
  assert.notEqual(next.body.id, first.body.id);
  assert.equal((await plane.stored()).length, 2);
});

test('an event is not compared by its formula with one of a removed type of the same name', async (t) => {
  const plane = await IngressPlane.start(t);
  const deduplication = { fields: ['/data/order'], windowSeconds: 3600 };
  await plane.eventType('order.created', { deduplication });
  const event = { type: 'order.created', data: { order: 7 } };
  const first = await plane.post(event);
  await plane.eventType('order.created', { deduplication: { ...deduplication, bornAt: 5 } });
  await waitUntil(() => plane.config.eventType('order.created')?.deduplication?.bornAt === 5);
  const next = await plane.post(event);
  assert.equal(next.body.deduplicated, undefined);
  assert.notEqual(next.body.id, first.body.id);
  assert.equal((await plane.post(event)).body.id, next.body.id);
});

test('rejects a body with POSTHORN_KEY_INVALID when its tenant was created again before it arrives', async (t) => {
  const plane = await IngressPlane.start(t);
  const key = 'a-producer-key-of-the-first-life';
  await plane.key(key, 'producer', { tenant: 'acme' });
  const headers = { authorization: `Bearer ${key}` };
  const body = new Readable({ read: () => undefined });
  const answer = plane.post(body, { headers });
  // The key has been accepted once the body is asked for.
  await waitUntil(() => body.readableFlowing !== null);
  await plane.tenant('acme', { life: 1 });
  await waitUntil(() => plane.config.currentTenant('acme')?.life === 1);
  body.push(JSON.stringify({ type: 'order.created' }));
  body.push(null);
  const { status, body: problem } = await answer;
  assert.equal(status, 401);
  assert.equal(problem.code, 'POSTHORN_KEY_INVALID');
  assert.equal((await plane.stored()).length, 0);
});
