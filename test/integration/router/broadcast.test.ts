import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WalkStep } from '#src/router/broadcast/walk.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { streams, subjects } from '#wire/subjects.ts';
import { BroadcastPlane, diesAt, manyTenants } from './broadcast-plane.ts';
import { endpoint, subscription, tenant } from './router-plane.ts';

test('a broadcast creates one copy for each of 2,000 tenants with a matching subscription', async (t) => {
  const others = [
    tenant([endpoint('ep_1')], [], 'none'),
    tenant([endpoint('ep_1')], [subscription('ep_1', ['invoice.*'])], 'other'),
    tenant([endpoint('ep_1')], [subscription('ep_1', ['*'], { 'data.total': 13 })], 'filtered'),
    tenant(
      [endpoint('ep_1'), endpoint('ep_2', 'paused')],
      [
        subscription('ep_1', ['order.*'], { 'data.total': 12 }),
        subscription('ep_2', ['order.created']),
      ],
      'two',
    ),
  ];
  const plane = await BroadcastPlane.start(t, [...manyTenants(2000), ...others]);
  await plane.broadcaster();
  await plane.publish('b1');
  const progress = await plane.ended('b1');
  assert.equal(progress.state, 'done');
  assert.deepEqual(progress.tenants, { done: 2001, total: 2001 });
  assert.deepEqual(progress.endpoints, { done: 2002, total: 2002 });
  const copies = await plane.copies();
  assert.deepEqual(
    copies.toSorted(),
    [...manyTenants(2000).map(({ id }) => `${id}:b1`), 'two:b1'].toSorted(),
  );
});

test('a broadcast without subscribers ends immediately without copies', async (t) => {
  const plane = await BroadcastPlane.start(t, [tenant([endpoint('ep_1')], [], 'none')]);
  await plane.broadcaster();
  await plane.publish('b1');
  const progress = await plane.ended('b1');
  assert.equal(progress.state, 'done');
  assert.deepEqual(progress.tenants, { done: 0, total: 0 });
  assert.deepEqual(await plane.copies(), []);
});

test('broadcasts run one after another, in the order in which they were stored', async (t) => {
  const plane = await BroadcastPlane.start(t, manyTenants(300));
  for (const id of ['b1', 'b2', 'b3']) await plane.publish(id);
  await Promise.all([plane.broadcaster(), plane.broadcaster()]);
  await plane.ended('b3');
  const copies = await plane.copies();
  assert.equal(copies.length, 900);
  const of = (id: string): number[] =>
    copies.flatMap((copy, i) => (copy.endsWith(`:${id}`) ? [i] : []));
  assert.equal(of('b1').at(-1), 299);
  assert.equal(of('b2').at(-1), 599);
});

test('a damaged broadcast is terminated and does not block later ones', async (t) => {
  const plane = await BroadcastPlane.start(t, manyTenants(3));
  await plane.core.publisher.publishAsync({
    subject: subjects.broadcast('b0'),
    payload: Buffer.from('rubbish'),
    messageId: 'b0',
    timeoutMs: 10_000,
  });
  await plane.publish('b1');
  await plane.broadcaster();
  await plane.ended('b1');
  assert.equal((await plane.copies()).length, 3);
});

const steps: [WalkStep, number][] = [
  ['taken', 1],
  ['planned', 1],
  ['announced', 1],
  ['copied', 100],
  ['published', 1],
  ['announced', 2],
  ['published', 3],
  ['ended', 1],
];

for (const [step, nth] of steps) {
  test(`another broadcaster finishes with one copy for each tenant when one dies after "${step}" no. ${nth}`, async (t) => {
    const plane = await BroadcastPlane.start(t, manyTenants(700));
    // An outage longer than the stream remembers message ids.
    await plane.forgetMessageIds();
    const death = diesAt(step, nth);
    const first = await plane.broadcaster(death.onStep);
    await plane.publish('b1');
    await death.dead;
    await first.kill();
    // Events that tenants publish during the broadcast are stored before and after their copies.
    for (let i = 0; i < 700; i += 70) await plane.publishTo(`t${i}`, 'own');
    await plane.broadcaster();
    const progress = await plane.ended('b1');
    assert.deepEqual(progress.tenants, { done: 700, total: 700 });
    const copies = (await plane.copies()).filter((id) => id.endsWith(':b1'));
    assert.equal(new Set(copies).size, 700, 'a tenant has no copy');
    assert.equal(copies.length, 700, 'a tenant has two copies');
  });
}

