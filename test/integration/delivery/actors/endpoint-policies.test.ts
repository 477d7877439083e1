import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitUntil } from '#testkit/wait-until.ts';
import { Worker } from '../worker.ts';

const publishDeliveries = (worker: Worker, tenant: string, endpoint: string, count: number) =>
  Promise.all(Array.from({ length: count }, () => worker.publishDelivery(tenant, endpoint)));

test('10 simultaneous deliveries at 1/s are paced, none early or attempted twice, and longer waits are parked', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', { rateLimit: { perSecond: 1, burst: 1 } });
  worker.endpoint('acme', 'ep_free');
  const beganMs = performance.now();
  const published = await publishDeliveries(worker, 'acme', 'ep_1', 10);
  const free = await worker.publishDelivery('acme', 'ep_free');
  await worker.recordsUntil(free.delivery.id, 'delivered');
  // Another endpoint of the tenant does not wait for this one.
  assert.ok(worker.receiver.at('/acme/ep_1').length <= 5);
  const requests = await worker.receiver.waitFor(10, '/acme/ep_1');
  requests.slice(1).forEach(({ atMs }, i) => {
    // One token a second from the first on, which was taken after this began: the n-th request has
    // the n-th token.
    const afterMs = atMs - beganMs;
    assert.ok(afterMs >= (i + 1) * 1000, `request ${i + 2} after ${afterMs} ms`);
  });
  assert.ok((await worker.metric('posthorn_delivery_parked_total', { reason: 'rate' })) >= 6);
  for (const { delivery } of published) {
    const records = await worker.recordsUntil(delivery.id, 'delivered');
    assert.equal(records.at(-1)?.attempt?.no, 1);
  }
  await worker.waitUntilEmpty();
  assert.equal(worker.receiver.at('/acme/ep_1').length, 10);
});

test('a raised rate applies to the deliveries in the mailbox', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', { rateLimit: { perSecond: 0.6, burst: 1 } });
  const published = await publishDeliveries(worker, 'acme', 'ep_1', 2);
  await worker.receiver.waitFor(1);
  worker.endpoint('acme', 'ep_1', { rateLimit: { perSecond: 10_000, burst: 1 } });
  published.push(...(await publishDeliveries(worker, 'acme', 'ep_1', 20)));
  for (const { delivery } of published) await worker.recordsUntil(delivery.id, 'delivered');
  // By the old rate, it would have been eighteen.
  assert.equal(await worker.metric('posthorn_delivery_parked_total', { reason: 'rate' }), 0);
});

test('a held delivery takes no token', async (t) => {
  const worker = await Worker.start(t);
  const rateLimit = { perSecond: 0.01, burst: 1 };
  worker.endpoint('acme', 'ep_1', { rateLimit, state: 'paused' });
  const published = await publishDeliveries(worker, 'acme', 'ep_1', 5);
  for (const { delivery } of published) await worker.recordsUntil(delivery.id, 'held');
});

test('an endpoint uses its own retry delays and final statuses', async (t) => {
  const worker = await Worker.start(t);
  const retry = { delaysSeconds: [0.2], finalStatuses: [404], retryAfterMaxMs: 0 };
  worker.endpoint('acme', 'ep_1', { retry });
  worker.endpoint('acme', 'ep_2', { retry });
  worker.receiver.on('/acme/ep_1', { status: 503, headers: { 'retry-after': '3600' } });
  worker.receiver.on('/acme/ep_2', { status: 404 });
  const tried = await worker.publishDelivery('acme', 'ep_1');
  const final = await worker.publishDelivery('acme', 'ep_2');
  const records = await worker.recordsUntil(tried.delivery.id, 'failed');
  assert.deepEqual([records.length, records.at(-1)?.reason], [2, 'exhausted']);
  const [once, ...more] = await worker.recordsUntil(final.delivery.id, 'failed');
  assert.deepEqual([once?.reason, more.length], ['final_status', 0]);
});

for (const [how, ordered] of [
  ['in any order', undefined],
  ['in order', { onExhausted: 'dead_letter' }],
] as const) {
  test(`no attempt starts later than the endpoint's maximum age after the first one, ${how}`, async (t) => {
    const worker = await Worker.start(t);
    const delaysSeconds = Array<number>(50).fill(0.3);
    const retry = { delaysSeconds, finalStatuses: [], retryAfterMaxMs: 0, maxAgeMs: 4000 };
    worker.endpoint('acme', 'ep_1', { retry, ...(ordered === undefined ? {} : { ordered }) });
    worker.receiver.otherwise({ status: 500 });
    const published = await worker.publishDelivery('acme', 'ep_1');
    const records = await worker.recordsUntil(published.delivery.id, 'failed');
    assert.equal(records.at(-1)?.reason, 'too_old');
    const starts = records.flatMap(({ attempt }) => attempt?.startedMs ?? []);
    assert.ok(starts.length >= 2, 'it was retried before');
  });
}

