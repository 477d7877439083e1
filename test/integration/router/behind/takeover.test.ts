/** A router that dies or stops while a tenant is behind: the next one continues. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BehindStore } from '#infra/nats/stores/behind-store.ts';
import type { BehindStep } from '#src/router/behind/behind-tenant.ts';
import { BehindWriter, OvertakenError } from '#src/router/behind/behind-writer.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import type { BehindState } from '#wire/behind-state.ts';
import { startNatsCore } from '../../nats-core.ts';
import {
  assertAllOnce,
  behind,
  deliveryCount,
  greedy,
  killableRouter,
  publishMany,
  startNarrow,
  untilBehind,
} from './behind-plane.ts';

const EVENTS = 200;
const STEPS: BehindStep[] = ['entered', 'acked', 'read', 'routed', 'removed'];

for (const step of STEPS) {
  test(`each event is routed once and in order when the router is killed at the step ${step}`, async (t) => {
    const one = greedy('acme', 3);
    const plane = await startNarrow(t, [one]);
    await publishMany(plane, 'acme', 0, EVENTS);
    const { router, died } = await killableRouter(plane, 'killed', step);
    await router.start();
    await died;
    await publishMany(plane, 'acme', EVENTS, 30);
    await plane.router?.start();
    await assertAllOnce(plane, one);
  });
}

test('each event is routed once and in order when routers are killed in the middle of the walk', async (t) => {
  const one = greedy('acme', 10);
  const plane = await startNarrow(t, [one]);
  await publishMany(plane, 'acme', 0, EVENTS);
  for (const [nth, share] of [0.3, 0.6].entries()) {
    const { router, kill } = await killableRouter(plane, `killed-${nth}`);
    await router.start();
    const wanted = share * EVENTS * one.endpoints.length;
    await waitUntil(async () => (await deliveryCount(plane, 'acme')) >= wanted);
    await kill();
    assert.ok('acme' in (await behind(plane)), 'it was routed before the kill');
    await publishMany(plane, 'acme', EVENTS + nth * 20, 20);
  }
  await plane.router?.start();
  await assertAllOnce(plane, one);
});

test('the next router continues where a router that stopped was', async (t) => {
  const one = greedy('acme', 20);
  const plane = await startNarrow(t, [one]);
  await publishMany(plane, 'acme', 0, EVENTS);
  await plane.router?.start();
  await untilBehind(plane, 'acme');
  await waitUntil(async () => (await deliveryCount(plane, 'acme')) > 50 * one.endpoints.length);
  await plane.router?.stop(5000);
  const { from, since } = (await behind(plane))['acme'] ?? { from: 0, since: 0 };
  const routed = (await deliveryCount(plane, 'acme')) / one.endpoints.length;
  assert.ok(from > since);
  // Its last state says exactly which events are routed.
  assert.equal(from, routed + 1);
  await (await plane.another('router-2', 8)).start();
  await assertAllOnce(plane, one);
});

test('a state that a router writes late, after it lost the shard, is refused', async (t) => {
  const core = await startNatsCore(t);
  const store = new BehindStore(core);
  const writer = (tenants: BehindState['tenants']): BehindWriter =>
    new BehindWriter({
      ...core,
      store,
      shard: 0,
      owns: () => true,
      tenants: () => tenants,
    });
  const first = writer({ acme: { since: 5, from: 5, waiting: 1 } });
  const second = writer({});
  assert.deepEqual(await first.acquire(), {});
  assert.deepEqual(await second.acquire(), {});
  await assert.rejects(first.save(), OvertakenError);
  assert.deepEqual((await store.read(0))?.state?.tenants, {});
  await second.save();
});

test('a state is written again when the bucket was deleted and created again', async (t) => {
  const core = await startNatsCore(t);
  const store = new BehindStore(core);
  const tenants = { acme: { since: 5, from: 7, waiting: 1 } };
  const writer = new BehindWriter({
    ...core,
    store,
    shard: 0,
    owns: () => true,
    tenants: () => tenants,
  });
  await writer.acquire();
  await writer.save();
  await core.jsm.streams.purge('KV_BEHIND');
  await writer.save();
  assert.deepEqual((await store.read(0))?.state?.tenants, tenants);
});
