import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { waitUntil } from '#testkit/wait-until.ts';
import { subjects } from '#wire/subjects.ts';
import { Worker } from '../worker.ts';

const PATIENT = { delaysSeconds: Array(10).fill(0.3), finalStatuses: [], retryAfterMaxMs: 0 };

test('the circuit opens after 20 failures, stops attempts, and lets everything arrive after the recovery', async (t) => {
  const worker = await Worker.start(t, {
    retryPolicy: PATIENT,
    settings: { endpointInFlightMax: 5 },
  });
  worker.endpoint('acme', 'ep_1');
  worker.receiver.otherwise({ status: 500 });
  const published = await Promise.all(
    Array.from({ length: 30 }, () => worker.publishDelivery('acme', 'ep_1')),
  );
  await waitUntil(async () => (await worker.metric('posthorn_delivery_circuits_open')) === 1, {
    deadlineMs: 20_000,
  });
  const attemptsToOpen = worker.receiver.requests.length;
  // 20 failures, and the attempts in flight concurrent with the twentieth.
  assert.ok(attemptsToOpen >= 20 && attemptsToOpen <= 25, `${attemptsToOpen} attempts`);
  const parked = () => worker.metric('posthorn_delivery_parked_total', { reason: 'circuit' });
  await waitUntil(async () => (await parked()) > 0, { deadlineMs: 20_000 });
  worker.receiver.otherwise({ status: 200 });
  for (const { delivery } of published) {
    const records = await worker.recordsUntil(delivery.id, 'delivered');
    // Parked deliveries make no attempt: the attempt numbers have no gap.
    const numbers = records.flatMap(({ attempt }) => (attempt === undefined ? [] : [attempt.no]));
    assert.deepEqual(
      numbers,
      numbers.map((_, i) => i + 1),
    );
    assert.ok(records.every(({ status }) => status !== 'failed'));
  }
  await worker.waitUntilEmpty();
  assert.equal((await worker.deadLetters()).length, 0);
});

test('a 4xx answer does not open the circuit, because it concerns only the delivery', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1');
  worker.receiver.otherwise({ status: 404 });
  const published = await Promise.all(
    Array.from({ length: 12 }, () => worker.publishDelivery('acme', 'ep_1')),
  );
  for (const { delivery } of published) await worker.recordsUntil(delivery.id, 'failed');
  assert.equal(worker.receiver.requests.length, 36);
  assert.equal(await worker.metric('posthorn_delivery_circuits_open'), 0);
});

test("hanging endpoints delay neither other tenants nor the tenant's other endpoint", async (t) => {
  const worker = await Worker.start(t, {
    settings: { endpointInFlightMax: 4, timeoutMs: 60_000 },
  });
  worker.endpoint('slow', 'ep_hangs');
  worker.endpoint('slow', 'ep_fine');
  worker.endpoint('quick', 'ep_1');
  worker.receiver.on('/slow/ep_hangs', { hang: 'request' });
  await Promise.all(Array.from({ length: 200 }, () => worker.publishDelivery('slow', 'ep_hangs')));
  await worker.receiver.waitFor(4, '/slow/ep_hangs');
  const fine = await worker.publishDelivery('slow', 'ep_fine');
  const quick = await Promise.all(
    Array.from({ length: 20 }, () => worker.publishDelivery('quick', 'ep_1')),
  );
  for (const { delivery } of [fine, ...quick]) await worker.recordsUntil(delivery.id, 'delivered');
  // The bulkhead holds: exactly four are in flight.
  assert.equal(worker.receiver.at('/slow/ep_hangs').length, 4);
});

test('a large event travels by reference and arrives as it was published', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', { format: 'data' });
  const data = JSON.stringify(randomBytes(200 * 1024).toString('base64'));
  const { event, delivery } = await worker.publishDelivery('acme', 'ep_1', {
    data,
    byReference: true,
  });
  const [request] = await worker.receiver.waitFor(1);
  assert.equal(request?.body.toString(), data);
  const [record] = await worker.recordsUntil(delivery.id, 'delivered');
  assert.equal(record?.event, event.id);
  assert.equal(record?.type, event.type);
});

test('many deliveries by reference stay within the bulkhead, and it delays none of them', async (t) => {
  const worker = await Worker.start(t, { settings: { endpointInFlightMax: 2 } });
  worker.endpoint('acme', 'ep_1');
  const published = await Promise.all(
    Array.from({ length: 30 }, () => worker.publishDelivery('acme', 'ep_1', { byReference: true })),
  );
  for (const { delivery } of published) await worker.recordsUntil(delivery.id, 'delivered');
  await worker.waitUntilEmpty();
  // Each message was delivered once: none was rejected and redelivered.
  for (const consumer of ['deliver-shared', 'deliver-high']) {
    const { num_redelivered, delivered } = await worker.core.jsm.consumers.info('DLV-0', consumer);
    assert.equal(num_redelivered, 0);
    if (consumer === 'deliver-shared') assert.equal(delivered.consumer_seq, published.length);
  }
});

test('an event by reference that has expired becomes a dead letter', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1');
  const { seq } = await worker.core.publisher.publishAsync({
    subject: subjects.event('acme', 'order.created'),
    payload: Buffer.from('expired'),
    messageId: 'acme:expired',
    timeoutMs: 10_000,
  });
  await worker.core.jsm.streams.deleteMessage('EV-0', seq);
  const { delivery } = await worker.publishDelivery('acme', 'ep_1', { byReference: true, seq });
  const [record] = await worker.recordsUntil(delivery.id, 'failed');
  assert.equal(record?.reason, 'event_expired');
  assert.equal((await worker.deadLetters())[0]?.subject, subjects.deadLetter('acme', 'ep_1'));
  await worker.waitUntilEmpty();
});

test('a secret that cannot be opened stops only its own endpoint', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', { secrets: [{ sealed: 'v1.00000000.rubbish' }] });
  worker.endpoint('acme', 'ep_2');
  await worker.publishDelivery('acme', 'ep_1');
  const { delivery } = await worker.publishDelivery('acme', 'ep_2');
  await worker.recordsUntil(delivery.id, 'delivered');
  // The delivery is still pending: with the right master key it will be sent.
  assert.equal((await worker.storedMessages()).length, 1);
  assert.equal(worker.receiver.at('/acme/ep_1').length, 0);
});
