import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitUntil } from '#testkit/wait-until.ts';
import type { TenantSnapshot } from '#wire/config-snapshot.ts';
import { decodeDeliveryFrame } from '#wire/frames/delivery-frame.ts';
import { consumers, parseDeliverySubject, streams, subjects } from '#wire/subjects.ts';
import { RouterPlane, endpoint, subscription, tenant } from './router-plane.ts';

function wide(id: string, endpoints: number): TenantSnapshot {
  const ids = Array.from({ length: endpoints }, (_, i) => `ep_${i}`);
  return tenant(
    ids.map((one) => endpoint(one)),
    ids.map((one) => subscription(one, ['*'])),
    id,
  );
}

test('events of other tenants do not wait for a fan-out of 5,000', async (t) => {
  const tenants = [wide('acme', 5000), wide('beta', 1), wide('gamma', 40)];
  const plane = await RouterPlane.start(t, tenants, { window: 64, started: false });
  await plane.publish('e1');
  await plane.publish('e2');
  await plane.publish('e3', { tenant: 'beta' });
  await plane.publish('e4', { tenant: 'gamma' });
  await plane.router?.start();
  await plane.routed('e2');
  await plane.settled();
  const order = (await plane.deliveries()).map(({ subject }) => parseDeliverySubject(subject));
  assert.equal(order.length, 10_041);
  const lastOf = (id: string) => order.findLastIndex((one) => one.tenant === id);
  // The other events are routed within the first thousand deliveries.
  assert.ok(lastOf('beta') < 1000, `beta had its delivery at place ${lastOf('beta')}`);
  assert.ok(lastOf('gamma') < 1000, `gamma had its last delivery at place ${lastOf('gamma')}`);
});

test('the copies of a broadcast share one turn among the tenants', async (t) => {
  const many = Array.from({ length: 200 }, (_, i) => wide(`t${i}`, 40));
  const plane = await RouterPlane.start(t, [...many, wide('beta', 1)], {
    window: 64,
    started: false,
  });
  for (const { id } of many) await plane.publish('b1', { tenant: id, broadcast: true });
  await plane.publish('e1', { tenant: 'beta' });
  await plane.router?.start();
  await plane.routed('e1');
  await waitUntil(async () => (await plane.routedCount()) === 201);
  const order = (await plane.deliveries()).map(({ subject }) => parseDeliverySubject(subject));
  assert.equal(order.length, 8001);
  const place = order.findIndex(({ tenant: id }) => id === 'beta');
  assert.ok(place < 2000, `beta had its delivery at place ${place}`);
});

test('a copy for an ordered endpoint keeps its order among the events of its tenant', async (t) => {
  const [one, two] = [endpoint('ep_1'), endpoint('ep_2')];
  one.ordered = { onExhausted: 'dead_letter' };
  const both = [subscription('ep_1', ['*']), subscription('ep_2', ['*'])];
  const plane = await RouterPlane.start(t, [wide('acme', 500), tenant([one, two], both, 'beta')], {
    window: 16,
    started: false,
  });
  // A fan-out of 500, behind which the other events wait.
  await plane.publish('e0');
  const ids = Array.from({ length: 20 }, (_, i) => `e${i + 1}`);
  for (const [i, id] of ids.entries()) {
    await plane.publish(id, { tenant: 'beta', ...(i % 2 === 0 ? { broadcast: true } : {}) });
  }
  await plane.router?.start();
  await plane.routed('e20');
  await waitUntil(async () => (await plane.routedCount()) === 21);
  const stored = (await plane.deliveries()).filter(
    ({ subject }) => subject === subjects.ordered('beta', 'ep_1'),
  );
  const heads = stored.map(({ data }) => decodeDeliveryFrame(data).head.eventSeq);
  assert.equal(heads.length, 20);
  assert.deepEqual(
    heads,
    heads.toSorted((a, b) => a - b),
  );
});

test('the record of a large fan-out is split into parts, each with the total number', async (t) => {
  const plane = await RouterPlane.start(t, [wide('acme', 2500)]);
  await plane.publish('e1');
  await plane.routed('e1');
  await plane.settled();
  const records = await plane.core.storedRecords();
  const parts = records.filter((record) => record.k === 'routed');
  assert.deepEqual(
    parts.map((part) => [part.total, part.deliveries.length]),
    [
      [2500, 1000],
      [2500, 1000],
      [2500, 500],
    ],
  );
  const ids = parts.flatMap((part) => part.deliveries.map(({ id }) => id));
  assert.equal(new Set(ids).size, 2500);
});

test('an event over the limit waits for its delay, delays no other tenant and is not counted as failed', async (t) => {
  const settings = { router: { fanOutDelays: [{ over: 20, delayMs: 5000 }] } };
  const plane = await RouterPlane.start(t, [wide('acme', 21), wide('beta', 20)], { settings });
  await plane.publish('e1');
  await plane.publish('e2', { tenant: 'beta' });
  assert.equal((await plane.routed('e2')).deliveries.length, 20);
  assert.equal((await plane.routed('e1')).deliveries.length, 21);
  await plane.settled();
  const tenants = (await plane.deliveries()).map(
    ({ subject }) => parseDeliverySubject(subject).tenant,
  );
  assert.deepEqual(tenants, [...Array<string>(20).fill('beta'), ...Array<string>(21).fill('acme')]);
  const [first] = (await storedTimes(plane)).slice(20);
  const event = await plane.core.jsm.direct.getMessage(streams.events(0), { seq: 1 });
  const waitedMs = (first as number) - (event?.time.getTime() ?? 0);
  assert.ok(waitedMs >= 5000, `the fan-out began after ${waitedMs} ms`);
});

test('a delay that passed while no router ran is not repeated', async (t) => {
  const settings = { router: { fanOutDelays: [{ over: 20, delayMs: 1000 }] } };
  const plane = await RouterPlane.start(t, [wide('acme', 21)], { settings, started: false });
  await plane.publish('e1');
  const event = await plane.core.jsm.direct.getMessage(streams.events(0), { seq: 1 });
  await waitUntil(async () => Date.now() > (event?.time.getTime() ?? 0) + 1000);
  await plane.router?.start();
  await plane.routed('e1');
  await plane.settled();
  const info = await plane.core.jsm.consumers.info(streams.events(0), consumers.router);
  assert.equal(
    info.delivered.consumer_seq,
    1,
    'the event was redelivered although its delay had passed',
  );
});

async function storedTimes(plane: RouterPlane): Promise<number[]> {
  const stored = await plane.deliveries();
  return Promise.all(
    stored.map(async ({ seq }) => {
      const message = await plane.core.jsm.direct.getMessage(streams.deliveries(0), { seq });
      return message?.time.getTime() ?? 0;
    }),
  );
}