test('an endpoint uses its own time limit, and a change applies from the next attempt on', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', { timeoutMs: 150 });
  worker.receiver.otherwise({ hang: 'request' });
  const first = await worker.publishDelivery('acme', 'ep_1');
  const records = await worker.recordsUntil(first.delivery.id, 'failed');
  for (const { attempt } of records) {
    assert.equal(attempt?.failure, 'timeout');
    assert.ok(attempt.durationMs >= 145);
  }
  worker.endpoint('acme', 'ep_1', { timeoutMs: 700 });
  const second = await worker.publishDelivery('acme', 'ep_1');
  const longer = await worker.recordsUntil(second.delivery.id, 'failed');
  for (const { attempt } of longer) assert.ok((attempt?.durationMs ?? 0) >= 695);
});

test('an endpoint gets as many concurrent requests as configured, and more as soon as that is raised', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', { inFlightMax: 2, timeoutMs: 60_000 });
  worker.receiver.otherwise({ hang: 'request' });
  await publishDeliveries(worker, 'acme', 'ep_1', 8);
  await worker.receiver.waitFor(2);
  const waiting = () => worker.metric('posthorn_delivery_mailbox_messages');
  await waitUntil(async () => (await waiting()) === 6, { what: 'six wait' });
  assert.equal(worker.receiver.requests.length, 2);
  // No attempt ends and no delivery arrives: the change alone starts more.
  worker.endpoint('acme', 'ep_1', { inFlightMax: 5 });
  await worker.receiver.waitFor(5);
  assert.equal(await worker.metric('posthorn_delivery_in_flight'), 5);
  assert.equal(worker.receiver.requests.length, 5);
});

test('the circuit stays open when policies change', async (t) => {
  const retryPolicy = { delaysSeconds: Array(10).fill(0.3), finalStatuses: [], retryAfterMaxMs: 0 };
  const settings = { endpointInFlightMax: 2 };
  const worker = await Worker.start(t, { retryPolicy, settings });
  worker.endpoint('acme', 'ep_1');
  worker.receiver.otherwise({ status: 500 });
  await publishDeliveries(worker, 'acme', 'ep_1', 30);
  const open = () => worker.metric('posthorn_delivery_circuits_open');
  await waitUntil(async () => (await open()) === 1, { deadlineMs: 20_000 });
  const before = worker.receiver.requests.length;
  worker.endpoint('acme', 'ep_1', { timeoutMs: 5000, inFlightMax: 3 });
  const parked = () => worker.metric('posthorn_delivery_parked_total', { reason: 'circuit' });
  const parkedBefore = await parked();
  await publishDeliveries(worker, 'acme', 'ep_1', 1);
  await waitUntil(async () => (await parked()) > parkedBefore, { deadlineMs: 20_000 });
  // Requests in flight and one probe may have arrived; a recreated circuit would have allowed
  // twenty.
  assert.ok(worker.receiver.requests.length <= before + 5);
});

test("a tenant's own limit applies across its endpoints, and to no other tenant", async (t) => {
  const worker = await Worker.start(t);
  for (const id of ['ep_1', 'ep_2', 'ep_3']) worker.endpoint('acme', id, { timeoutMs: 60_000 });
  worker.endpoint('other', 'ep_1');
  worker.tenant('acme', { inFlightMax: 2 });
  for (const id of ['ep_1', 'ep_2', 'ep_3']) {
    worker.receiver.on(`/acme/${id}`, { hang: 'request' });
    await publishDeliveries(worker, 'acme', id, 2);
  }
  const other = await publishDeliveries(worker, 'other', 'ep_1', 20);
  for (const { delivery } of other) await worker.recordsUntil(delivery.id, 'delivered');
  assert.equal(await worker.metric('posthorn_delivery_in_flight'), 2);
  worker.tenant('acme', { inFlightMax: 4 });
  await waitUntil(async () => (await worker.metric('posthorn_delivery_in_flight')) === 4);
});

test("a tenant's limit lets every delivery through in the end", async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1');
  worker.endpoint('acme', 'ep_2');
  worker.tenant('acme', { inFlightMax: 1 });
  const published = [
    ...(await publishDeliveries(worker, 'acme', 'ep_1', 20)),
    ...(await publishDeliveries(worker, 'acme', 'ep_2', 20)),
  ];
  for (const { delivery } of published) await worker.recordsUntil(delivery.id, 'delivered');
  await worker.waitUntilEmpty();
});