test('another broadcaster resumes from the stored progress when one stops', async (t) => {
  const plane = await BroadcastPlane.start(t, manyTenants(1000), {
    router: { broadcastEndpointsPerSecond: 2000 },
  });
  let chunks = 0;
  const { promise: midway, resolve } = Promise.withResolvers<void>();
  const first = await plane.broadcaster((step) => {
    if (step === 'published' && ++chunks === 2) resolve();
  });
  await plane.publish('b1');
  await midway;
  await first.stop(5000);
  assert.ok((await plane.copies()).length < 1000, 'it was done before it was stopped');
  await plane.broadcaster();
  assert.deepEqual((await plane.ended('b1')).tenants, { done: 1000, total: 1000 });
  assert.equal(new Set(await plane.copies()).size, 1000);
  assert.equal((await plane.copies()).length, 1000);
});

test('a broadcaster that was overtaken publishes and writes nothing more', async (t) => {
  const plane = await BroadcastPlane.start(t, manyTenants(700));
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
  await plane.broadcaster(async (step) => {
    if (step !== 'published') return;
    reach();
    await held;
  });
  await plane.publish('b1');
  await reached;
  // Another router resumes, as after a pause that only the server noticed.
  const { seq, progress } = await plane.store.progress('b1');
  assert.ok(progress !== undefined);
  const taken = await plane.store.writeProgress('b1', progress, seq, 5000);
  const before = (await plane.copies()).length;
  release();
  await waitUntil(async () => {
    const { num_ack_pending } = await plane.core.jsm.consumers.info(
      streams.broadcasts,
      'broadcaster',
    );
    return num_ack_pending === 1;
  });
  assert.equal((await plane.store.progress('b1')).seq, taken);
  assert.equal((await plane.copies()).length, before);
});

test('the delay of a large broadcast counts from the time at which it was stored', async (t) => {
  const plane = await BroadcastPlane.start(t, manyTenants(30), {
    router: { fanOutDelays: [{ over: 20, delayMs: 2000 }] },
  });
  await plane.broadcaster();
  await plane.publish('b1');
  const progress = await plane.ended('b1');
  const stored = await plane.core.jsm.direct.getMessage(streams.broadcasts, {
    last_by_subj: 'bc.event.b1',
  });
  assert.equal(progress.startsAtMs, (stored?.time.getTime() ?? 0) + 2000);
  const first = await plane.core.jsm.direct.getMessage(streams.events(0), { seq: 1 });
  assert.ok((first?.time.getTime() ?? 0) >= (progress.startsAtMs ?? Number.POSITIVE_INFINITY));
});

test('a broadcast stops when it is cancelled before or during its walk', async (t) => {
  const plane = await BroadcastPlane.start(t, manyTenants(700));
  let cancel = async (): Promise<void> => {};
  await plane.publish('b1');
  await plane.publish('b2');
  const cancelled = { v: 1, state: 'cancelled', endedMs: Date.now() } as const;
  const none = { tenants: { done: 0, total: 0 }, endpoints: { done: 0, total: 0 } };
  const waiting = await plane.store.event('b2');
  await plane.store.writeProgress(
    'b2',
    { ...cancelled, ...none, eventSeq: waiting?.seq ?? 0 },
    0,
    5000,
  );
  cancel = async () => {
    const { seq, progress } = await plane.store.progress('b1');
    assert.ok(progress !== undefined);
    await plane.store.writeProgress('b1', { ...progress, ...cancelled }, seq, 5000);
  };
  await plane.broadcaster(async (step) => {
    if (step === 'published') await cancel();
  });
  assert.equal((await plane.ended('b1')).state, 'cancelled');
  assert.equal((await plane.ended('b2')).state, 'cancelled');
  const copies = await plane.copies();
  assert.equal(copies.length, 256);
  assert.ok(copies.every((id) => id.endsWith(':b1')));
});
