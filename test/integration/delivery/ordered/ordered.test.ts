/** Ordered endpoints: one delivery in flight, and none overtakes another (DL-16). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitUntil } from '#testkit/wait-until.ts';
import type { EndpointSnapshot, TenantSnapshot } from '#wire/config-snapshot.ts';
import { encodeOrderedAction } from '#wire/ordered-action.ts';
import { buckets, subjects } from '#wire/subjects.ts';
import { seededRandom } from '../../../chaos/seeded-random.ts';
import {
  BLOCK,
  DEAD_LETTER,
  OFTEN,
  PATH,
  publishOrdered,
  received,
  savedHeads,
} from './ordered-queue.ts';
import { Worker } from '../worker.ts';

function act(worker: Worker, delivery: string, what: 'now' | 'cancel'): Promise<string> {
  const action = encodeOrderedAction({ tenant: 'acme', endpoint: 'ep_1', delivery, what });
  return worker.core.nc
    .request(subjects.orderedActions(0), action, { timeout: 5000 })
    .then((answer) => answer.string());
}

test('a receiver that fails at random gets every event in order, one at a time', async (t) => {
  const worker = await Worker.start(t, { retryPolicy: OFTEN });
  worker.endpoint('acme', 'ep_1', DEAD_LETTER);
  const random = seededRandom(7);
  const accepted: string[] = [];
  let inFlight = 0;
  let inFlightMost = 0;
  worker.receiver.on(PATH, (request) => {
    inFlightMost = Math.max(inFlightMost, ++inFlight);
    const ok = random() < 0.6;
    if (ok) accepted.push(String(request.headers['webhook-id']));
    const until = new Promise<void>((resolve) => {
      setImmediate(() => {
        inFlight--;
        resolve();
      });
    });
    return { status: ok ? 200 : 500, until };
  });
  const published = await publishOrdered(worker, 40);
  await worker.waitUntilEmpty();
  const order = published.map(({ event }) => event);
  assert.deepEqual(accepted, order);
  assert.equal(inFlightMost, 1);
  // Each retry came before anything behind it.
  assert.deepEqual([...new Set(received(worker))], order);
  assert.deepEqual(
    received(worker).map((id) => order.indexOf(id)),
    received(worker)
      .map((id) => order.indexOf(id))
      .toSorted((a, b) => a - b),
  );
  await waitUntil(async () => (await savedHeads(worker)) === 0, { what: 'no state is left' });
});

test('a head that always fails becomes a dead letter after its schedule, and the next one is sent', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', DEAD_LETTER);
  worker.receiver.on(PATH, (_request, nth) => ({ status: nth <= 3 ? 500 : 200 }));
  const [first, second] = await publishOrdered(worker, 2);
  await worker.recordsUntil(second?.id as string, 'delivered');
  assert.deepEqual(
    received(worker),
    [first, first, first, second].map((one) => one?.event),
  );
  const records = await worker.recordsUntil(first?.id as string, 'failed');
  assert.deepEqual(
    records.map(({ attempt, status, hop }) => [attempt?.no, status, hop]),
    [
      [1, 'pending', 0],
      [2, 'pending', 1],
      [3, 'failed', 2],
    ],
  );
  assert.equal((await worker.deadLetters()).length, 1);
  await worker.waitUntilEmpty();
});

test('a head that blocks stops the queue until it is retried', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', BLOCK);
  let broken = true;
  worker.receiver.on(PATH, () => ({ status: broken ? 500 : 200 }));
  const published = await publishOrdered(worker, 3);
  const id = published[0]?.id as string;
  const blocked = async (): Promise<boolean> =>
    (await worker.metric('posthorn_delivery_ordered_blocked')) === 1;
  await waitUntil(blocked, { what: 'it is blocked' });
  const last = (await worker.recordsUntil(id, 'pending')).at(-1);
  assert.equal(last?.reason, 'blocked');
  assert.equal(last?.nextAttemptMs, undefined);
  assert.equal(await act(worker, published[1]?.id as string, 'now'), 'not_waiting');
  // Retried while the receiver still fails, it is blocked again.
  assert.equal(await act(worker, id, 'now'), 'done');
  await worker.receiver.waitFor(4, PATH);
  await waitUntil(blocked, { what: 'it is blocked again' });
  assert.deepEqual(new Set(received(worker)), new Set([published[0]?.event]));
  broken = false;
  assert.equal(await act(worker, id, 'now'), 'done');
  await worker.waitUntilEmpty();
  const numbers = (await worker.recordsUntil(id, 'delivered')).map(({ attempt }) => attempt?.no);
  assert.deepEqual(numbers, [1, 2, 3, 4, 5]);
  assert.deepEqual(
    received(worker).slice(-3),
    published.map(({ event }) => event),
  );
  assert.equal((await worker.deadLetters()).length, 0);
});

test('a queue continues when its blocked head is cancelled, or the endpoint no longer blocks', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', BLOCK);
  const bad = new Set(['e0', 'e1']);
  worker.receiver.on(PATH, ({ headers }) => ({
    status: bad.has(String(headers['webhook-id'])) ? 500 : 200,
  }));
  const published = await publishOrdered(worker, 3);
  const blocked = async (): Promise<boolean> =>
    (await worker.metric('posthorn_delivery_ordered_blocked')) === 1;
  await waitUntil(blocked, { what: 'the first is blocked' });
  assert.equal(await act(worker, published[0]?.id as string, 'cancel'), 'done');
  await worker.recordsUntil(published[0]?.id as string, 'cancelled');
  await worker.receiver.waitFor(6, PATH);
  await waitUntil(blocked, { what: 'the second is blocked' });
  worker.endpoint('acme', 'ep_1', DEAD_LETTER);
  await worker.recordsUntil(published[2]?.id as string, 'delivered');
  assert.equal((await worker.deadLetters()).length, 1);
  await worker.waitUntilEmpty();
});

test('a waiting retry can be sent now or cancelled', async (t) => {
  const slow = { delaysSeconds: [600], finalStatuses: [], retryAfterMaxMs: 1000 };
  const worker = await Worker.start(t, { retryPolicy: slow });
  worker.endpoint('acme', 'ep_1', DEAD_LETTER);
  worker.receiver.on(PATH, (_request, nth) => ({ status: nth === 2 ? 200 : 500 }));
  const published = await publishOrdered(worker, 2);
  const [first, second] = published.map(({ id }) => id) as [string, string];
  const waits = (id: string) =>
    waitUntil(
      async () => {
        const heads = await worker.core.jsm.streams
          .getMessage(`KV_${buckets.ordered}`, { last_by_subj: `$KV.${buckets.ordered}.acme.ep_1` })
          .then((entry) => entry?.string() ?? '');
        return heads.includes(id);
      },
      { what: `${id} waits` },
    );
  await waits(first);
  assert.equal(await act(worker, first, 'now'), 'done');
  await worker.recordsUntil(first, 'delivered');
  await waits(second);
  assert.equal(await act(worker, second, 'cancel'), 'done');
  await worker.recordsUntil(second, 'cancelled');
  await worker.waitUntilEmpty();
  assert.equal(await act(worker, second, 'cancel'), 'not_waiting');
});

test('a queue waits as held while its endpoint is paused, then continues in order', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', { ...DEAD_LETTER, state: 'paused' });
  const published = await publishOrdered(worker, 3);
  const held = await worker.recordsUntil(published[0]?.id as string, 'held');
  assert.equal(held.at(-1)?.reason, 'endpoint_paused');
  worker.endpoint('acme', 'ep_1', { state: 'active' });
  await worker.waitUntilEmpty();
  assert.deepEqual(
    received(worker),
    published.map(({ event }) => event),
  );
  const records = await worker.recordsUntil(published[0]?.id as string, 'delivered');
  assert.equal(records.filter(({ status }) => status === 'held').length, 1);
  assert.ok((records.at(-1)?.hop ?? 0) > (held.at(-1)?.hop ?? 0));
});

test('queued deliveries are cancelled when their endpoint is deleted', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', { ...DEAD_LETTER, state: 'paused' });
  const published = await publishOrdered(worker, 3);
  await worker.recordsUntil(published[0]?.id as string, 'held');
  const tenant = worker.tenants.get('acme') as TenantSnapshot;
  worker.tenants.set('acme', { ...tenant, endpoints: [] });
  for (const { id } of published) {
    const records = await worker.recordsUntil(id, 'cancelled');
    assert.equal(records.at(-1)?.reason, 'endpoint_deleted');
  }
  assert.equal(received(worker).length, 0);
  await worker.waitUntilEmpty();
});

test('a queue drains in order when the endpoint is no longer ordered', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', { ...DEAD_LETTER, state: 'paused' });
  const published = await publishOrdered(worker, 5);
  await worker.recordsUntil(published[0]?.id as string, 'held');
  const tenant = worker.tenants.get('acme') as TenantSnapshot;
  const { ordered: _, ...rest } = tenant.endpoints[0] as EndpointSnapshot;
  worker.tenants.set('acme', { ...tenant, endpoints: [{ ...rest, state: 'active' }] });
  await worker.waitUntilEmpty();
  assert.deepEqual(
    received(worker),
    published.map(({ event }) => event),
  );
});

test('held deliveries go to the queue when they are released after the endpoint became ordered', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', { state: 'paused' });
  const { delivery } = await worker.publishDelivery('acme', 'ep_1');
  await worker.recordsUntil(delivery.id, 'held');
  worker.endpoint('acme', 'ep_1', { ...DEAD_LETTER, state: 'active' });
  await worker.recordsUntil(delivery.id, 'delivered');
  await worker.waitUntilEmpty();
});

test('a queue keeps its rate, even below one in 10 s', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', { ...DEAD_LETTER, rateLimit: { perSecond: 0.25, burst: 1 } });
  const published = await publishOrdered(worker, 3);
  const requests = await worker.receiver.waitFor(3, PATH, 20_000);
  assert.deepEqual(
    received(worker),
    published.map(({ event }) => event),
  );
  const [first, , third] = requests.map(({ atMs }) => atMs) as [number, number, number];
  assert.ok(third - first >= 7900, 'the rate was not kept');
  await worker.waitUntilEmpty();
});

test('a blocking head is held in place after a 410', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', BLOCK);
  worker.receiver.on(PATH, (_request, nth) => ({ status: nth === 1 ? 410 : 200 }));
  const published = await publishOrdered(worker, 2);
  const held = await worker.recordsUntil(published[0]?.id as string, 'held');
  assert.equal(held.at(-1)?.reason, 'endpoint_disabled');
  assert.equal((await worker.goneRecords()).length, 1);
  assert.equal((await worker.deadLetters()).length, 0);
  // The receiver is repaired, and the endpoint changed.
  worker.endpoint('acme', 'ep_1', { url: worker.receiver.url(PATH) });
  await worker.waitUntilEmpty();
  assert.deepEqual(
    received(worker),
    [0, 0, 1].map((i) => published[i]?.event),
  );
});
