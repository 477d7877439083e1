/** Deliveries to an endpoint that answered 410, is paused or was deleted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { subjects } from '#wire/subjects.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { Worker } from '../worker.ts';

test('a 410 records the endpoint as gone, fails its delivery and holds later ones', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1');
  worker.receiver.otherwise({ status: 410 });
  const { delivery } = await worker.publishDelivery('acme', 'ep_1');
  const [record] = await worker.recordsUntil(delivery.id, 'failed');
  assert.equal(record?.reason, 'gone');
  const url = worker.receiver.url('/acme/ep_1');
  assert.deepEqual(await worker.goneRecords(), [
    { k: 'endpoint-gone', tenant: 'acme', endpoint: 'ep_1', url },
  ]);
  assert.equal((await worker.deadLetters()).length, 1);
  // As control does when it reads that record.
  worker.endpoint('acme', 'ep_1', { state: 'disabled', stateReason: 'gone' });
  const later = await worker.publishDelivery('acme', 'ep_1');
  const [held] = await worker.recordsUntil(later.delivery.id, 'held');
  assert.equal(held?.reason, 'endpoint_disabled');
  assert.equal(worker.receiver.requests.length, 1);
});

test('after a 410, held deliveries are neither sent nor moved until control has disabled the endpoint', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1');
  worker.endpoint('other', 'ep_2', { state: 'paused' });
  worker.receiver.on('/acme/ep_1', { status: 410 });
  const first = await worker.publishDelivery('acme', 'ep_1');
  await worker.recordsUntil(first.delivery.id, 'failed');
  const later = await worker.publishDelivery('acme', 'ep_1');
  await worker.recordsUntil(later.delivery.id, 'held');
  // Two rounds of the releaser: the first may have begun before.
  for (let round = 1; round <= 2; round++) {
    worker.endpoint('other', 'ep_2', { state: 'paused' });
    const { delivery } = await worker.publishDelivery('other', 'ep_2');
    await worker.recordsUntil(delivery.id, 'held');
    worker.endpoint('other', 'ep_2', { state: 'active' });
    await worker.recordsUntil(delivery.id, 'delivered');
  }
  const records = await worker.recordsUntil(later.delivery.id, 'held');
  assert.equal(records.length, 1);
  assert.deepEqual(
    (await worker.storedMessages()).map(({ subject }) => subject),
    [subjects.held('acme', 'ep_1')],
  );
  // A new URL gets another chance.
  worker.endpoint('acme', 'ep_1', { url: worker.receiver.url('/moved') });
  await worker.recordsUntil(later.delivery.id, 'delivered');
});

test('a delivery is held under its own subject when its endpoint is paused, and delivered when it is active again', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', { state: 'paused' });
  const first = await worker.publishDelivery('acme', 'ep_1');
  const second = await worker.publishDelivery('acme', 'ep_1');
  for (const { delivery } of [first, second]) {
    const [held] = await worker.recordsUntil(delivery.id, 'held');
    assert.equal(held?.reason, 'endpoint_paused');
  }
  await waitUntil(async () => {
    const stored = await worker.storedMessages();
    return (
      stored.length === 2 &&
      stored.every(({ subject }) => subject === subjects.held('acme', 'ep_1'))
    );
  });
  assert.equal(worker.receiver.requests.length, 0);
  worker.endpoint('acme', 'ep_1', { state: 'active' });
  const requests = await worker.receiver.waitFor(2, '/acme/ep_1');
  assert.deepEqual(
    new Set(requests.map(({ headers }) => headers['webhook-id'])),
    new Set([first.event.id, second.event.id]),
  );
  await worker.recordsUntil(first.delivery.id, 'delivered');
  await worker.waitUntilEmpty();
});

test('a delivery that a request released is sent although its endpoint is paused, also by its retry', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', { state: 'paused' });
  worker.receiver.on('/acme/ep_1', (_request, nth) => ({ status: nth === 1 ? 500 : 200 }));
  const link = { released: true, replayOf: 'dlv_old', replay: 'rpl_1' } as const;
  const released = await worker.publishDelivery('acme', 'ep_1', { delivery: link });
  const other = await worker.publishDelivery('acme', 'ep_1');
  const [record] = await worker.recordsUntil(released.delivery.id, 'delivered');
  assert.deepEqual([record?.replayOf, record?.replay], ['dlv_old', 'rpl_1']);
  await worker.recordsUntil(other.delivery.id, 'held');
  const ids = worker.receiver.requests.map(({ headers }) => headers['webhook-id']);
  assert.deepEqual(ids, [released.event.id, released.event.id]);
});

test('deliveries are cancelled when their endpoint is deleted', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_other');
  const { delivery } = await worker.publishDelivery('acme', 'ep_1');
  const [record] = await worker.recordsUntil(delivery.id, 'cancelled');
  assert.equal(record?.reason, 'endpoint_deleted');
  await worker.waitUntilEmpty();
});

test('an endpoint known only to the router is looked up before its delivery is cancelled', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_other');
  worker.onRefresh = (tenant) => worker.endpoint(tenant, 'ep_1');
  const { delivery } = await worker.publishDelivery('acme', 'ep_1');
  const [record] = await worker.recordsUntil(delivery.id, 'delivered');
  assert.equal(record?.attempt?.no, 1);
});

test('no delivery is cancelled while the configuration cannot be read', async (t) => {
  const worker = await Worker.start(t);
  let requested = 0;
  worker.onRefresh = (tenant) => {
    if (++requested === 1) throw new Error('no answer');
    worker.endpoint(tenant, 'ep_1');
  };
  const { delivery } = await worker.publishDelivery('acme', 'ep_1');
  await worker.recordsUntil(delivery.id, 'delivered');
});

test('deliveries are cancelled when their tenant is deleted', async (t) => {
  const worker = await Worker.start(t);
  const { delivery } = await worker.publishDelivery('acme', 'ep_1');
  await worker.recordsUntil(delivery.id, 'cancelled');
  await worker.waitUntilEmpty();
});

test('a delivery of an ended life of its tenant is dropped without a record', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1');
  worker.tenant('acme', { life: 1 });
  const { delivery } = await worker.publishDelivery('acme', 'ep_1');
  const { delivery: current } = await worker.publishDelivery('acme=1', 'ep_1');
  await worker.recordsUntil(current.id, 'delivered');
  await worker.waitUntilEmpty();
  assert.equal(worker.receiver.requests.length, 1);
  const records = await worker.core.storedRecords();
  assert.deepEqual(
    records.filter((record) => record.k === 'delivery' && record.id === delivery.id),
    [],
  );
});

test('a held delivery of an ended life of its tenant is removed, even for an active endpoint', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', { state: 'paused' });
  const { delivery } = await worker.publishDelivery('acme', 'ep_1');
  await worker.recordsUntil(delivery.id, 'held');
  worker.tenant('acme', { life: 1 });
  worker.endpoint('acme', 'ep_1', { state: 'active' });
  await worker.waitUntilEmpty();
  assert.equal(worker.receiver.requests.length, 0);
});

test('a delivery of a life that the configuration does not have yet waits for it', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_old');
  let requested = 0;
  worker.onRefresh = () => {
    if (++requested < 2) return;
    worker.tenant('acme', { life: 1 });
    worker.endpoint('acme', 'ep_1');
  };
  const { delivery } = await worker.publishDelivery('acme=1', 'ep_1');
  await worker.recordsUntil(delivery.id, 'delivered');
  assert.ok(requested >= 2, 'it was redelivered once');
});

test('a held message that is not a delivery is removed and blocks no others', async (t) => {
  const worker = await Worker.start(t);
  const tenants = ['acme', 'globex', 'initech'].toSorted((a, b) =>
    subjects.held(a, 'ep_1') < subjects.held(b, 'ep_1') ? -1 : 1,
  );
  for (const tenant of tenants) worker.endpoint(tenant, 'ep_1', { state: 'paused' });
  const held = await Promise.all(tenants.map((tenant) => worker.publishDelivery(tenant, 'ep_1')));
  for (const { delivery } of held) await worker.recordsUntil(delivery.id, 'held');
  // Of the endpoint that is visited first.
  const subject = subjects.held(tenants[0] as string, 'ep_1');
  for (const text of ['no line', '{}\n', '{"id":"dlv_1","endpoint":"ep_1","hop":0}\nno event']) {
    await worker.core.js.publish(subject, text);
  }
  for (const tenant of tenants) worker.endpoint(tenant, 'ep_1', { state: 'active' });
  for (const { delivery } of held) await worker.recordsUntil(delivery.id, 'delivered');
  await worker.waitUntilEmpty();
});
