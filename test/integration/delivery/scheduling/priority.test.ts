/** High priority overtakes the tenant's own backlog (IN-11). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitUntil } from '#testkit/wait-until.ts';
import { parseDeliverySubject } from '#wire/subjects.ts';
import { Worker } from '../worker.ts';

test('a high-priority delivery overtakes waiting ones, even of another endpoint', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1');
  worker.endpoint('acme', 'ep_2');
  worker.tenant('acme', { inFlightMax: 1 });
  const gate = Promise.withResolvers<void>();
  t.after(() => gate.resolve());
  const until = gate.promise;
  worker.receiver.on('/acme/ep_1', (_request, nth) =>
    nth === 1 ? { status: 200, until } : { status: 200 },
  );
  const first = await worker.publishDelivery('acme', 'ep_1');
  await worker.receiver.waitFor(1);
  const normal = [];
  for (const endpoint of ['ep_1', 'ep_1', 'ep_2', 'ep_2']) {
    normal.push(await worker.publishDelivery('acme', endpoint));
  }
  await waitUntil(async () => (await worker.metric('posthorn_delivery_mailbox_messages')) === 4);
  const high = await worker.publishDelivery('acme', 'ep_2', { deliveryClass: 'h' });
  await waitUntil(async () => (await worker.metric('posthorn_delivery_mailbox_messages')) === 5);
  gate.resolve();
  const requests = await worker.receiver.waitFor(6);
  const ids = requests.map(({ headers }) => String(headers['webhook-id']));
  assert.equal(ids[0], first.event.id);
  assert.equal(ids[1], high.event.id);
  assert.deepEqual(ids.slice(2).toSorted(), normal.map(({ event }) => event.id).toSorted());
  await worker.waitUntilEmpty();
});

test('a mailbox full of normal deliveries parks the next one and accepts a high-priority one', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', { inFlightMax: 1 });
  const gate = Promise.withResolvers<void>();
  t.after(() => gate.resolve());
  const until = gate.promise;
  worker.receiver.on('/acme/ep_1', (_request, nth) =>
    nth === 1 ? { status: 200, until } : { status: 200 },
  );
  await worker.publishDelivery('acme', 'ep_1');
  await worker.receiver.waitFor(1);
  await Promise.all(Array.from({ length: 520 }, () => worker.publishDelivery('acme', 'ep_1')));
  await waitUntil(async () => (await worker.metric('posthorn_delivery_parked_total')) > 0);
  const high = await worker.publishDelivery('acme', 'ep_1', { deliveryClass: 'h' });
  await waitUntil(async () => {
    const { jsm } = worker.core;
    const { num_ack_pending } = await jsm.consumers.info('DLV-0', 'deliver-high');
    return num_ack_pending === 1;
  });
  gate.resolve();
  const requests = await worker.receiver.waitFor(100);
  const ids = requests.map(({ headers }) => String(headers['webhook-id']));
  const at = ids.indexOf(high.event.id);
  // Part of the backlog may be sent before it leaves the stream; it is not parked behind the rest.
  assert.ok(at > 0 && at < 100, `it came as number ${at}`);
});

for (const [lane, again] of [
  ['h', 'h'],
  ['s', 'r'],
] as const) {
  test(`a retry of a delivery of lane ${lane} returns through lane ${again}`, async (t) => {
    const worker = await Worker.start(t);
    worker.endpoint('acme', 'ep_1', {
      retry: { delaysSeconds: [3600], finalStatuses: [], retryAfterMaxMs: 0 },
    });
    worker.receiver.on('/acme/ep_1', { status: 500 });
    await worker.publishDelivery('acme', 'ep_1', { deliveryClass: lane });
    const waiting = await waitUntil(async () =>
      (await worker.storedMessages()).find(
        ({ subject }) => parseDeliverySubject(subject).deliveryClass === 'w',
      ),
    );
    const message = await worker.core.jsm.streams.getMessage('DLV-0', { seq: waiting.seq });
    const target = message?.header.get('Nats-Schedule-Target') ?? '';
    assert.equal(parseDeliverySubject(target).deliveryClass, again);
  });
}

test('a high-priority delivery keeps its priority when it is released after a pause', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', { state: 'paused' });
  const seen: string[] = [];
  const tap = worker.core.nc.subscribe('dlv.*.h.>', {
    callback: (_error, message) => {
      seen.push(message.subject);
    },
  });
  const published = await worker.publishDelivery('acme', 'ep_1', { deliveryClass: 'h' });
  const byReference = await worker.publishDelivery('acme', 'ep_1', {
    deliveryClass: 'h',
    byReference: true,
  });
  for (const { delivery } of [published, byReference])
    await worker.recordsUntil(delivery.id, 'held');
  worker.endpoint('acme', 'ep_1', { state: 'active' });
  for (const { delivery } of [published, byReference])
    await worker.recordsUntil(delivery.id, 'delivered');
  tap.unsubscribe();
  assert.equal(seen.length, 4, 'each was published to the lane twice: at first, and when released');
});

test('new deliveries do not wait behind retries', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('other', 'ep_1');
  const gate = Promise.withResolvers<void>();
  t.after(() => gate.resolve());
  // As many unacked deliveries to hanging endpoints as the consumer allows: it delivers no further
  // message.
  for (let i = 0; i < 10; i++) {
    worker.endpoint('acme', `ep_${i}`);
    worker.receiver.on(`/acme/ep_${i}`, () => ({ status: 200, until: gate.promise }));
  }
  await worker.core.jsm.consumers.update('DLV-0', 'deliver-again', { max_ack_pending: 20 });
  for (let i = 0; i < 40; i++)
    await worker.publishDelivery('acme', `ep_${i % 10}`, { deliveryClass: 'r' });
  await waitUntil(async () => {
    const { num_ack_pending } = await worker.core.jsm.consumers.info('DLV-0', 'deliver-again');
    return num_ack_pending === 20;
  });
  await worker.publishDelivery('other', 'ep_1');
  await worker.receiver.waitFor(1, '/other/ep_1');
});
