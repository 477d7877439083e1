import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { Kvm } from '@nats-io/kv';
import { seededRandom } from '../../../chaos/seeded-random.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { buckets, consumers, streams } from '#wire/subjects.ts';
import { startNatsCore } from '../../nats-core.ts';
import { LaneOwner, PRESSED, SOON, publishToLane } from './lane-owner.ts';

const RULES = { quietMs: 3000, graceMs: 6000, reconcileEveryMs: 1000 };
const DLV = streams.deliveries(0);

async function counted(registry: Registry, name: string): Promise<Record<string, number>> {
  const { values } = (await registry.getSingleMetric(name)?.get()) ?? { values: [] };
  return Object.fromEntries(values.map(({ labels, value }) => [Object.values(labels)[0], value]));
}

test('a lane consumer that is deleted by hand is recreated, and unacked messages are redelivered', async (t) => {
  const core = await startNatsCore(t);
  const registry = new Registry();
  const owner = await LaneOwner.start(t, core, { rules: RULES, holds: true, registry });
  await owner.advance({ acme: PRESSED });
  const first = await publishToLane(core, 'acme');
  await waitUntil(() => owner.held.length === 1, SOON);
  await core.jsm.consumers.delete(DLV, consumers.lane('acme'));
  const second = await publishToLane(core, 'acme');
  await waitUntil(async () => {
    await owner.advance({ acme: PRESSED });
    return owner.held.length === 3;
  }, SOON);
  assert.deepEqual(
    owner.held.map((message) => message.string()),
    [first, first, second],
  );
  assert.deepEqual(await counted(registry, 'posthorn_delivery_lane_healed_total'), {
    consumer_missing: 1,
  });
  // Acked through the newer consumer: nothing is pending.
  owner.held.shift();
  owner.ackHeld();
  await waitUntil(async () => (await core.jsm.streams.info(DLV)).state.messages === 0, SOON);
});

test('a recreated consumer is consumed when the answer to its creation is lost', async (t) => {
  const core = await startNatsCore(t);
  const owner = await LaneOwner.start(t, core, { rules: RULES });
  await owner.advance({ acme: PRESSED });
  await core.jsm.consumers.delete(DLV, consumers.lane('acme'));
  const late = await publishToLane(core, 'acme');
  const { broker } = owner;
  const real = { ...broker };
  broker.makeConsumer = async (tenant) => {
    Object.assign(broker, real);
    await real.makeConsumer(tenant);
    throw new Error('timeout');
  };
  await waitUntil(async () => {
    await owner.advance({ acme: PRESSED });
    return owner.settled.includes(late);
  }, SOON);
});

test('a key written by hand gives a tenant a lane, is ignored if it is not a tenant, and is deleted beyond the limit', async (t) => {
  const core = await startNatsCore(t);
  const kv = await new Kvm(core.js).open(buckets.lanes);
  for (const key of ['acme', 'globex', 'not.a.tenant']) await kv.put(key, '');
  const owner = await LaneOwner.start(t, core, { rules: { ...RULES, lanesMax: 1, quietMs: 1e9 } });
  await owner.advance();
  await owner.advance();
  // There are at most twice as many consumers as lanes: both are consumed.
  assert.equal((await owner.broker.backlogs()).size, 2);
  await kv.put('initech', '');
  await waitUntil(() => owner.store.has('initech'), SOON);
  await owner.advance();
  assert.equal((await owner.broker.backlogs()).size, 2);
  assert.equal((await kv.get('initech'))?.operation, 'DEL');
  assert.equal((await kv.get('not.a.tenant'))?.operation, 'PUT');
});

