import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nanos } from '@nats-io/nats-core';
import { waitUntil } from '#testkit/wait-until.ts';
import { decodeDeliveryFrame } from '#wire/frames/delivery-frame.ts';
import { consumers, shardOf, streams } from '#wire/subjects.ts';
import { RouterPlane, endpoint, subscription, tenant } from './router-plane.ts';

const ONE = [tenant([endpoint('ep_1')], [subscription('ep_1', ['*'])])];

/** A pull without any acks, as a router that was stopped leaves behind. */
function strayPull(plane: RouterPlane, batch: number): { taken: () => number } {
  const { nc } = plane.core;
  const inbox = `stray.${batch}`;
  let taken = 0;
  nc.subscribe(inbox, {
    callback: (_, message) => {
      if (message.reply !== undefined && message.reply !== '') taken++;
    },
  });
  const subject = `$JS.API.CONSUMER.MSG.NEXT.${streams.events(0)}.${consumers.router}`;
  const request = JSON.stringify({ batch, expires: nanos(20_000) });
  nc.publish(subject, request, { reply: inbox });
  return { taken: () => taken };
}

async function routedSeqs(plane: RouterPlane): Promise<number[]> {
  return (await plane.deliveries()).map(({ data }) => decodeDeliveryFrame(data).head.eventSeq);
}

test('unacked events of a dead router are redelivered immediately, before later events', async (t) => {
  const plane = await RouterPlane.start(t, ONE, { started: false });
  const stray = strayPull(plane, 5);
  await plane.core.nc.flush();
  const ids = Array.from({ length: 20 }, (_, i) => `e${i}`);
  for (const id of ids) await plane.publish(id);
  await waitUntil(() => stray.taken() === 5, { what: 'a router has 5 events in flight' });
  await plane.router?.start();
  await waitUntil(async () => (await routedSeqs(plane)).length === 20, {
    what: 'all are routed',
    // Less than the consumer's ack_wait.
    deadlineMs: 25_000,
  });
  assert.deepEqual(
    await routedSeqs(plane),
    ids.map((_, i) => i + 1),
  );
  await plane.settled();
});

test('an open pull alongside the owner of the shard changes no order', async (t) => {
  const plane = await RouterPlane.start(t, ONE);
  await plane.publish('first');
  await plane.routed('first');
  const stray = strayPull(plane, 7);
  await plane.core.nc.flush();
  for (let i = 0; i < 40; i++) await plane.publish(`e${i}`);
  await waitUntil(() => stray.taken() > 0, { what: 'something went astray' });
  await waitUntil(async () => (await routedSeqs(plane)).length === 41, {
    what: 'all are routed',
    deadlineMs: 25_000,
  });
  assert.deepEqual(
    await routedSeqs(plane),
    Array.from({ length: 41 }, (_, i) => i + 1),
  );
  await plane.settled();
});

test('two routers share the shards, and one takes over immediately when the other stops', async (t) => {
  const names = Array.from({ length: 40 }, (_, i) => `t${i}`);
  const tenants = names.map((name) =>
    tenant([endpoint('ep_1')], [subscription('ep_1', ['*'])], name),
  );
  const plane = await RouterPlane.start(t, tenants, { settings: { shards: 8 } });
  const second = await plane.another('router-2');
  await second.start();
  const owners = async (): Promise<Set<string>> => new Set((await plane.owners()).values());
  await waitUntil(async () => (await owners()).size === 2, { what: 'both own shards' });
  const publishAll = async (round: number): Promise<void> => {
    for (const name of names) await plane.publish(`${name}-${round}`, { tenant: name });
  };
  await publishAll(1);
  await plane.router?.stop(5000);
  assert.deepEqual(
    [...(await owners())].filter((owner) => owner === 'router-1'),
    [],
  );
  await publishAll(2);
  const shards = new Set(names.map((name) => shardOf(name, 8)));
  await waitUntil(
    async () => {
      let count = 0;
      for (const shard of shards) count += (await plane.deliveries(shard)).length;
      return count === 80;
    },
    { what: 'every event is routed once' },
  );
  assert.deepEqual(await owners(), new Set(['router-2']));
});