test('a tenant under more pressure takes the lane of the quietest when all are received', async (t) => {
  const core = await startNatsCore(t);
  const registry = new Registry();
  const rules = { ...RULES, lanesMax: 2, quietMs: 1e9, keptMs: 5000 };
  const owner = await LaneOwner.start(t, core, { rules, registry });
  const busy = { received: 300, congested: 100 };
  const quiet = { received: 60, congested: 60 };
  await owner.advance({ busy, quiet });
  assert.deepEqual([...owner.broker.announced()].toSorted(), ['busy', 'quiet']);
  // Not before the quietest has had its lane for a while, and not for slightly more pressure.
  await owner.advance({ busy, quiet, late: busy });
  for (let second = 0; second < 5; second++) await owner.advance({ busy, quiet });
  await owner.advance({ busy, quiet, late: { received: 50, congested: 50 } });
  assert.deepEqual([...owner.broker.announced()].toSorted(), ['busy', 'quiet']);
  await owner.advance({ busy, quiet, late: busy });
  assert.deepEqual([...owner.broker.announced()].toSorted(), ['busy', 'late']);
  assert.equal(owner.lanes.active, 2);
  assert.equal(owner.lanes.draining, 1);
  const demotions = await counted(registry, 'posthorn_delivery_lane_demotions_total');
  assert.deepEqual(demotions, { replaced: 1 });
});

test('lanes drain when their bucket is deleted, and a tenant under pressure gets its lane again', async (t) => {
  const core = await startNatsCore(t);
  const owner = await LaneOwner.start(t, core, { rules: { ...RULES, graceMs: 1e9 } });
  await owner.advance({ acme: PRESSED });
  const kvm = new Kvm(core.js);
  await (await kvm.open(buckets.lanes)).destroy();
  await kvm.create(buckets.lanes, { history: 1 });
  await waitUntil(() => !owner.store.has('acme'), { deadlineMs: 30_000 });
  await owner.advance();
  assert.equal(owner.lanes.draining, 1);
  const late = await publishToLane(core, 'acme');
  await waitUntil(() => owner.settled.includes(late), SOON);
  await owner.advance({ acme: PRESSED });
  assert.ok(owner.store.has('acme'));
  assert.equal(owner.lanes.active, 1);
});

test('two owners, deletions by hand and stale routers at the same time lose nothing and leave nothing behind', async (t) => {
  const core = await startNatsCore(t);
  const kv = await new Kvm(core.js).open(buckets.lanes);
  const random = seededRandom(7);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const tenants = ['acme', 'globex', 'initech'];
  const owners = [
    await LaneOwner.start(t, core, { rules: { ...RULES, lanesMax: 2 } }),
    await LaneOwner.start(t, core, { rules: { ...RULES, lanesMax: 2 } }),
  ];
  const published: string[] = [];
  const acts: (() => Promise<unknown>)[] = [
    () => pick(owners).advance({ [pick(tenants)]: PRESSED }),
    () => pick(owners).advance({ [pick(tenants)]: PRESSED }),
    () => pick(owners).advance({}, 4),
    async () => published.push(await publishToLane(core, pick(tenants))),
    async () => published.push(await publishToLane(core, pick(tenants))),
    () => core.jsm.consumers.delete(DLV, consumers.lane(pick(tenants))).catch(() => undefined),
    () => kv.delete(pick(tenants)),
    () => kv.put(pick(tenants), ''),
  ];
  for (let step = 0; step < 150; step++) await pick(acts)();
  const [stale, owner] = owners as [LaneOwner, LaneOwner];
  await stale.stop();
  await waitUntil(
    async () => {
      await owner.advance({}, 4);
      const { draining, active } = owner.lanes;
      return draining + active === 0 && (await owner.broker.stored()).size === 0;
    },
    { ...SOON, deadlineMs: 60_000 },
  );
  const settled = new Set([...stale.settled, ...owner.settled]);
  assert.deepEqual(
    published.filter((text) => !settled.has(text)),
    [],
  );
  assert.ok(published.length > 10);
  assert.equal((await owner.broker.backlogs()).size, 0);
  assert.equal(owner.broker.announced().size, 0);
});
